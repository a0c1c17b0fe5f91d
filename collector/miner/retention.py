"""What was counted of times of which nothing is stored any more: removed, and taken out of the sums of all times.

So what is told of all times is what is told of all the days that are kept, and what nobody has done for as long fades
from the maps. Whatever else changes meanwhile, a sum of all times stays the sum of its days: each step takes from both.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from collector.miner.rows import add, alone, settle_those, summed
from collector.mining.contribution import ALWAYS, DAY, HOUR, hour_of
from collector.mining.counts import Counts, Figure
from collector.queries.bounds import rows
from collector.storage.sql import array, binary_cursor

BUCKETS = 1_000
CHUNK = 2_000
"""Sums that are removed in one go."""

_KINDS = ("case", "node", "start", "end", "edge", "variant", "causal")
_PAST = f"""
SELECT choreography, hours, bucket FROM (
    SELECT DISTINCT choreography, hours, bucket FROM collector_minedcount
    WHERE hours > {ALWAYS} AND kind = 'case' AND bucket + hours <= %(before)s
) AS c WHERE NOT EXISTS (
    SELECT FROM collector_transaction t WHERE t.choreography = c.choreography
    AND t.started_at >= to_timestamp(c.bucket * 3600::bigint)
    AND t.started_at < to_timestamp((c.bucket + c.hours) * 3600::bigint))
ORDER BY bucket, hours, choreography LIMIT {BUCKETS}
"""
_REMOVE = f"""
DELETE FROM collector_minedsum WHERE id = ANY (ARRAY(
    SELECT id FROM collector_minedsum
    WHERE choreography = %s AND hours = %s AND bucket = %s AND kind = ANY(%s::text[]) LIMIT {CHUNK}))
RETURNING choreography, kind, hours, bucket, status, source, target, count, total::text, durations
"""


# what is told of its hours counts for a day as well
_OF_IT = f"choreography = %s AND hours IN ({HOUR}, %s) AND bucket >= %s AND bucket < %s"


def forget(before: datetime) -> int:
    """Removes hours and days that were over `before` then, if no transaction that began in them is stored: one of long
    ago may have come lately. Returns how many rows that were."""
    return sum(_forget(*bucket) for bucket in rows(_PAST, {"before": hour_of(before)}))


def _forget(choreography: str, hours: int, bucket: int) -> int:
    removed = 0
    those: list[str | int] = [choreography, hours, bucket]
    while True:
        with transaction.atomic(), binary_cursor() as cursor:
            alone(cursor)
            if settle_those(cursor, _OF_IT, [*those, bucket + hours]):
                continue
            cursor.execute(_REMOVE, [*those, array(_KINDS)])
            found = cursor.fetchall()
            add(cursor, _less(summed(found)))
        removed += len(found)
        if len(found) < CHUNK:
            return removed


def _less(removed: Counts) -> Counts:
    """What is to be added to the sums of all times: they are those of days."""
    less = Counts()
    for key, figure in removed.items():
        if key.hours != DAY:
            continue
        always = key._replace(hours=ALWAYS, bucket=0)
        gone = {index: -n for index, n in figure.durations.items()}
        less.setdefault(always, Figure()).add(Figure(-figure.count, -figure.total, gone))
    return less
