"""Which event led to which lately, and who is being waited for: what the live map is drawn from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from collector.correlation.buckets import merged, quantiles
from collector.correlation.choreography import RuleBook
from collector.correlation.learned import PREFIX
from collector.queries.bounds import MOST, Bounded, rows

WINDOW = timedelta(minutes=5)
REMEMBERED = timedelta(hours=1)
"""How long an edge stays on the map that nothing goes over any more."""
LATE = timedelta(seconds=30)
"""So long after its moment a count may be written; a bucket is closed then."""
_BUCKET = timedelta(seconds=10)
_NEVER = datetime.min.replace(tzinfo=UTC)
MOST_EDGES = 2_000
NEEDED = 0.95
"""What led to so many of the events of a type is needed for them: several such, all of them together."""

EdgeKey = tuple[str, str, str, str, str]
"""Choreography, source type, source service, target type, target service."""


class FlowEdge(msgspec.Struct, frozen=True):
    """How often an event of a service led to one of another within the window; 0 for one that is only remembered.

    Without a source: how often the event came at all. `last_at`: when the ten seconds began in which it last came, so
    that nothing seems to follow before it. `p50` and `p95` are seconds, None where none is known.
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
    def key(self) -> EdgeKey:
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
        """When an event of the service last arrived, as `FlowEdge.last_at` says it; None: it is not remembered."""
        return max((edge.last_at for edge in self.events if edge.target_service == service), default=None)

    def between(self, after: tuple[str, ...], expect: tuple[str, ...]) -> FlowEdge | None:
        """The most frequent edge from one of the types `after` to one of `expect`; where it is a join, of those that
        are as frequent the fastest: the others contain the waiting for what comes last."""
        fitting = [edge for edge in self.edges if edge.source_type in after and edge.target_type in expect]
        most = max(fitting, key=lambda edge: edge.count, default=None)
        if most is None or len(after) == 1:
            return most
        target = (most.choreography, *most.key[3:])
        joined = (edge for edge in fitting if (edge.choreography, *edge.key[3:]) == target and edge.p95 is not None)
        needed = (edge for edge in joined if edge.count >= NEEDED * most.count)
        return min(needed, key=lambda edge: edge.p95 or 0.0, default=most)


class Part(NamedTuple):
    """What went over an edge within one bucket; `durations` as counts in log-buckets."""

    key: EdgeKey
    topic: str
    total: int
    bucket: datetime
    durations: dict[int, int]


class _Sum:
    """Of parts of one edge. Its durations in a plain dict: hundreds of edges are summed up anew every two seconds."""

    __slots__ = ("count", "durations", "last", "topic")

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.count = 0
        self.last = _NEVER
        self.durations: dict[int, int] = {}

    def add(self, part: Part) -> None:
        self.count += part.total
        self.last = max(self.last, part.bucket)
        durations = self.durations
        for index, n in part.durations.items():
            durations[index] = durations.get(index, 0) + n

    def subtract(self, part: Part) -> None:
        self.count -= part.total
        durations = self.durations
        for index, n in part.durations.items():
            durations[index] -= n
            if not durations[index]:
                del durations[index]

    def copy(self) -> _Sum:
        other = _Sum(self.topic)
        other.count, other.last, other.durations = self.count, self.last, dict(self.durations)
        return other


@dataclass(frozen=True)
class WaitingStep:
    """How many pending responses there are at a rule now, and how many of them are overdue. `learned`: nobody declared
    the deadline."""

    choreography: str
    rule: str
    after: str
    awaited: str
    service: str
    count: int
    overdue: Bounded
    learned: bool = False


# Counts only ever grow: a bucket whose sum is what it was has not changed.
_SUMS = "SELECT bucket, sum(count)::bigint FROM collector_flow WHERE bucket > %(since)s GROUP BY 1"

