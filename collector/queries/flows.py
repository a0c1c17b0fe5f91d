"""Which event led to which lately, and who is being waited for: what the live map is drawn from."""

from __future__ import annotations

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
_MOST_EDGES = 2_000


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


# Summed in the database: only distinct edges come back, however many collectors wrote them.
_EDGES = f"""
WITH remembered AS (
    SELECT choreography, source_type, source_service, target_type, target_service, min(topic) AS topic,
           coalesce(sum(count) FILTER (WHERE bucket > %(since)s), 0)::bigint AS count,
           max(bucket) AS last_at, min(bucket) FILTER (WHERE bucket > %(since)s) AS first_at
    FROM collector_flow WHERE bucket > %(remembered)s
    GROUP BY 1, 2, 3, 4, 5 ORDER BY 7 DESC LIMIT {_MOST_EDGES}),
durations AS (
    SELECT choreography, source_type, source_service, target_type, target_service, jsonb_object_agg(key, n) AS counts
    FROM (SELECT choreography, source_type, source_service, target_type, target_service, key, sum(value::bigint) AS n
          FROM collector_flow, jsonb_each_text(durations) WHERE bucket > %(since)s GROUP BY 1, 2, 3, 4, 5, 6) AS summed
    GROUP BY 1, 2, 3, 4, 5)
SELECT choreography, source_type, source_service, target_type, target_service, topic, count, last_at, first_at,
       coalesce(counts, '{{}}')::text
FROM remembered LEFT JOIN durations USING (choreography, source_type, source_service, target_type, target_service)
ORDER BY 1, 2, 3, 4, 5
"""

# Overdue ones are counted for each waiting step and only so far, so that a million stuck ones cost no page its second.
_WAITING = f"""
SELECT choreography, rule, after, awaited, service, waiting,
       (SELECT count(*) FROM (SELECT 1 FROM collector_overdue o
                              WHERE o.choreography = w.choreography AND o.awaited = w.awaited AND o.service = w.service
                              LIMIT {MOST + 1}) AS bounded)
FROM (SELECT choreography, rule, after, awaited, service, sum(count)::bigint AS waiting
      FROM collector_waiting WHERE rule <> '' GROUP BY 1, 2, 3, 4, 5 HAVING sum(count) > 0
      ORDER BY 6 DESC LIMIT {_MOST_EDGES}) AS w
ORDER BY 1, 2
"""


def flow_map(now: datetime) -> FlowMap:
    """One query."""
    found = rows(_EDGES, {"since": now - WINDOW, "remembered": now - REMEMBERED})
    first = min((row[8] for row in found if row[8]), default=now)
    seconds = max((now - max(first, now - WINDOW)).total_seconds(), _BUCKET.total_seconds())
    edges = tuple(_edge(row, now) for row in found)
    return FlowMap(
        at=now,
        seconds=seconds,
        edges=tuple(edge for edge in edges if edge.source_type),
        events=tuple(edge for edge in edges if not edge.source_type),
    )


def _edge(row: tuple[Any, ...], now: datetime) -> FlowEdge:
    choreography, source_type, source_service, target_type, target_service, topic, count, last_at, _, counts = row
    durations = msgspec.json.decode(counts, type=dict[int, int])
    last = min(last_at + _BUCKET, now)
    return FlowEdge(
        choreography,
        source_type,
        source_service,
        target_type,
        target_service,
        topic,
        count,
        last,
        p50=quantile(durations, 0.5),
        p95=quantile(durations, 0.95),
    )


def waiting() -> list[WaitingStep]:
    """One query."""
    return [
        WaitingStep(choreography, rule, after, awaited, service, count, Bounded.of(overdue))
        for choreography, rule, after, awaited, service, count, overdue in rows(_WAITING)
    ]
