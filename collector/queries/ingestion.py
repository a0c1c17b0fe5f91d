"""How far each partition was read, and what could not be read or correlated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import models

from collector.models import Gap, Heartbeat, Progress, Topic, Uncorrelated, Undecodable
from collector.queries.bounds import MOST, Bounded, decode_cursor, encode_cursor, rows
from collector.queries.filters import BadParameter

MOST_PARTITIONS = 2_000
_MOST_GAPS = 100
COUNTED = timedelta(days=1)
"""How far back undecodable records and uncorrelated events are counted."""

_COUNTS = f"""
SELECT (SELECT count(*) FROM (SELECT 1 FROM collector_undecodable
                              WHERE day >= %(day)s AND received_at > %(since)s LIMIT {MOST + 1}) AS some),
       (SELECT count(*) FROM (SELECT 1 FROM collector_uncorrelated
                              WHERE day >= %(day)s AND received_at > %(since)s LIMIT {MOST + 1}) AS some)
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
class Keyset[T]:
    items: list[T]
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


def undecodable(cursor: str = "", limit: int = 50) -> Keyset[Undecodable]:
    """The newest records that no dialect could read. One query."""
    return _newest(Undecodable.objects.defer("raw").select_related("topic"), cursor, limit)


def uncorrelated(cursor: str = "", limit: int = 50) -> Keyset[Uncorrelated]:
    """The newest events without a transaction id. One query."""
    return _newest(Uncorrelated.objects.select_related("topic"), cursor, limit)


def _newest(found: models.QuerySet[Row], cursor: str, limit: int) -> Keyset[Row]:
    """Ordered by (received_at, topic, partition, offset), newest first."""
    if cursor:
        try:
            moment, (topic, partition, offset) = decode_cursor(cursor, keys=3)
        except (ValueError, OverflowError):
            raise BadParameter("'cursor' was not given out by this list; leave it away to begin anew.") from None
        found = found.filter(received_at__lte=moment).extra(
            where=['(received_at, {0}.topic_id, {0}.partition, {0}."offset") < (%s, %s, %s, %s)'.format(_table(found))],
            params=[moment, topic, partition, offset],
        )
    items = list(found.order_by("-received_at", "-topic_id", "-partition", "-offset")[: limit + 1])
    if len(items) <= limit:
        return Keyset(items, None)
    last: Any = items[limit - 1]
    return Keyset(items[:limit], encode_cursor(last.received_at, last.topic_id, last.partition, last.offset))


def _table(found: models.QuerySet[Any]) -> str:
    return found.model._meta.db_table
