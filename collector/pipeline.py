"""poll → decode → store → publish → commit, on one screen.

Two threads take turns: while one batch is being stored, the next is read and decoded. Should storing fail, what
was read ahead is refused by the database (its positions lie beyond stored progress), so that it cannot slip through.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import msgspec
from django.db import Error, connection
from django.utils import timezone

from collector import deadlines, heartbeats, progress, store
from collector.config import Config
from collector.counts import Counts
from collector.decoding import decode
from collector.kafka import Cluster, KafkaFailure, Source, Span
from collector.logs import fields
from collector.meter import Meter
from collector.publish import Publisher
from collector.rules import registered
from collector.store import Behind, Decoded, Written

logger = logging.getLogger(__name__)

BATCH = 5_000
WAIT = 0.1
HEARTBEAT = 1.0
RETRY = 0.5
SWEEP_LATE = timedelta(seconds=5)


class Pipeline:
    """A collector: reads what it is assigned, and stores it.

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
        self._storing = ThreadPoolExecutor(1, "store")
        self._underway: tuple[list[Span], Future[Written]] | None = None
        self._beat_at = 0.0
        self._retry_at = 0.0
        self._events = 0
        self._meter = Meter()
        self._started_at = timezone.now()

    def run(self, stopping: Callable[[], bool]) -> None:
        """Works until `stopping` says so; a batch that has begun is finished."""
        while not stopping():
            self.step()

    def close(self) -> None:
        """Waits for the batch that is underway."""
        self._settle()
        self._storing.submit(_hang_up).result()
        self._storing.shutdown()
        with contextlib.suppress(Error):
            self._beat(stopped=True)

    def step(self) -> None:
        """One turn: reads a batch while the one before is being stored, and hands it over."""
        away = time.monotonic() < self._retry_at
        if not away:
            self._guard(self._locate)
        spans = self._source.poll(BATCH, WAIT)
        decoded = [(record, decode(record)) for span in spans for record in span.records]
        if self._settle() and spans and not away:
            self._underway = spans, self._storing.submit(self._store, spans, decoded)
        if not away:
            self._guard(self._alive)

    def _locate(self) -> None:
        if not self._source.unlocated or not self._settle():
            return
        try:
            self._source.start(progress.locate(self._cluster, self._cluster_id, self._source.unlocated))
        except KafkaFailure as failure:
            logger.warning("the brokers do not say where partitions begin and end; asking again: %s", failure)

    def _store(self, spans: list[Span], decoded: list[Decoded]) -> Written:
        """Runs in the storing thread."""
        began = time.monotonic()
        written = store.write(spans, decoded, registered(self._config().rulebook), self._writer)
        took = time.monotonic() - began
        batch = self._meter.stored(spans, written, took, timezone.now())
        done = fields(batch=batch, partitions=len(spans), records=len(decoded), events=written.events)
        logger.debug("stored a batch in %.3f s", took, extra=done)
        if written.changed:
            self._publisher.tell(written.changed, written.alerts)
        return written

    def _settle(self) -> bool:
        """Waits for the batch underway; False where it was not stored, so that what was read since is void as well."""
        if self._underway is None:
            return True
        spans, future = self._underway
        self._underway = None
        try:
            self._events += future.result().events
        except Behind as behind:
            logger.info("%s; reading again from there", behind)
            self._meter.read_again()
            self._source.hold(self._source.positions)
            return False
        except Error as error:
            self._away(error)
            return False
        self._source.commit(spans)
        return True

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Error as error:
            self._away(error)

    def _away(self, error: Error) -> None:
        self._meter.failed()
        logger.warning("the database is away; reading waits: %s", str(error).strip())
        _hang_up()
        self._storing.submit(_hang_up)
        self._source.hold(self._source.positions)
        self._retry_at = time.monotonic() + RETRY

    def counts(self) -> Counts:
        """What this collector has counted so far; from whichever thread."""
        return msgspec.structs.replace(self._meter.read(), rebalances=self._source.rebalances)

    def _beat(self, events_per_second: float = 0.0, *, stopped: bool = False) -> None:
        heartbeats.beat(
            f"collector:{self._name}",
            {
                "started_at": self._started_at,
                "stopped": stopped,
                "events_per_second": round(events_per_second, 1),
                "partitions": len(self._source.positions),
                "counts": self.counts(),
            },
        )

    def _alive(self) -> None:
        """Once a second: says that it lives, and sweeps where nobody else has for a while."""
        elapsed = time.monotonic() - self._beat_at
        if elapsed < HEARTBEAT:
            return
        self._beat(self._events / elapsed if self._beat_at else 0.0)
        self._beat_at, self._events = time.monotonic(), 0
        swept = heartbeats.age("sweep")
        if swept is None or swept > SWEEP_LATE:
            found = deadlines.sweep(registered(self._config().rulebook))
            self._publisher.tell(found.changed, found.alerts)


def _hang_up() -> None:
    """Closes the calling thread's connection to the database; the next query makes a new one."""
    connection.close()
