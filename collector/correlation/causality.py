"""Which event caused which: edges with their basis, and the parents that are missing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from collector.correlation.choreography import Choreography
from collector.correlation.events import EventKey, Skeleton, in_order


class Edge(msgspec.Struct, frozen=True):
    """`parent` led to `child`. basis: "explicit" (the child names it) or "declared" (a rule pairs them).

    `latency` is the difference of their event times; negative where clocks disagree, and then `skewed` is set.
    """

    parent: EventKey
    child: EventKey
    basis: str
    latency: timedelta
    skewed: bool = False


class Causality(msgspec.Struct, frozen=True):
    """Edges in the children's event order; `missing`: (child, id of the cause that no event here has); `cyclic`: edges
    left out of `edges` because they would close a cycle; `depth`: causal depth by event, 0 for roots."""

    edges: tuple[Edge, ...]
    missing: tuple[tuple[EventKey, str], ...]
    cyclic: tuple[Edge, ...]
    depth: dict[EventKey, int]


def causality(events: Sequence[Skeleton], choreography: Choreography) -> Causality:
    """The causal graph of a transaction's events, best basis first: explicit ids, then declared rules."""
    ordered = in_order(list(events))
    candidates, missing = _candidates(ordered, choreography)
    edges, cyclic = _without_cycles(ordered, candidates)
    return Causality(tuple(edges), tuple(missing), tuple(cyclic), _depths(ordered, edges))


def edges(events: Sequence[Skeleton], choreography: Choreography) -> list[Edge]:
    """Only the edges of that graph."""
    ordered = in_order(list(events))
    return _without_cycles(ordered, _candidates(ordered, choreography)[0])[0]


def _candidates(ordered: list[Skeleton], choreography: Choreography) -> tuple[list[Edge], list[tuple[EventKey, str]]]:
    """Edges that may yet close cycles, and the causes that no event here has."""
    by_id: dict[str, Skeleton] = {}
    for event in ordered:
        by_id.setdefault(event.id, event)
    candidates: list[Edge] = []
    missing: list[tuple[EventKey, str]] = []
    for event in ordered:
        found, absent = _explicit(event, by_id) if event.causes else ([], [])
        missing += [(event.key, cause) for cause in absent]
        if not found and not absent:
            found = _declared(event, ordered, choreography)
        candidates += found
    return candidates, missing


def _edge(parent: Skeleton, child: Skeleton, basis: str) -> Edge:
    latency = child.time - parent.time
    return Edge(parent.key, child.key, basis, latency, skewed=latency < timedelta(0))


def _explicit(event: Skeleton, by_id: dict[str, Skeleton]) -> tuple[list[Edge], list[str]]:
    found, absent = [], []
    for cause in dict.fromkeys(event.causes):
        parent = by_id.get(cause)
        if parent is None:
            absent.append(cause)
        else:
            found.append(_edge(parent, event, "explicit"))
    return found, absent


def _declared(event: Skeleton, ordered: list[Skeleton], choreography: Choreography) -> list[Edge]:
    """Parents by rule: for each rule that this event answers, the latest earlier event of each trigger type."""
    parents: dict[EventKey, Skeleton] = {}
    for rule in choreography.expected_by.get(event.type, []):
        latest: dict[str, Skeleton] = {}
        for other in ordered:
            if other is event:
                break
            if other.type in rule.after:
                latest[other.type] = other
        if len(latest) == len(set(rule.after)):
            parents.update((parent.key, parent) for parent in latest.values())
    return [_edge(parent, event, "declared") for parent in parents.values()]


def _without_cycles(ordered: list[Skeleton], candidates: list[Edge]) -> tuple[list[Edge], list[Edge]]:
    """Splits off the edges that would close a cycle, self-cycles among them."""
    position = {event.key: at for at, event in enumerate(ordered)}
    if all(position[edge.parent] < position[edge.child] for edge in candidates):
        return candidates, []  # the usual case: where every edge leads onward, none leads back
    children: dict[EventKey, list[EventKey]] = {}
    edges, cyclic = [], []
    for edge in candidates:
        if _reaches(children, edge.child, edge.parent):
            cyclic.append(edge)
        else:
            children.setdefault(edge.parent, []).append(edge.child)
            edges.append(edge)
    return edges, cyclic


def _reaches(children: dict[EventKey, list[EventKey]], start: EventKey, goal: EventKey) -> bool:
    seen, todo = set(), [start]
    while todo:
        at = todo.pop()
        if at == goal:
            return True
        if at not in seen:
            seen.add(at)
            todo += children.get(at, [])
    return False


def _depths(ordered: list[Skeleton], edges: list[Edge]) -> dict[EventKey, int]:
    """Longest way from a root, by Kahn's algorithm (A. B. Kahn, 1962) over the acyclic edges."""
    children: dict[EventKey, list[EventKey]] = {}
    open_parents = {event.key: 0 for event in ordered}
    for edge in edges:
        children.setdefault(edge.parent, []).append(edge.child)
        open_parents[edge.child] += 1
    depth = dict.fromkeys(open_parents, 0)
    todo = [key for key, count in open_parents.items() if count == 0]
    while todo:
        key = todo.pop()
        for child in children.get(key, []):
            depth[child] = max(depth[child], depth[key] + 1)
            open_parents[child] -= 1
            if open_parents[child] == 0:
                todo.append(child)
    return depth
