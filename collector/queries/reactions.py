"""Each service as its events show it: what it reacts to and emits, how fast, when last, and what waits for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from collector.models import End, EventType
from collector.queries.bounds import rows
from collector.queries.flows import NEEDED, FlowEdge, FlowMap, WaitingStep

MOST = 1_000
"""Services."""
Needed = dict[tuple[str, str], list[FlowEdge]]
"""By choreography and emitted type."""


@dataclass(frozen=True)
class Reaction:
    """An event, of whatever service, after which it emits one: how often, and how long that takes (seconds).

    `together`: the other types that are needed for it as well. The times then contain the waiting for these, all but
    those of the one that comes last."""

    after: str
    source: str
    emits: str
    count: int
    p50: float | None
    p95: float | None
    together: tuple[str, ...] = ()


@dataclass(frozen=True)
class Emitted:
    type: str
    topic: str
    count: int
    last_at: datetime


@dataclass(frozen=True)
class ServiceFigures:
    """Counts are of the flows' window. `first_seen`: None for one that was never heard, only declared or waited for.
    `p95`: of its slowest reaction; where several events are needed together, from the last of them."""

    name: str
    first_seen: datetime | None
    last_heard: datetime | None
    emits: tuple[Emitted, ...]
    reactions: tuple[Reaction, ...]
    waiting: tuple[WaitingStep, ...]
    p95: float | None

    @property
    def out(self) -> int:
        return sum(entry.count for entry in self.emits)

    @property
    def into(self) -> int:
        """Events that it reacted to."""
        return sum(entry.count for entry in self.reactions)

    @property
    def awaited(self) -> int:
        return sum(step.count for step in self.waiting)

    @property
    def overdue(self) -> int:
        return sum(step.overdue.count for step in self.waiting)


_KNOWN = f"""
SELECT service, min(first_seen_at) FROM collector_eventtype WHERE service <> '' GROUP BY 1 ORDER BY 1 LIMIT {MOST}
"""


def service_figures(flowing: FlowMap, waiting: Sequence[WaitingStep], declared: Iterable[str]) -> list[ServiceFigures]:
    """All that were ever heard, that are declared, or that something waits for; by name. One query."""
    first_seen: dict[str, datetime] = dict(rows(_KNOWN))
    names = {*first_seen, *declared, *(step.service for step in waiting if step.service)}
    emitted, reacting = _by_service(flowing.events), _by_service(flowing.edges)
    steps: defaultdict[str, list[WaitingStep]] = defaultdict(list)
    for step in waiting:
        steps[step.service].append(step)
    return [
        _figures(name, first_seen.get(name), emitted[name], reacting[name], steps[name])
        for name in sorted(names)[:MOST]
    ]


def _by_service(edges: Iterable[FlowEdge]) -> defaultdict[str, list[FlowEdge]]:
    found: defaultdict[str, list[FlowEdge]] = defaultdict(list)
    for edge in edges:
        found[edge.target_service].append(edge)
    return found


def _figures(
    name: str,
    first_seen: datetime | None,
    emitted: Sequence[FlowEdge],
    reacting: Sequence[FlowEdge],
    waiting: Sequence[WaitingStep],
) -> ServiceFigures:
    types: dict[tuple[str, str], Emitted] = {}
    for edge in emitted:
        key = (edge.target_type, edge.topic)
        before = types.get(key)
        count, last = (before.count, before.last_at) if before else (0, edge.last_at)
        types[key] = Emitted(*key, count + edge.count, max(last, edge.last_at))
    needed = _needed(emitted, reacting)
    reactions = [_reaction(edge, needed) for edge in reacting]
    return ServiceFigures(
        name=name,
        first_seen=first_seen,
        last_heard=max((edge.last_at for edge in emitted), default=None),
        emits=tuple(sorted(types.values(), key=lambda entry: (-entry.count, entry.type))),
        reactions=tuple(sorted(reactions, key=lambda entry: (-entry.count, entry.after, entry.emits))),
        waiting=tuple(waiting),
        p95=_slowest(reacting, needed),
    )


def _needed(emitted: Iterable[FlowEdge], reacting: Iterable[FlowEdge]) -> Needed:
    """For each type that it emits, the edges that lead to nearly all of its events."""
    counts = {_emitted(event): event.count for event in emitted}
    found: defaultdict[tuple[str, str], list[FlowEdge]] = defaultdict(list)
    for edge in reacting:
        if 0 < counts.get(_emitted(edge), 0) * NEEDED <= edge.count:
            found[_emitted(edge)].append(edge)
    return found


def _reaction(edge: FlowEdge, needed: Needed) -> Reaction:
    joined = needed.get(_emitted(edge), [])
    others = {one.source_type for one in joined if one is not edge} if edge in joined else ()
    times = (edge.count, edge.p50, edge.p95)
    return Reaction(edge.source_type, edge.source_service, edge.target_type, *times, tuple(sorted(others)))


def _slowest(reacting: Iterable[FlowEdge], needed: Needed) -> float | None:
    """An answer follows the last of the events that it needs: the waiting for that one is not its service's. So of
    these the least counts, and of alternatives the greatest."""
    times: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for edge in reacting:
        if edge.p95 is not None and edge in needed.get(_emitted(edge), [edge]):
            times[_emitted(edge)].append(edge.p95)
    return max((min(found) if key in needed else max(found) for key, found in times.items()), default=None)


def _emitted(edge: FlowEdge) -> tuple[str, str]:
    return (edge.choreography, edge.target_type)


def ends_of(types: Iterable[str]) -> Mapping[tuple[str, int], int]:
    """The end of each partition of the topics that these event types occur on, by topic and number. One query."""
    topics = EventType.objects.filter(type__in=list(types)[:MOST]).values("topic")
    found = End.objects.filter(topic__in=topics).values_list("topic__name", "partition", "end_offset")[:MOST]
    return {(name, partition): end for name, partition, end in found if end is not None}
