"""The statements that add what was counted to the live statistics: flows, outcomes, clocks that are off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from django.db.backends.utils import CursorWrapper

from collector.storage.sql import Statement, arrays, run, text
from collector.storage.tally import Tally

_ADDED_DURATIONS = """(
    SELECT coalesce(jsonb_object_agg(key, n), '{}') FROM (
        SELECT key, sum(value::bigint) AS n FROM (
            SELECT * FROM jsonb_each_text(f.durations) UNION ALL SELECT * FROM jsonb_each_text(EXCLUDED.durations)
        ) AS both_of_them GROUP BY key
    ) AS summed)"""
_FLOWS = f"""
INSERT INTO collector_flow AS f (bucket, writer, choreography, source_type, source_service, target_type,
    target_service, topic, count, durations)
SELECT bucket, %s, choreography, source_type, source_service, target_type, target_service, topic, count,
    durations::jsonb
FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int[],
    %s::text[]) AS v(bucket, choreography, source_type, source_service, target_type, target_service, topic, count,
    durations)
ON CONFLICT (bucket, writer, choreography, source_type, source_service, target_type, target_service, topic)
DO UPDATE SET count = f.count + EXCLUDED.count, durations = {_ADDED_DURATIONS}
"""
_MICROSECOND = timedelta(microseconds=1)
_CLOCKS = """
INSERT INTO collector_clock AS c (day, at, service, ahead, behind, count)
SELECT %s::date, %s::timestamptz, v.service, v.ahead * interval '1 microsecond',
    v.behind * interval '1 microsecond', v.n
FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[]) AS v(service, ahead, behind, n)
ON CONFLICT (day, service) DO UPDATE SET ahead = greatest(c.ahead, EXCLUDED.ahead),
    behind = greatest(c.behind, EXCLUDED.behind), count = c.count + EXCLUDED.count, at = EXCLUDED.at
"""
_OUTCOMES = f"""
INSERT INTO collector_outcome AS f (bucket, writer, choreography, outcome, count, durations)
SELECT bucket, %s, choreography, outcome, count, durations::jsonb
FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::int[], %s::text[])
    AS v(bucket, choreography, outcome, count, durations)
ON CONFLICT (bucket, writer, choreography, outcome)
DO UPDATE SET count = f.count + EXCLUDED.count, durations = {_ADDED_DURATIONS}
"""


def save(cursor: CursorWrapper, tally: Tally, writer: str) -> None:
    """Adds what was counted to the live statistics."""
    run(cursor, statements(tally, writer))


def statements(tally: Tally, writer: str) -> Iterator[Statement]:
    """What `save` executes; in key order so that writers of one name cannot deadlock."""
    if flows := tally.flows:
        rows = [(tally.bucket, *key, *_counted(counts)) for key, counts in sorted(flows.items())]
        yield _FLOWS, [writer, *arrays(rows)]
    if outcomes := tally.outcomes:
        ended = [(tally.bucket, *key, *_counted(counts)) for key, counts in sorted(outcomes.items())]
        yield _OUTCOMES, [writer, *arrays(ended)]
    if tally.clocks:
        off = [
            (service, clock.ahead // _MICROSECOND, clock.behind // _MICROSECOND, clock.events)
            for service, clock in sorted(tally.clocks.items())
        ]
        yield _CLOCKS, [tally.bucket.date(), tally.bucket, *arrays(off)]


def _counted(counts: Mapping[int, int]) -> tuple[int, str]:
    durations = {str(index): count for index, count in counts.items() if index != Tally.UNTIMED}
    return sum(counts.values()), text(durations)
