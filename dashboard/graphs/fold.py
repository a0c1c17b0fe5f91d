"""Keeps a graph of steps small enough to be read: like steps are folded into one, "× 37", only as far as needed."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import msgspec

from dashboard.graphs.steps import Link, Step, Steps, digest

MAX_STEPS = 100
MAX_LANES = 60
OTHER = "other services"


def fold(graph: Steps) -> Steps:
    """At most MAX_STEPS steps: folded by type at the same causal depth, if need be by type, if need be by service."""
    if len(graph.steps) <= MAX_STEPS:
        return graph
    depth = depths(graph)
    busiest = _first_lanes(graph)

    def lane(step: Step) -> str:
        return step.lane if step.lane in busiest else OTHER

    ways: tuple[Callable[[Step], Hashable], ...] = (
        lambda step: (lane(step), step.role, step.title, depth[step.key]),
        lambda step: (lane(step), step.role, step.title),
        lane,
    )
    folded = graph
    for way in ways:
        folded = _folded(graph, way, lane)
        if len(folded.steps) <= MAX_STEPS:
            break
    return folded


def _first_lanes(graph: Steps) -> set[str]:
    lanes = list(dict.fromkeys(step.lane for step in graph.steps))
    return set(lanes if len(lanes) <= MAX_LANES else lanes[: MAX_LANES - 1])


def depths(graph: Steps) -> dict[str, int]:
    """Causal depth: the longest way from a root. Ghosts of missing causes stand right before what they led to."""
    children: dict[str, list[str]] = {}
    parents = dict.fromkeys((step.key for step in graph.steps), 0)
    for link in graph.links:
        children.setdefault(link.source, []).append(link.target)
        parents[link.target] += 1
    depth = dict.fromkeys(parents, 0)
    todo = [key for key, count in parents.items() if not count]
    while todo:
        key = todo.pop()
        for child in children.get(key, ()):
            depth[child] = max(depth[child], depth[key] + 1)
            parents[child] -= 1
            if not parents[child]:
                todo.append(child)
    for step in graph.steps:
        if step.role == "missing":
            depth[step.key] = min(depth[child] for child in children[step.key]) - 1
    return depth


def _folded(graph: Steps, way: Callable[[Step], Hashable], lane: Callable[[Step], str]) -> Steps:
    groups: dict[Hashable, list[Step]] = {}
    for step in graph.steps:
        groups.setdefault(way(step), []).append(step)
    steps: list[Step] = []
    place: dict[str, tuple[int, str]] = {}
    for members in groups.values():
        folded = _one(members, lane(members[0]))
        place.update((member.key, (len(steps), folded.key)) for member in members)
        steps.append(folded)
    return Steps(tuple(steps), _between(graph.links, place))


def _one(members: list[Step], lane: str) -> Step:
    first = members[0]
    if len(members) == 1:
        return first if first.lane == lane else msgspec.structs.replace(first, lane=lane)
    alike = all(step.title == first.title for step in members)
    roles = {step.role for step in members}
    role = "overdue" if "overdue" in roles else first.role if len(roles) == 1 else "event"
    times = [step.at for step in members if step.at]
    return msgspec.structs.replace(
        first,
        key=digest("fold", first.key),
        role=role,
        lane=lane,
        title=first.title if alike else (f"{len({step.title for step in members})} types of event",),
        word=_word(members) if alike else "",
        late=any(step.late for step in members),
        count=len(members),
        known_at=min((step.known_at for step in members if step.known_at), default=None),
        facts=(f"{len(members)} steps, drawn as one", *first.facts[: len(times) and 1]),
        data={"kind": "fold", "title": " ".join(first.title) if alike else "", "lane": lane, "count": len(members)},
    )


def _word(members: list[Step]) -> str:
    """What is special about all of them; how many of them came late, where not all did."""
    late = sum(step.late for step in members)
    return f"{late} late" if 0 < late < len(members) else members[0].word


def _between(links: tuple[Link, ...], place: dict[str, tuple[int, str]]) -> tuple[Link, ...]:
    """One link for all between two groups, forward ones only (a fold of a loop would close a cycle)."""
    groups: dict[tuple[str, str], list[Link]] = {}
    for link in links:
        (before, source), (after, target) = place[link.source], place[link.target]
        if before < after:
            groups.setdefault((source, target), []).append(link)
    return tuple(
        msgspec.structs.replace(
            found[0],
            source=source,
            target=target,
            label=found[0].label if len(found) == 1 else f"× {len(found)}",
            data=found[0].data if len(found) == 1 else {"kind": "edges", "count": len(found)},
        )
        for (source, target), found in groups.items()
    )
