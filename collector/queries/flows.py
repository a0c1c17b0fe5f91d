"""Which event led to which lately, and who is being waited for: what the live map is drawn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from collector.correlation.buckets import quantile
from collector.queries.bounds import MOST, Bounded, rows

WINDOW = timedelta(minutes=5)
REMEMBERED = timedelta(hours=1)
"""How long an edge stays on the map that nothing goes over any more."""
_BUCKET = timedelta(seconds=10)
MOST_EDGES = 2_000


@dataclass(frozen=True)
class FlowEdge:
    """How often an event of a service led to one of another within the window; 0 for one that is only remembered.

    Without a source: how often the event came at all. `p50` and `p95` are seconds, None where none is known.
    """

    choreography: str
    source_type: str
    source_service: str
    target_type: str
    target_service: str
    topic: str
    count: int
    last_at: datetime
    p50: float | None = None
    p95: float | None = None

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        return (self.choreography, self.source_type, self.source_service, self.target_type, self.target_service)


@dataclass(frozen=True)
class FlowMap:
    """What flowed within the last `seconds` (the window, or less where recording began within it).

    `edges` lead from event to event; `events` have no source and count every event once.
    """

    at: datetime
    seconds: float
    edges: tuple[FlowEdge, ...]
    events: tuple[FlowEdge, ...]

    @property
    def choreographies(self) -> list[str]:
        return sorted({edge.choreography for edge in self.events})

    def last_heard(self, service: str) -> datetime | None:
        """When an event of the service last arrived, to ten seconds; None: it is not remembered."""
        return max((edge.last_at for edge in self.events if edge.target_service == service), default=None)

    def between(self, after: tuple[str, ...], expect: tuple[str, ...]) -> FlowEdge | None:
        """The most frequent edge from one of the types `after` to one of `expect`."""
        fitting = (edge for edge in self.edges if edge.source_type in after and edge.target_type in expect)
        return max(fitting, key=lambda edge: edge.count, default=None)


@dataclass(frozen=True)
class WaitingStep:
    """How many pending responses there are at a rule now, and how many of them are overdue."""

    choreography: str
    rule: str
    after: str
    awaited: str
    service: str
    count: int
    overdue: Bounded


_EDGES = f"""
SELECT choreography, source_type, source_service, target_type, target_service, min(topic),
       sum(count)::bigint AS total, min(bucket), max(bucket), jsonb_agg(durations)::text
FROM collector_flow WHERE bucket > %(since)s
GROUP BY 1, 2, 3, 4, 5 ORDER BY total DESC LIMIT {MOST_EDGES}
"""

_REMEMBERED = f"""
SELECT choreography, source_type, source_service, target_type, target_service, min(topic), max(bucket)
FROM collector_flow WHERE bucket > %(since)s
GROUP BY 1, 2, 3, 4, 5 ORDER BY sum(count) DESC LIMIT {MOST_EDGES}
"""

# Overdue ones are counted for each waiting step and only so far, so that a million stuck ones cost no page its second.
_WAITING = f"""
SELECT choreography, rule, after, awaited, service, waiting,
       (SELECT count(*) FROM (SELECT 1 FROM collector_overdue o
                              WHERE o.choreography = w.choreography AND o.awaited = w.awaited AND o.service = w.service
                              LIMIT {MOST + 1}) AS bounded)
FROM (SELECT choreography, rule, after, awaited, service, sum(count)::bigint AS waiting
      FROM collector_waiting WHERE rule <> '' GROUP BY 1, 2, 3, 4, 5 HAVING sum(count) > 0
      ORDER BY 6 DESC LIMIT {MOST_EDGES}) AS w
ORDER BY 1, 2
"""


def flow_map(now: datetime, remembered: Iterable[FlowEdge] = ()) -> FlowMap:
    """One query. `remembered`: edges that stay on the map though nothing went over them within the window."""
    found = rows(_EDGES, {"since": now - WINDOW})
    first = min((row[7] for row in found), default=now)
    seconds = max((now - max(first, now - WINDOW)).total_seconds(), _BUCKET.total_seconds())
    return map_of([*remembered, *(edge_of(row, now) for row in found)], now, seconds)


def map_of(edges: Iterable[FlowEdge], at: datetime, seconds: float) -> FlowMap:
    """In an order that depends on names alone; of an edge that comes twice, the latter counts."""
    by_key = {edge.key: edge for edge in edges}
    ordered = [by_key[key] for key in sorted(by_key)]
    return FlowMap(
        at=at,
        seconds=seconds,
        edges=tuple(edge for edge in ordered if edge.source_type),
        events=tuple(edge for edge in ordered if not edge.source_type),
    )


def remembered(now: datetime) -> tuple[FlowEdge, ...]:
    """The edges of the last hour, their counts left out. One query, which reads much: for once a minute."""
    found = rows(_REMEMBERED, {"since": now - REMEMBERED})
    return tuple(FlowEdge(**_named(row), count=0, last_at=min(row[6] + _BUCKET, now)) for row in found)


def edge_of(row: tuple[Any, ...], now: datetime) -> FlowEdge:
    """From (names …, topic, count, first bucket, last bucket, durations as JSON)."""
    count, _, last_at, merged = row[6:]
    durations: Counter[int] = Counter()
    for counts in msgspec.json.decode(merged, type=list[dict[int, int]]):
        for bucket, number in counts.items():
            durations[bucket] += number
    p50, p95 = quantile(durations, 0.5), quantile(durations, 0.95)
    return FlowEdge(**_named(row), count=count, last_at=min(last_at + _BUCKET, now), p50=p50, p95=p95)


def _named(row: tuple[Any, ...]) -> dict[str, Any]:
    names = ("choreography", "source_type", "source_service", "target_type", "target_service", "topic")
    return dict(zip(names, row, strict=False))


def waiting() -> list[WaitingStep]:
    """One query."""
    return [
        WaitingStep(choreography, rule, after, awaited, service, count, Bounded.of(overdue))
        for choreography, rule, after, awaited, service, count, overdue in rows(_WAITING)
    ]
