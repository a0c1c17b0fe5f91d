"""Any range of time as it was: what flowed, and what became of transactions. Read from counts: of ten seconds for two
days, by the hour for as long as transactions are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from collector.correlation.buckets import merged, quantile
from collector.models import Phase
from collector.queries.bounds import MOST, Bounded, rows
from collector.queries.flows import MOST_EDGES, FlowMap, edge_of, map_of
from collector.queries.overview import BUCKET, Slot, floor, slot_of

HOUR = timedelta(hours=1)
FINE = timedelta(hours=47)
"""So far back there are counts of ten seconds: an hour less than they are kept, so that no hour is half gone."""
_FINE_SLOTS = [timedelta(seconds=seconds) for seconds in (10, 30, 60, 120, 300, 600)]
_HOURLY_SLOTS = [HOUR * hours for hours in (1, 3, 6, 12, 24, 72, 168)]
_MOST_SLOTS = 72
_ENDED = (Phase.COMPLETED, Phase.COMPENSATED, Phase.FAILED, Phase.ABANDONED)


@dataclass(frozen=True)
class Span:
    """From `since` up to before `until`. The whole hours from `first` up to before `last` are read as such.

    `begun`: since when anything is counted at all, None where nothing is.
    """

    since: datetime
    first: datetime
    last: datetime
    until: datetime
    begun: datetime | None

    @property
    def seconds(self) -> float:
        """Of the range, less what lies before anything was counted."""
        begun = max(self.since, self.begun) if self.begun else self.since
        return max((self.until - begun).total_seconds(), BUCKET.total_seconds())

    @property
    def parameters(self) -> dict[str, Any]:
        return {"since": self.since, "first": self.first, "last": self.last, "until": self.until}


@dataclass(frozen=True)
class Past:
    """What was so within a span; `in_flight` at its end. Durations are in seconds, of those completed within it."""

    seconds: float
    in_flight: int
    started: int
    completed: int
    undone: int
    became_stuck: int
    p50: float | None
    p95: float | None
    events: int
    undecodable: Bounded
    slots: tuple[Slot, ...]
    slot: timedelta

    @property
    def undone_share(self) -> float | None:
        """Compensated or failed as a share of those that ended."""
        ended = self.completed + self.undone
        return self.undone / ended if ended else None

    def rate(self, count: int) -> float:
        return count / self.seconds


_COUNTED = """
SELECT greatest((SELECT max(bucket) FROM collector_flowhour), (SELECT max(bucket) FROM collector_outcomehour))
           + interval '1 hour',
       least((SELECT min(bucket) FROM collector_flow), (SELECT min(bucket) FROM collector_flowhour))
"""


def _pieces(table: str, columns: str) -> str:
    return f"""(
SELECT {columns} FROM collector_{table} WHERE bucket >= %(since)s AND bucket < %(first)s
UNION ALL SELECT {columns} FROM collector_{table}hour WHERE bucket >= %(first)s AND bucket < %(last)s
UNION ALL SELECT {columns} FROM collector_{table} WHERE bucket >= %(last)s AND bucket < %(until)s) AS pieces"""


_KEYS = "choreography, source_type, source_service, target_type, target_service"
_FLOWS = f"""
SELECT {_KEYS}, min(topic), sum(count)::bigint AS total, min(bucket), max(bucket), jsonb_agg(durations)::text
FROM {_pieces("flow", f"bucket, {_KEYS}, topic, count, durations")}
GROUP BY 1, 2, 3, 4, 5 ORDER BY total DESC LIMIT {MOST_EDGES}
"""
_OUTCOMES = f"""
SELECT date_bin(%(slot)s, bucket, %(origin)s), outcome, sum(count)::bigint,
       jsonb_agg(durations) FILTER (WHERE outcome = 'completed')::text
FROM {_pieces("outcome", "bucket, outcome, count, durations")} GROUP BY 1, 2
"""
# How many are in flight is known of now: those that began since the end are taken off, those that ended are added.
_IN_FLIGHT = f"""
SELECT (SELECT coalesce(sum(count), 0)::bigint FROM collector_waiting WHERE rule = '')
     + coalesce(sum(CASE WHEN outcome = 'started' THEN -count WHEN outcome = ANY(%(ended)s) THEN count END), 0)::bigint