_PARTS = f"""
SELECT choreography, source_type, source_service, target_type, target_service, min(topic),
       sum(count)::bigint AS total, bucket, jsonb_agg(durations)::text
FROM collector_flow WHERE bucket = ANY(%(buckets)s)
GROUP BY 1, 2, 3, 4, 5, bucket ORDER BY total DESC LIMIT {MOST_EDGES * (WINDOW // _BUCKET)}
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


class LiveFlows:
    """What is known of the map, so that only buckets that changed have to be read again; for one thread at a time.

    Counts that are written more than LATE after the moment that they are counted at may be missing.
    """

    def __init__(self) -> None:
        self._parts: dict[datetime, list[Part]] = {}
        """By their buckets, of the closed ones; what they add up to is in `_sums`."""
        self._sums: dict[EdgeKey, _Sum] = {}
        self._open: dict[datetime, tuple[int, list[Part]]] = {}
        """By their buckets, of those that may still change, and how many it was that were counted there."""
        self._edges: dict[EdgeKey, FlowEdge] = {}
        """Without counts, those of the last hour."""
        self._read_at: datetime | None = None

    def flow_map(self, now: datetime) -> FlowMap:
        """With the edges of the last hour. Two queries; three for the first time, and where nobody asked for long."""
        since = now - WINDOW
        if self._read_at is None or not self._read_at <= now < self._read_at + WINDOW - LATE:
            self._parts, self._sums, self._open = {}, {}, {}
            self._edges = {edge.key: edge for edge in remembered(now)}
            self._read_at = since + LATE
        self._read(self._read_at - LATE)
        self._read_at = now
        self._forget(since)
        self._close(now - LATE)
        first = min((*self._parts, *self._open), default=now)
        seconds = max((now - max(first, since)).total_seconds(), _BUCKET.total_seconds())
        edges = [_edge(key, one) for key, one in self._with_open().items()]
        edges.sort(key=lambda edge: -edge.count)
        return map_of([*self._remember(edges, now), *edges[:MOST_EDGES]], now, seconds)

    def _read(self, since: datetime) -> None:
        """The buckets after `since` that are not what they were."""
        sums: dict[datetime, int] = dict(rows(_SUMS, {"since": since}))
        changed = [bucket for bucket, total in sums.items() if self._open.get(bucket, (0, []))[0] != total]
        for bucket in changed:
            self._open[bucket] = sums[bucket], []
        for part in _parts(changed) if changed else ():
            self._open[part.bucket][1].append(part)

    def _forget(self, since: datetime) -> None:
        for bucket in [bucket for bucket in self._parts if bucket <= since]:
            for part in self._parts.pop(bucket):
                self._sums[part.key].subtract(part)
                if not self._sums[part.key].count:
                    del self._sums[part.key]

    def _close(self, until: datetime) -> None:
        """Adds up what is in buckets that are not read again."""
        for bucket in [bucket for bucket in self._open if bucket <= until]:
            _, self._parts[bucket] = self._open.pop(bucket)
            for part in self._parts[bucket]:
                _add(self._sums, part)

    def _with_open(self) -> dict[EdgeKey, _Sum]:
        sums = {key: one.copy() for key, one in self._sums.items()}
        for _, parts in self._open.values():
            for part in parts:
                _add(sums, part)
        return sums

    def _remember(self, edges: Iterable[FlowEdge], now: datetime) -> list[FlowEdge]:
        """Edges of the last hour without counts, the latest of them where there are too many."""
        for edge in edges:
            known = self._edges.get(edge.key)
            if known is None or known.last_at != edge.last_at:
                self._edges[edge.key] = FlowEdge(*edge.key, edge.topic, 0, edge.last_at)
        lately = [edge for edge in self._edges.values() if edge.last_at > now - REMEMBERED]
        if len(lately) > MOST_EDGES:
            lately = sorted(lately, key=lambda edge: edge.last_at, reverse=True)[:MOST_EDGES]
        if len(lately) < len(self._edges):
            self._edges = {edge.key: edge for edge in lately}
        return lately


def _add(sums: dict[EdgeKey, _Sum], part: Part) -> None:
    one = sums.get(part.key)
    if one is None:
        one = sums[part.key] = _Sum(part.topic)
    one.add(part)


def _parts(buckets: Iterable[datetime]) -> list[Part]:
    found = rows(_PARTS, {"buckets": list(buckets)})
    return [Part(tuple(key), topic, total, bucket, merged(took)) for *key, topic, total, bucket, took in found]


def _edge(key: EdgeKey, one: _Sum) -> FlowEdge:
    return FlowEdge(*key, one.topic, one.count, one.last, *quantiles(one.durations, 0.5, 0.95))


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
    """The edges of the last hour, their counts left out. One query, which reads much."""
    found = rows(_REMEMBERED, {"since": now - REMEMBERED})
    return tuple(FlowEdge(**_named(row), count=0, last_at=row[6]) for row in found)


def edge_of(row: tuple[Any, ...]) -> FlowEdge:
    """From (names …, topic, count, first bucket, last bucket, durations as JSON)."""
    count, _, last_at, took = row[6:]
    p50, p95 = quantiles(merged(took), 0.5, 0.95)
    return FlowEdge(**_named(row), count=count, last_at=last_at, p50=p50, p95=p95)


def _named(row: tuple[Any, ...]) -> dict[str, Any]:
    names = ("choreography", "source_type", "source_service", "target_type", "target_service", "topic")
    return dict(zip(names, row, strict=False))


def waiting(rulebook: RuleBook) -> list[WaitingStep]:
    """By these rules, with what was learned. One query."""
    timed = {
        (choreography.name, rule.key)
        for choreography in rulebook.choreographies
        for rule in choreography.rules
        if rule.learned
    }
    return [
        WaitingStep(
            choreography,
            rule,
            after,
            awaited,
            service,
            count,
            Bounded.of(overdue),
            rule.startswith(PREFIX) or (choreography, rule) in timed,
        )
        for choreography, rule, after, awaited, service, count, overdue in rows(_WAITING)
    ]
