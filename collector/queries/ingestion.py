"""How far each partition was read, and what could not be read or correlated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from django.db import models

from collector.health.liveness import Beat, Liveness, liveness
from collector.models import Gap, Heartbeat, Topic, Uncorrelated, Undecodable
from collector.queries.bounds import MOST, Bounded, rows
from collector.queries.keysets import keyset
from collector.queries.readiness import COLLECTOR, collectors, readings

MOST_PARTITIONS = 2_000
_MOST_GAPS = 100
COUNTED = timedelta(days=1)
"""How far back undecodable records and uncorrelated events are counted."""

_COUNTS = f"""
SELECT (SELECT count(*) FROM (SELECT 1 FROM collector_undecodable
                              WHERE day >= %(day)s AND received_at > %(since)s LIMIT {MOST + 1}) AS bounded),
       (SELECT count(*) FROM (SELECT 1 FROM collector_uncorrelated
                              WHERE day >= %(day)s AND received_at > %(since)s LIMIT {MOST + 1}) AS bounded)
"""

# A partition that nobody has begun to read has an end, and no progress.
_PARTITIONS = """
SELECT topic_id, partition, p.next_offset, e.end_offset, e.stable_offset, p.last_record_at, e.unreadable_since
FROM collector_progress p FULL JOIN collector_end e USING (topic_id, partition)
WHERE topic_id = ANY(%(topics)s) ORDER BY array_position(%(topics)s, topic_id), partition LIMIT %(most)s
"""

Row = TypeVar("Row", Undecodable, Uncorrelated)


@dataclass(frozen=True)
class Partition:
    """How far a partition was read: up to before `next_offset`; None where nothing of it was read yet.

    `end_offset` is its end when the brokers were last asked, None where they have not said it.
    """

    topic: Topic
    number: int
    next_offset: int | None
    end_offset: int | None
    stable_offset: int | None
    last_record_at: datetime | None
    unreadable_since: datetime | None

    @property
    def end(self) -> int | None:
        """The end at the last look, or what has been read beyond it since."""
        return None if self.end_offset is None else max(self.end_offset, self.next_offset or 0)

    @property
    def lag(self) -> int | None:
        """Offsets not read yet; None where the end or the place read to is not known."""
        return None if self.end is None or self.next_offset is None else self.end - self.next_offset

    @property
    def held(self) -> bool:
        """Whether what was not read yet stands behind an open producer transaction."""
        return bool(self.lag) and self.stable_offset is not None and self.stable_offset <= (self.next_offset or 0)


@dataclass(frozen=True)
class Collector:
    """A collector by its last sign of life; its rate is that of the second before."""

    beat: Beat
    alive: bool
    partitions: int
    events_per_second: float


@dataclass(frozen=True)
class Ingestion:
    """Topics by name, partitions by topic and number; counts are of the last day."""

    topics: list[Topic]
    partitions: list[Partition]
    gaps: list[Gap]
    collectors: list[Collector]
    liveness: Liveness
    undecodable: Bounded
    uncorrelated: Bounded

    @property
    def events_per_second(self) -> float:
        return sum(collector.events_per_second for collector in self.collectors if collector.alive)


@dataclass(frozen=True)
class Keyset(Generic[Row]):
    items: list[Row]
    next: str | None


def ingestion(now: datetime) -> Ingestion:
    """Six queries."""
    since = now - COUNTED
    undecodable_count, uncorrelated_count = rows(_COUNTS, {"day": since.date(), "since": since})[0]
    topics = list(Topic.objects.filter(vanished_at=None).order_by("name")[:MOST_PARTITIONS])
    beats = list(Heartbeat.objects.filter(name__startswith=COLLECTOR).order_by("name"))
    return Ingestion(
        topics=topics,
        partitions=_partitions({topic.id: topic for topic in topics}),
        gaps=list(Gap.objects.select_related("topic").order_by("-noticed_at", "-id")[:_MOST_GAPS]),
        collectors=[_collector(beat, now) for beat in beats],
        liveness=liveness(collectors(beats), readings(), now),
        undecodable=Bounded.of(undecodable_count),
        uncorrelated=Bounded.of(uncorrelated_count),
    )


def _partitions(topics: Mapping[int, Topic]) -> list[Partition]:
    found = rows(_PARTITIONS, {"topics": list(topics), "most": MOST_PARTITIONS})
    return [Partition(topics[topic], *row) for topic, *row in found]


def _collector(heartbeat: Heartbeat, now: datetime) -> Collector:
    beat = collectors([heartbeat])[0]
    detail = heartbeat.detail
    return Collector(beat, beat.alive(now), detail.get("partitions", 0), detail.get("events_per_second", 0.0))


def undecodable(cursor: str = "", limit: int = 50) -> Keyset[Undecodable]:
    """The newest records that no dialect could read. One query."""
    return _newest(Undecodable.objects.defer("raw").select_related("topic"), cursor, limit)


def uncorrelated(cursor: str = "", limit: int = 50) -> Keyset[Uncorrelated]:
    """The newest events without a transaction id. One query."""
    return _newest(Uncorrelated.objects.select_related("topic"), cursor, limit, "position")


def _newest(found: models.QuerySet[Row], cursor: str, limit: int, *within: str) -> Keyset[Row]:
    """Ordered by (received_at, topic, partition, offset), newest first; and by what else makes a row unique."""
    order = ("received_at", "topic_id", "partition", "offset", *within)
    return Keyset(*keyset(found, order, cursor, limit))
