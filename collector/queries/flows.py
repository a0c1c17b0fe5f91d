"""Which event led to which lately, and who is being waited for: what the live map is drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from collector.correlation.buckets import quantile
from collector.queries.bounds import MOST, Bounded, rows

WINDOW = timedelta(minutes=5)
_MOST_EDGES = 2_000


@dataclass(frozen=True)
class FlowEdge:
    """How often an event of a service led to one of another within the window. The source is empty for first events.

    `rate` is per second; `p50` and `p95` are seconds, None where no duration is known.
    """

    choreography: str
    source_type: str
    source_service: str
    target_type: str
    target_service: str
    topic: str
    count: int
    rate: float
    p50: float | None
    p95: float | None
    last_at: datetime


@dataclass(frozen=True)
class FlowMap:
    """The edges of the last `seconds` seconds (the window, or less where recording began within it)."""

    at: datetime
    seconds: float
    edges: tuple[FlowEdge, ...]

    @property
    def choreographies(self) -> list[str]:
        return sorted({edge.choreography for edge in self.edges})

    def last_heard(self, service: str) -> datetime | None:
        """When an event of the service last arrived, to ten seconds; None: not within the window."""
        return max((edge.last_at for edge in self.edges if edge.target_service == service), default=None)

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
WITH recent AS MATERIALIZED (SELECT * FROM collector_flow WHERE bucket > %(since)s),
edges AS (
    SELECT choreography, source_type, source_service, target_type, target_service, min(topic) AS topic,
           sum(count) AS count, min(bucket) AS first_at, max(bucket) AS last_at
    FROM recent GROUP BY 1, 2, 3, 4, 5 ORDER BY 7 DESC LIMIT {_MOST_EDGES}),
durations AS (
    SELECT choreography, source_type, source_service, target_type, target_service, jsonb_object_agg(key, n) AS counts
    FROM (SELECT choreography, source_type, source_service, target_type, target_service, key, sum(value::bigint) AS n
          FROM recent, jsonb_each_text(durations) GROUP BY 1, 2, 3, 4, 5, 6) AS summed
    GROUP BY 1, 2, 3, 4, 5)
SELECT choreography, source_type, source_service, target_type, target_service, topic, count, first_at, last_at,
       coalesce(counts, '{{}}')::text
FROM edges LEFT JOIN durations USING (choreography, source_type, source_service, target_type, target_service)
ORDER BY 1, 2, 3, 4, 5
"""

# Overdue ones are counted for each waiting step and only so far, so that a million stuck ones cost no page its second.
_WAITING = f"""
SELECT choreography, rule, after, awaited, service, waiting,
       (SELECT count(*) FROM (SELECT 1 FROM collector_overdue o
                              WHERE o.choreography = w.choreography AND o.awaited = w.awaited AND o.service = w.service
                              LIMIT {MOST + 1}) AS some)
FROM (SELECT choreography, rule, after, awaited, service, sum(count)::bigint AS waiting
      FROM collector_waiting GROUP BY 1, 2, 3, 4, 5 HAVING sum(count) > 0
      ORDER BY 6 DESC LIMIT {_MOST_EDGES}) AS w
ORDER BY 1, 2
"""
_BUCKET = timedelta(seconds=10)


def flow_map(now: datetime) -> FlowMap:
    """One query. Summed in the database: only distinct edges come back, however many collectors wrote them."""
    found = rows(_EDGES, {"since": now - WINDOW})
    first = min((row[7] for row in found), default=now)
    seconds = max((now - max(first, now - WINDOW)).total_seconds(), _BUCKET.total_seconds())
    edges = []
    for *names, count, _, last_at, counts in found:
        durations = msgspec.json.decode(counts, type=dict[int, int])
        p50, p95 = quantile(durations, 0.5), quantile(durations, 0.95)
        last = min(last_at + _BUCKET, now)
        edges.append(FlowEdge(*names, int(count), float(count) / seconds, p50, p95, last))
    return FlowMap(now, seconds, tuple(edges))


def waiting() -> list[WaitingStep]:
    """One query."""
    return [WaitingStep(*row[:6], Bounded.of(row[6])) for row in rows(_WAITING)]

