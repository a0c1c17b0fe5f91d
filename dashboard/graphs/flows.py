"""The live map as a graph: services, event types or topics as boxes, wires with what flows and waits between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from typing import Any, Literal

import msgspec

from dashboard.graphs.graph import Flow, Waiting
from dashboard.graphs.steps import UNKNOWN, digest

READABLE = 40
"""So many wires are drawn at most where nobody asked for more or fewer."""
MAX_WIRES = 80
"""With more, all wires from one box to another are drawn as one."""
MAX_BOXES = 300
"""With more, only those with the most events are drawn."""


Kind = Literal["service", "type", "topic"]


class Box(msgspec.Struct, frozen=True):
    """A service, an event type or a topic. `waiting` and `overdue`: transactions that wait for it. `layer`: which one
    it stands in, where that is known from the start."""

    key: str
    name: str
    under: str
    starts: bool
    waiting: int
    overdue: int
    data: dict[str, Any]
    layer: int | None = None


class Wire(msgspec.Struct, frozen=True):
    """What flows from one box to another (their keys). `named`: its name is shown; `awaited`: what is awaited here, by
    `learned` of those that wait until a time that was learned."""

    key: str
    source: str
    target: str
    name: str
    named: bool
    count: int
    p95: float | None
    failure: bool
    waiting: int
    overdue: int
    awaited: tuple[str, ...]
    data: dict[str, Any]
    learned: int = 0
    words: str = ""
    """All that is written at it, where that does not change while it is looked at."""


class Map(msgspec.Struct, frozen=True):
    """The graph, in an order that depends on names alone. `hidden`: boxes that are not drawn; `left_out`: wires that
    were too rare; `of`: what boxes are called, in the plural."""

    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    hidden: int = 0
    left_out: int = 0
    of: str = "services"

    @property
    def note(self) -> str:
        """What is not shown, in words; empty where all is."""
        if not self.left_out:
            return f"{self.hidden} {self.of} not shown" if self.hidden else ""
        hidden = f", {self.hidden} {self.of} not shown" if self.hidden else ""
        return f"the {len(self.wires)} busiest of {len(self.wires) + self.left_out} ways{hidden}"


class _Tally(msgspec.Struct):
    """What is summed up for one wire."""

    count: int = 0
    p95: float | None = None
    failure: bool = True
    waiting: int = 0
    overdue: int = 0
    awaited: tuple[str, ...] = ()
    learned: int = 0

    def flow(self, flow: Flow) -> None:
        """The p95 of several kinds of reaction together is at most the greatest of theirs."""
        self.count += flow.count
        self.failure = self.failure and flow.failure
        if flow.p95_seconds is not None:
            self.p95 = max(self.p95 or 0.0, flow.p95_seconds)

    def wait(self, waiting: Waiting) -> None:
        self.waiting += waiting.count
        self.overdue += waiting.overdue
        self.awaited = (*self.awaited, waiting.awaited)
        self.learned += waiting.count if waiting.learned else 0


_End = tuple[str, str]
"""A box before it is drawn: (name, what stands under it)."""
_Between = tuple[_End, _End, str]


def services(flows: Sequence[Flow], waiting: Sequence[Waiting], detail: int | None = None) -> Map:
    """Services as boxes; a wire for each event type of a service and each service that reacts to it. `detail`: so many
    per cent of the wires, the busiest; None: as many as can be read."""
    home = _homes(flows)
    tallies: dict[_Between, _Tally] = defaultdict(_Tally)
    for flow in flows:
        if flow.source_type:
            tallies[(flow.source_service, ""), (flow.target_service, ""), flow.source_type].flow(flow)
    for wait in waiting:
        for name in wait.after:
            tallies[(home.get(name, ""), ""), (wait.service, ""), name].wait(wait)
    starts = {(flow.target_service, "") for flow in flows if not flow.source_type}
    return _map(tallies, starts, [((wait.service, ""), wait) for wait in waiting], "service", detail)


def events(flows: Sequence[Flow], waiting: Sequence[Waiting], detail: int | None = None) -> Map:
    """Event types as boxes; a wire from each to those that it led to."""
    home = _homes(flows)
    tallies: dict[_Between, _Tally] = defaultdict(_Tally)
    for flow in flows:
        if flow.source_type:
            source, target = (flow.source_type, flow.source_service), (flow.target_type, flow.target_service)
            tallies[source, target, flow.source_type].flow(flow)
    owed: list[tuple[_End, Waiting]] = []
    for wait in waiting:
        first = wait.awaited.split(" or ")[0]
        target = (first, wait.service)
        owed.append((target, wait))
        for name in wait.after:
            tallies[(name, home.get(name, "")), target, name].wait(wait)
    starts = {(flow.target_type, flow.target_service) for flow in flows if not flow.source_type}
    return _map(tallies, starts, owed, "type", detail)


def topics(flows: Sequence[Flow], waiting: Sequence[Waiting], detail: int | None = None) -> Map:
    """Topics as boxes; a wire for each service that answers what it reads on one by an event on another."""
    of_event = {(flow.target_type, flow.target_service): flow.topic for flow in flows}
    of_type = {kind: topic for (kind, _), topic in sorted(of_event.items())}
    tallies: dict[_Between, _Tally] = defaultdict(_Tally)
    for flow in flows:
        if flow.source_type:
            source = of_event.get((flow.source_type, flow.source_service)) or of_type.get(flow.source_type, "")
            tallies[(source, ""), (flow.topic, ""), flow.target_service].flow(flow)
    owed: list[tuple[_End, Waiting]] = []
    for wait in waiting:
        target = (of_type.get(wait.awaited.split(" or ")[0], ""), "")
        owed.append((target, wait))
        for name in wait.after:
            tallies[(of_type.get(name, ""), ""), target, wait.service].wait(wait)
    starts = {(flow.topic, "") for flow in flows if not flow.source_type}
    return _map(tallies, starts, owed, "topic", detail)


def _homes(flows: Iterable[Flow]) -> dict[str, str]:
    """The service that emits each event type; of several the first by name."""
    homes: dict[str, str] = {}
    pairs = {(flow.source_type, flow.source_service) for flow in flows if flow.source_type}
    pairs |= {(flow.target_type, flow.target_service) for flow in flows}
    for name, service in sorted(pairs):
        homes.setdefault(name, service)
    return homes


_PLURAL: dict[Kind, str] = {"service": "services", "type": "event types", "topic": "topics"}


def _map(
    tallies: Mapping[_Between, _Tally],
    starts: set[_End],
    owed: Iterable[tuple[_End, Waiting]],
    kind: Kind,
    detail: int | None,
) -> Map:
    ends = sorted({end for source, target, _ in tallies for end in (source, target)} | starts)
    chosen = _chosen(tallies, detail)
    left_out = len(tallies) - len(chosen)
    reached = {end for source, target, _ in chosen for end in (source, target)}
    drawn = _busiest([end for end in ends if end in reached] if left_out else ends, tallies)
    waits: dict[_End, list[Waiting]] = defaultdict(list)
    for end, wait in owed:
        waits[end].append(wait)
    boxes = [_box(end, kind, end in starts, waits[end]) for end in ends if end in drawn]
    kept = {between: tally for between, tally in sorted(chosen.items()) if drawn.issuperset(between[:2])}
    wires = [_wire(between, (between[2],), tally, kind) for between, tally in kept.items()]
    if len(wires) > MAX_WIRES:
        wires = list(_bundled(kept, kind))
    return Map(tuple(boxes), tuple(wires), len(ends) - len(boxes), left_out, _PLURAL[kind])


def _chosen(tallies: Mapping[_Between, _Tally], detail: int | None) -> Mapping[_Between, _Tally]:
    """The busiest wires; those that somebody is overdue on are among them, however rare."""
    most = READABLE if detail is None else ceil(len(tallies) * detail / 100)
    if most >= len(tallies):
        return tallies
    order = sorted(tallies, key=lambda between: (-tallies[between].count, -tallies[between].waiting, between))
    kept = set(order[:most]) | {between for between in order if tallies[between].overdue}
    return {between: tally for between, tally in tallies.items() if between in kept}


def _busiest(ends: list[_End], tallies: Mapping[_Between, _Tally]) -> set[_End]:
    if len(ends) <= MAX_BOXES:
        return set(ends)
    counts: dict[_End, int] = defaultdict(int)
    for (source, target, _), tally in tallies.items():
        counts[source] += tally.count
        counts[target] += tally.count
    return set(sorted(ends, key=lambda end: (-counts[end], end))[:MAX_BOXES])


def _box(end: _End, kind: Kind, starts: bool, waits: Sequence[Waiting]) -> Box:
    name, under = end
    data = {"kind": kind, kind: name} | ({"service": under} if kind == "type" else {})
    waiting, overdue = sum(wait.count for wait in waits), sum(wait.overdue for wait in waits)
    return Box(digest(*end), name or UNKNOWN, under, starts, waiting, overdue, data)


def _wire(between: _Between, names: tuple[str, ...], tally: _Tally, kind: Kind) -> Wire:
    """`names`: of event types, or between topics of the services."""
    (source, _), (target, under), _ = between
    data: dict[str, Any] = {"kind": "hop" if kind == "topic" else "flow", "awaited": list(tally.awaited)}
    data |= {"services" if kind == "topic" else "types": list(names)}
    if kind == "service":
        data |= {"source_service": source, "target_service": target}
    elif kind == "type":
        data |= {"target": target, "service": under}
    many = f"{len(names)} services" if kind == "topic" else f"{len(names)} event types"
    return Wire(
        key=digest(*between[0], *between[1], *names),
        source=digest(*between[0]),
        target=digest(*between[1]),
        name=names[0] if len(names) == 1 else many,
        named=kind != "type",
        count=tally.count,
        p95=tally.p95,
        failure=tally.failure and tally.count > 0,
        waiting=tally.waiting,
        overdue=tally.overdue,
        awaited=tally.awaited,
        data=data,
        learned=tally.learned,
    )


def _bundled(tallies: Mapping[_Between, _Tally], kind: Kind) -> Iterable[Wire]:
    """One wire for all from one box to another."""
    pairs: dict[tuple[_End, _End], list[tuple[str, _Tally]]] = defaultdict(list)
    for (source, target, name), tally in tallies.items():
        pairs[source, target].append((name, tally))
    for (source, target), found in pairs.items():
        tallied = [tally for _, tally in found]
        whole = _Tally(
            count=sum(one.count for one in tallied),
            p95=max((one.p95 for one in tallied if one.p95 is not None), default=None),
            failure=all(one.failure for one in tallied),
            waiting=sum(one.waiting for one in tallied),
            overdue=sum(one.overdue for one in tallied),
            awaited=tuple(awaited for one in tallied for awaited in one.awaited),
            learned=sum(one.learned for one in tallied),
        )
        yield _wire((source, target, ""), tuple(name for name, _ in found), whole, kind)