FROM {_pieces("outcome", "outcome, count")}
"""
_EVENTS = f"""
SELECT (SELECT coalesce(sum(count), 0)::bigint FROM {_pieces("flow", "count, source_type, source_service")}
        WHERE source_type = '' AND source_service = ''),
       (SELECT count(*) FROM (SELECT 1 FROM collector_undecodable WHERE day BETWEEN %(day)s AND %(last_day)s
                              AND received_at >= %(since)s AND received_at < %(until)s LIMIT {MOST + 1}) AS bounded)
"""


def span(since: datetime, until: datetime, now: datetime) -> Span:
    """The least range that can be told of and holds this one; nothing in the future. One query."""
    summed, begun = rows(_COUNTED)[0]
    since = floor(min(since, now), BUCKET if since > now - FINE else HOUR)
    until = floor(max(min(until, now), since + BUCKET) + BUCKET - timedelta(microseconds=1), BUCKET)
    if until <= now - FINE:
        until = floor(until + HOUR - BUCKET, HOUR)
    return _span(since, until, summed, begun)


def _span(since: datetime, until: datetime, summed: datetime | None, begun: datetime | None) -> Span:
    first = floor(since + HOUR - BUCKET, HOUR)
    last = min(floor(until, HOUR), summed) if summed else first
    return Span(since, first, last, until, begun) if first < last else Span(since, until, until, until, begun)


def flow_map_of(within: Span) -> FlowMap:
    """What flowed within the span. One query."""
    edges = [edge_of(row) for row in rows(_FLOWS, within.parameters)]
    return map_of(edges, within.until, within.seconds)


def past(within: Span, now: datetime) -> Past:
    """Three queries."""
    slot = _slot(within, now)
    origin = floor(within.since, slot)
    counts: dict[datetime, dict[str, int]] = {}
    totals: Counter[str] = Counter()
    durations: Counter[int] = Counter()
    for at, outcome, count, took in rows(_OUTCOMES, within.parameters | {"slot": slot, "origin": origin}):
        counts.setdefault(at, {})[outcome] = count
        totals[outcome] += count
        durations.update(merged(took))
    days = {"day": within.since.date(), "last_day": within.until.date()}
    events, undecodable = rows(_EVENTS, within.parameters | days)[0]
    return Past(
        seconds=within.seconds,
        in_flight=_in_flight(within, now),
        started=totals["started"],
        completed=totals[Phase.COMPLETED],
        undone=totals[Phase.FAILED] + totals[Phase.COMPENSATED],
        became_stuck=totals["stuck"],
        p50=quantile(durations, 0.5),
        p95=quantile(durations, 0.95),
        events=events,
        undecodable=Bounded.of(undecodable),
        slots=tuple(slot_of(at, counts.get(at, {})) for at in _moments(origin, within.until, slot)),
        slot=slot,
    )


def _in_flight(within: Span, now: datetime) -> int:
    summed = within.last if within.first < within.last else None
    after = span(within.until, now, now) if within.until < now else _span(within.until, within.until, summed, None)
    count: int = rows(_IN_FLIGHT, after.parameters | {"ended": list(_ENDED)})[0][0]
    return max(0, count)


def _slot(within: Span, now: datetime) -> timedelta:
    """Fine where the whole range is counted so and is not too long; else whole hours."""
    length = within.until - within.since
    fine = within.since > now - FINE and length <= _FINE_SLOTS[-1] * _MOST_SLOTS
    lengths: Iterable[timedelta] = _FINE_SLOTS if fine else _HOURLY_SLOTS
    return next((slot for slot in lengths if length <= slot * _MOST_SLOTS), _HOURLY_SLOTS[-1])


def _moments(origin: datetime, until: datetime, slot: timedelta) -> Iterable[datetime]:
    at = origin
    while at < until:
        yield at
        at += slot
