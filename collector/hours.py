"""Flows and outcomes, summed up by the hour once an hour is certainly over: kept for as long as transactions are."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection, transaction

HOUR = timedelta(hours=1)
_CERTAINLY_OVER = timedelta(minutes=10)
"""Far longer than a batch takes to be written after the moment that it is counted at."""

_FLOW_KEY = "choreography, source_type, source_service, target_type, target_service, topic"
_OUTCOME_KEY = "choreography, outcome"

# Counts and durations are summed apart: a row has many durations, or none.
_SUM = """
INSERT INTO collector_{table}hour (bucket, {key}, count, durations)
WITH part AS (SELECT {key}, count, durations FROM collector_{table} WHERE bucket >= %(hour)s AND bucket < %(end)s),
     timed AS (SELECT {key}, jsonb_object_agg(took, n) AS durations
               FROM (SELECT {key}, entry.key AS took, sum(entry.value::bigint) AS n
                     FROM part, jsonb_each_text(durations) AS entry GROUP BY {key}, took) AS summed GROUP BY {key})
SELECT %(hour)s, {key}, total, coalesce(timed.durations, '{{}}')
FROM (SELECT {key}, sum(count) AS total FROM part GROUP BY {key}) AS counted LEFT JOIN timed USING ({key})
ON CONFLICT DO NOTHING
"""
_STATEMENTS = (_SUM.format(table="flow", key=_FLOW_KEY), _SUM.format(table="outcome", key=_OUTCOME_KEY))

# The first hour that holds anything after the last one that was summed up.
_NEXT = """
WITH done AS (
    SELECT coalesce(greatest((SELECT max(bucket) FROM collector_flowhour),
                             (SELECT max(bucket) FROM collector_outcomehour)) + interval '1 hour', '-infinity') AS at
), undone AS (
    SELECT least((SELECT min(bucket) FROM collector_flow WHERE bucket >= (SELECT at FROM done)),
                 (SELECT min(bucket) FROM collector_outcome WHERE bucket >= (SELECT at FROM done))) AS at
)
SELECT date_trunc('hour', at, 'UTC') FROM undone
"""


def sum_hours(now: datetime) -> int:
    """Sums up the hours that are over and have not been summed up yet, a transaction for each; returns how many. Two
    that do it at the same time come to the same."""
    count = 0
    while (hour := _next()) is not None and hour + HOUR + _CERTAINLY_OVER <= now:
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in _STATEMENTS:
                cursor.execute(statement, {"hour": hour, "end": hour + HOUR})
        count += 1
    return count


def _next() -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT)
        found: datetime | None = (cursor.fetchone() or (None,))[0]
        return found
