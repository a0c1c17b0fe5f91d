"""How far each partition was read, and what could not be read or correlated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from django.db import models

from collector.models import Gap, Heartbeat, Progress, Topic, Uncorrelated, Undecodable
from collector.queries.bounds import MOST, Bounded, rows
from collector.queries.keysets import keyset

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

Row = TypeVar("Row", Undecodable, Uncorrelated)


@dataclass(frozen=True)
class Ingestion:
    """Partitions by topic name and number; counts are of the last day."""

    topics: list[Topic]
    partitions: list[Progress]
    gaps: list[Gap]
    collectors: list[Heartbeat]
    undecodable: Bounded
    uncorrelated: Bounded


@dataclass(frozen=True)
class Keyset(Generic[Row]):
    items: list[Row]
    next: str | None


def ingestion(now: datetime) -> Ingestion:
    """Five queries."""
    since = now - COUNTED
    undecodable_count, uncorrelated_count = rows(_COUNTS, {"day": since.date(), "since": since})[0]
    return Ingestion(
        topics=list(Topic.objects.filter(vanished_at=None).order_by("name")[:MOST_PARTITIONS]),
        partitions=list(
            Progress.objects.select_related("topic")
            .filter(topic__vanished_at=None)
            .order_by("topic__name", "topic_id", "partition")[:MOST_PARTITIONS]
        ),
        gaps=list(Gap.objects.select_related("topic").order_by("-noticed_at", "-id")[:_MOST_GAPS]),
        collectors=list(Heartbeat.objects.filter(name__startswith="collector:").order_by("name")),
        undecodable=Bounded.of(undecodable_count),
        uncorrelated=Bounded.of(uncorrelated_count),
    )


def lag(progress: Progress) -> int | None:
    """Records not read yet; None where the end is not known."""
    return None if progress.end_offset is None else max(0, progress.end_offset - progress.next_offset)


def undecodable(cursor: str = "", limit: int = 50) -> Keyset[Undecodable]:
    """The newest records that no dialect could read. One query."""
    return _newest(Undecodable.objects.defer("raw").select_related("topic"), cursor, limit)


def uncorrelated(cursor: str = "", limit: int = 50) -> Keyset[Uncorrelated]:
    """The newest events without a transaction id. One query."""
    return _newest(Uncorrelated.objects.select_related("topic"), cursor, limit)


def _newest(found: models.QuerySet[Row], cursor: str, limit: int) -> Keyset[Row]:
    """Ordered by (received_at, topic, partition, offset), newest first."""
    order = ("received_at", "topic_id", "partition", "offset")
    return Keyset(*keyset(found, order, cursor, limit))
