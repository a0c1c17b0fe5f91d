"""poll → decode → store → publish → commit, on one screen.

Two threads take turns: while one batch is being stored, the next is read and decoded, and grows; mostly while
PostgreSQL works, since storing comes first. Should storing fail, what was read ahead is refused by the database, since
its positions lie beyond stored progress; it cannot slip through. No more than one batch waits for another, and polling
never stops for long: whatever the database does, memory is bounded and the membership in the group lives.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from functools import partial

import msgspec
from django.db import Error, connection
from django.utils import timezone

from collector.config import Config
from collector.config.rules import registered
from collector.decoding.content import Schemas
from collector.health.counts import Counts
from collector.health.logs import fields
from collector.intake import faults, isolation, progress
from collector.intake.ahead import Ahead
from collector.intake.locating import Locating
from collector.intake.meter import Meter
from collector.intake.reading import Reader
from collector.kafka import Cluster, KafkaFailure, Source, Span
from collector.publish import Publisher
from collector.records import TopicRef
from collector.storage.memory import Memory
from collector.storage.store import Behind, Decoded, Written
from collector.storage.turn import Turn

logger = logging.getLogger(__name__)

PIECE = 400
"""Records that are read at a time: some milliseconds. They are decoded partition by partition, since whoever stores
comes first."""
WAIT = 0.1
QUIET = 1.0
"""Seconds after which it is asked whether topics of which nothing is read are still those that were assigned."""
RETRY = 0.5
PATIENCE = 5.0
"""Seconds that polling may wait for a batch to be stored; if that takes longer, what was read since is read again."""
CLOSING = 10.0
REMIND = timedelta(seconds=30)
"""How often it is said again that the database is waited for."""


class Replaced(Exception):
    """Topics, by name, that were deleted and made anew since their positions were looked up."""


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
        writer: str,
        config: Callable[[], Config],
        publisher: Publisher,
        schemas: Schemas | None = None,
    ) -> None:
        self._source, self._cluster, self._cluster_id = source, cluster, cluster_id
        self._writer, self._config, self._publisher = writer, config, publisher
        self._locating = Locating(partial(progress.locate, cluster, cluster_id))
        self._storing = ThreadPoolExecutor(1, "store")
        self._ahead = Ahead(Reader(lambda: config().policy, schemas).read)
        self._underway: tuple[list[Span], Future[Written]] | None = None
        self._retry_at = 0.0
        self._handed_over_at = 0.0
        self._reminded_at: float | None = None
        self._meter = Meter()
        self._memory = Memory()
        self._turn = Turn()

    def run(self, stopping: Callable[[], bool]) -> None:
        """Works until `stopping` says so; a batch that has begun is finished. Raises `faults.Incurable`."""
        while not stopping():
            self.step()

    def close(self) -> None:
        """Waits for the batch that is underway, as long as that is sensible."""
        if self._underway is not None:
            wait([self._underway[1]], CLOSING)
        with contextlib.suppress(faults.Incurable):
            self._settle(patience=0)
        if self._underway is None:
            self._storing.submit(_hang_up).result()
        self._storing.shutdown(wait=self._underway is None)

    def step(self) -> None:
        """One turn: reads a batch while the one before is being stored, and hands it over."""
        away = time.monotonic() < self._retry_at
        if not away:
            self._begin()
        self._turn.wait(WAIT)
        for span in self._source.poll(min(PIECE, self._ahead.room), WAIT):
            self._turn.wait(WAIT)
            self._ahead.add([span])
        self._source.rest(self._ahead.align(self._source.remaining))
        if (self._ahead.is_full or self._idle) and self._settle() and not away:
            self._locate()
            self._hand_over()

    @property
    def _idle(self) -> bool:
        return self._underway is None or self._underway[1].done()

    def _hand_over(self) -> None:
        """Has stored what was read ahead; or, where nothing was for a while, has asked whether topics are still those
        that were assigned."""
        topics = self._source.topics | self._ahead.topics
        spans, decoded = self._ahead.take()
        if spans or self._quiet_for(QUIET):
            self._underway = spans, self._storing.submit(self._store, topics, spans, decoded)
            self._handed_over_at = time.monotonic()

    def _locate(self) -> None:
        """Has asked where to read the partitions that stand still; all that was read of them before has been stored."""
        if self._source.unlocated and not self._locating.asking:
            self._ahead.forget(self._source.unlocated)
            self._locating.ask(self._source.unlocated, self._source.truncated)

    def _begin(self) -> None:
        """Begins to read where the answer says; what is no longer asked for is left alone."""
        try:
            found = self._locating.answer() or {}
        except KafkaFailure as failure:
            logger.warning("the brokers do not say where partitions begin and end; asking again: %s", failure)
        except Error as error:
            self._away(error)
        else:
            self._source.start({place: at for place, at in found.items() if place in self._source.unlocated})

    def _quiet_for(self, seconds: float) -> bool:
        """Nothing was read for so long: time to ask whether topics are still those that were assigned."""
        return bool(self._source.positions) and time.monotonic() - self._handed_over_at > seconds

    def _store(self, topics: Mapping[str, TopicRef], spans: list[Span], decoded: list[Decoded]) -> Written:
        """Runs in the storing thread. What was read by the name of a topic is stored as that topic's only if its id,
        asked for after the reading, is still the same: it may have been deleted and made anew under that name."""
        try:
            uids = self._cluster.topic_ids(self._cluster_id, sorted(topics))
        except KafkaFailure:
            if spans:
                raise
            uids = {}
        if replaced := sorted(name for name, topic in topics.items() if uids.get(name, topic.uid) != topic.uid):
            raise Replaced(", ".join(replaced))
        if not spans:
            return Written()
        began = time.monotonic()
        with self._turn.taken():
            written = isolation.write(spans, decoded, registered(self._config().rulebook), self._writer, self._memory)
        took = time.monotonic() - began
        batch = self._meter.stored(spans, written, took, timezone.now())
        done = fields(batch=batch, partitions=len(spans), records=len(decoded), events=written.events)
        logger.debug("stored a batch in %.3f s", took, extra=done)
        if written.changed:
            self._publisher.tell(written.changed, written.alerts)
        return written

    def _settle(self, patience: float = PATIENCE) -> bool:
        """Waits for the batch underway; False where it was not stored, so that what was read since is void as well."""
        if self._underway is None:
            return True
        spans, future = self._underway
        if not wait([future], patience).done:
            self._hold()
            return False
        self._underway = None
        try:
            future.result()
        except (Behind, Replaced, KafkaFailure) as reason:
            logger.info("reading again from where progress stands: %s", reason)
            self._meter.read_again()
            self._hold()
            return False
        except Error as error:
            self._away(error)
            return False
        self._back()
        self._source.commit(spans)
        return True

    def _hold(self) -> None:
        """Gives up what was read since the last batch that was stored; all of it is located anew."""
        self._ahead.clear()
        self._source.hold(self._source.positions)

    def _away(self, error: Error) -> None:
        """Holds everything, to be located anew; raises `Incurable` where waiting does not help."""
        self._meter.failed()
        now = time.monotonic()
        self._storing.submit(_hang_up)
        self._hold()
        if sentence := faults.explain(error):
            raise faults.Incurable(sentence) from error
        if self._reminded_at is None or now - self._reminded_at > REMIND.total_seconds():
            logger.warning("reading waits for the database: %s", str(error).strip())
            self._reminded_at = now
        self._retry_at = now + RETRY

    def _back(self) -> None:
        if self._reminded_at is not None:
            logger.warning("the database is back; reading goes on")
            self._reminded_at = None

    def counts(self) -> Counts:
        """What this collector has counted so far; from whichever thread."""
        return msgspec.structs.replace(self._meter.read(), rebalances=self._source.rebalances)


def _hang_up() -> None:
    """Closes the calling thread's connection to the database; the next query makes a new one."""
    connection.close()
