"""poll → decode → store → publish → commit, on one screen."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from django.db import Error, connection

from collector import deadlines, heartbeats, progress, store
from collector.config import Config
from collector.decoding import decode
from collector.kafka import Cluster, KafkaFailure, Source, Span
from collector.publish import Publisher
from collector.rules import registered
from collector.store import Behind, Written

logger = logging.getLogger(__name__)

BATCH = 10_000
WAIT = 0.1
HEARTBEAT = 1.0
RETRY = 0.5
SWEEP_LATE = timedelta(seconds=5)


class Pipeline:
    """A collector: reads what it is assigned, and stores it. Not thread-safe.

    Whatever fails in the database, all partitions are held and located anew from stored progress, so that nothing is
    lost and nothing is counted twice; polling goes on meanwhile, so that the membership in the group lives.
    """

    def __init__(
        self,
        source: Source,
        cluster: Cluster,
        cluster_id: str,
        name: str,
        writer: str,
        config: Callable[[], Config],
        publisher: Publisher,
    ) -> None:
        self._source, self._cluster, self._cluster_id = source, cluster, cluster_id
        self._name, self._writer, self._config, self._publisher = name, writer, config, publisher
        self._beat_at = 0.0
        self._retry_at = 0.0
        self._events = 0

    def run(self, stopping: Callable[[], bool]) -> None:
        """Works until `stopping` says so; a batch that has begun is finished."""
        while not stopping():
            self.step()

    def step(self) -> Written | None:
        """One turn; returns what was stored, if anything was read."""
        if time.monotonic() < self._retry_at:
            self._source.poll(BATCH, WAIT)
            return None
        written = None
        try:
            self._locate()
            spans = self._source.poll(BATCH, WAIT)
            if spans:
                written = self._store(spans)
            self._alive()
        except Error as error:
            logger.warning("the database is away; reading waits: %s", str(error).strip())
            connection.close()
            self._source.hold(self._source.positions)
            self._retry_at = time.monotonic() + RETRY
        return written

    def _locate(self) -> None:
        if not self._source.unlocated:
            return
        try:
            self._source.start(progress.locate(self._cluster, self._cluster_id, self._source.unlocated))
        except KafkaFailure as failure:
            logger.warning("the brokers do not say where partitions begin and end; asking again: %s", failure)

    def _store(self, spans: list[Span]) -> Written | None:
        decoded = [(record, decode(record)) for span in spans for record in span.records]
        try:
            written = store.write(spans, decoded, registered(self._config().rulebook), self._writer)
        except Behind as behind:
            logger.info("%s; reading again from there", behind)
            # the whole batch was given up, so all of it has to be read again
            self._source.hold((span.topic.name, span.partition) for span in spans)
            return None
        if written.changed:
            self._publisher.tell(written.changed, written.alerts)
        self._source.commit(spans)
        self._events += written.events
        return written

    def _alive(self) -> None:
        """Once a second: says that it lives, and sweeps where nobody else has for a while."""
        elapsed = time.monotonic() - self._beat_at
        if elapsed < HEARTBEAT:
            return
        heartbeats.beat(
            f"collector:{self._name}",
            {
                "events_per_second": round(self._events / elapsed, 1) if self._beat_at else 0.0,
                "partitions": len(self._source.positions),
            },
        )
        self._beat_at, self._events = time.monotonic(), 0
        swept = heartbeats.age("sweep")
        if swept is None or swept > SWEEP_LATE:
            found = deadlines.sweep(registered(self._config().rulebook))
            self._publisher.tell(found.changed, found.alerts)
