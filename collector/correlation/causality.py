"""Which event caused which: edges with their basis, and the parents that are missing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import msgspec

from collector.correlation.choreography import Choreography
from collector.correlation.events import EventKey, Skeleton
from collector.correlation.shape import NOWHERE, Course, Shape, course_of

_NONE = timedelta(0)


class Edge(msgspec.Struct, frozen=True):
    """`parent` led to `child`. basis: "explicit" (the child names it), "trace" (its span is the child's parent span) or
    "declared" (a rule pairs them).

    `latency` is the difference of their event times; negative where clocks disagree, and then `skewed` is set.
    """

    parent: EventKey
    child: EventKey
    basis: str
    latency: timedelta
    skewed: bool = False


class Clock(msgspec.Struct, frozen=True):
    """By how much a producer's clock is off, at least: `ahead` of the database's when its event arrived; `behind`,
    since an event of its had an earlier time than its cause."""

    ahead: timedelta = _NONE
    behind: timedelta = _NONE


class Causality(msgspec.Struct, frozen=True):
    """Edges in the children's event order; `missing`: (child, id of the cause that no event here has); `cyclic`: edges
    left out of `edges` because they would close a cycle; `depth`: causal depth by event, 0 for roots; `clocks`: by
    service, what its events show of its clock, where that is off."""

    edges: tuple[Edge, ...]
    missing: tuple[tuple[EventKey, str], ...]
    cyclic: tuple[Edge, ...]
    depth: dict[EventKey, int]
    clocks: dict[str, Clock]


class Link(NamedTuple):
    """An edge between positions in event order."""

    parent: int
    child: int
    basis: str


class Links(NamedTuple):
    """The causal graph as the shape of a transaction shows it; `cyclic` as in `Causality`."""

    links: tuple[Link, ...]
    cyclic: tuple[Link, ...]


def causality(events: Sequence[Skeleton], choreography: Choreography) -> Causality:
    """The causal graph of a transaction's events, best basis first: explicit ids, span parents, declared rules."""
    course = course_of(events)
    ordered = course.ordered
    found = links_of(course, choreography)
    depths = _depths(len(ordered), found.links)
    return Causality(
        edges=tuple(_edge(ordered, link) for link in found.links),
        missing=tuple(_missing(ordered)),
        cyclic=tuple(_edge(ordered, link) for link in found.cyclic),
        depth={event.key: depth for event, depth in zip(ordered, depths, strict=True)},
        clocks=_clocks(ordered, found.links),
    )


def links_of(course: Course, choreography: Choreography) -> Links:
    """The edges of that graph by the positions of their events."""
    found = choreography.links.get(course.shape)
    if found is None:
        found = _without_cycles(_candidates(course.shape, choreography))
        choreography.links.keep(course.shape, found)
    return found


def _edge(ordered: Sequence[Skeleton], link: Link) -> Edge:
    parent, child = ordered[link.parent], ordered[link.child]
    latency = child.time - parent.time
    return Edge(parent.key, child.key, link.basis, latency, skewed=latency < _NONE)


def _clocks(ordered: Sequence[Skeleton], links: Sequence[Link]) -> dict[str, Clock]:
    """An event that is earlier than its cause blames its own producer's clock for what the other's does not explain."""
    ahead: dict[str, timedelta] = {}
    behind: dict[str, timedelta] = {}
    for event in ordered:
        if event.time > event.received_at:
            ahead[event.service] = max(ahead.get(event.service, _NONE), event.time - event.received_at)
    for parent, child in ((ordered[link.parent], ordered[link.child]) for link in links if link.basis != "declared"):
        lag = parent.time - child.time - ahead.get(parent.service, _NONE)
        if lag > _NONE:
            behind[child.service] = max(behind.get(child.service, _NONE), lag)
    return {name: Clock(ahead.get(name, _NONE), behind.get(name, _NONE)) for name in sorted(ahead.keys() | behind)}


def _missing(ordered: Sequence[Skeleton]) -> list[tuple[EventKey, str]]:
    present = {event.id for event in ordered}
    return [(event.key, cause) for event in ordered for cause in dict.fromkeys(event.causes) if cause not in present]


def _candidates(shape: Shape, choreography: Choreography) -> list[Link]:
    """Edges that may yet close cycles. The rules are asked only about events that name no cause."""
    if not shape.causes and not choreography.expected_by:
        return []  # a log that nobody wrote rules for
    latest: dict[str, int] = {}
    found: list[Link] = []
    for child, name in enumerate(shape.types):
        if causes := shape.causes_of(child):
            basis = "trace" if child in shape.traced else "explicit"
            found += [Link(parent, child, basis) for parent in dict.fromkeys(causes) if parent != NOWHERE]
        else:
            found += [Link(parent, child, "declared") for parent in _declared(name, latest, choreography)]
        latest[name] = child
    return found


def _declared(name: str, latest: dict[str, int], choreography: Choreography) -> list[int]:
    """Parents by rule: for each rule that an event of this type answers, the latest earlier event of each trigger
    type; none where a trigger has not happened."""
    parents: set[int] = set()
    for rule in choreography.expected_by.get(name, ()):
        if all(trigger in latest for trigger in rule.after):
            parents.update(latest[trigger] for trigger in rule.after)
    return sorted(parents)


def _without_cycles(candidates: list[Link]) -> Links:
    """Splits off the edges that would close a cycle, self-cycles among them."""
    if all(link.parent < link.child for link in candidates):
        return Links(tuple(candidates), ())  # the usual case: where every edge leads onward, none leads back
    children: dict[int, list[int]] = {}
    kept, cyclic = [], []
    for link in candidates:
        if _reaches(children, link.child, link.parent):
            cyclic.append(link)
        else:
            children.setdefault(link.parent, []).append(link.child)
            kept.append(link)
    return Links(tuple(kept), tuple(cyclic))


def _reaches(children: dict[int, list[int]], start: int, goal: int) -> bool:
    seen, todo = set(), [start]
    while todo:
        at = todo.pop()
        if at == goal:
            return True
        if at not in seen:
            seen.add(at)
            todo += children.get(at, [])
    return False


def onward(count: int, links: Sequence[Link]) -> list[int]:
    """The positions in an order in which parents come before their children, by Kahn's algorithm (A. B. Kahn, 1962)."""
    children: dict[int, list[int]] = {}
    open_parents = [0] * count
    for link in links:
        children.setdefault(link.parent, []).append(link.child)
        open_parents[link.child] += 1
    order = [position for position, parents in enumerate(open_parents) if parents == 0]
    for position in order:
        for child in children.get(position, ()):
            open_parents[child] -= 1
            if open_parents[child] == 0:
                order.append(child)
    return order


def _depths(count: int, links: Sequence[Link]) -> list[int]:
    """The longest way from a root, for each event."""
    parents: dict[int, list[int]] = {}
    for link in links:
        parents.setdefault(link.child, []).append(link.parent)
    depths = [0] * count
    for position in onward(count, links):
        depths[position] = max((depths[parent] + 1 for parent in parents.get(position, ())), default=0)
    return depths
