"""The live map as a graph: services or event types as boxes, and wires between them with what flows and waits there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from dashboard.graphs.graph import Flow, Waiting
from dashboard.graphs.steps import UNKNOWN, digest

MAX_WIRES = 80
"""With more, all wires from one box to another are drawn as one."""
MAX_BOXES = 300
"""With more, only those with the most events are drawn."""


class Box(msgspec.Struct, frozen=True):
    """A service or an event type. `waiting` and `overdue`: transactions that wait for it."""

    key: str
    name: str
    under: str
    starts: bool
    waiting: int
    overdue: int
    data: dict[str, Any]


class Wire(msgspec.Struct, frozen=True):
    """What flows from one box to another (their keys). `named`: its name is shown; `awaited`: what is awaited here."""

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
    words: str = ""
    """All that is written at it, where that does not change while it is looked at."""


class Map(msgspec.Struct, frozen=True):
    """The graph, in an order that depends on names alone. `hidden`: boxes that were too many."""

    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    hidden: int = 0


class _Tally(msgspec.Struct):
    """What is summed up for one wire."""

    count: int = 0
    p95: float | None = None
    failure: bool = True
    waiting: int = 0
    overdue: int = 0
    awaited: tuple[str, ...] = ()

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


_End = tuple[str, str]
"""A box before it is drawn: (name, what stands under it)."""
_Between = tuple[_End, _End, str]


def services(flows: Sequence[Flow], waiting: Sequence[Waiting]) -> Map:
    """Services as boxes; a wire for each event type of a service and each service that reacts to it."""
    home = _homes(flows)
    tallies: dict[_Between, _Tally] = defaultdict(_Tally)
    for flow in flows:
        if flow.source_type:
            tallies[(flow.source_service, ""), (flow.target_service, ""), flow.source_type].flow(flow)
    for wait in waiting:
        for name in wait.after:
            tallies[(home.get(name, ""), ""), (wait.service, ""), name].wait(wait)
    starts = {(flow.target_service, "") for flow in flows if not flow.source_type}
    return _map(tallies, starts, [((wait.service, ""), wait) for wait in waiting], "service")


def events(flows: Sequence[Flow], waiting: Sequence[Waiting]) -> Map:
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
    return _map(tallies, starts, owed, "type")


def _homes(flows: Iterable[Flow]) -> dict[str, str]:
    """The service that emits each event type; of several the first by name."""
    homes: dict[str, str] = {}
    pairs = {(flow.source_type, flow.source_service) for flow in flows if flow.source_type}
    pairs |= {(flow.target_type, flow.target_service) for flow in flows}
    for name, service in sorted(pairs):
        homes.setdefault(name, service)
    return homes


def _map(tallies: dict[_Between, _Tally], starts: set[_End], owed: Iterable[tuple[_End, Waiting]], kind: str) -> Map:
    ends = sorted({end for source, target, _ in tallies for end in (source, target)} | starts)
    drawn = _busiest(ends, tallies)
    waits: dict[_End, list[Waiting]] = defaultdict(list)
    for end, wait in owed:
        waits[end].append(wait)
    boxes = [_box(end, kind, end in starts, waits[end]) for end in ends if end in drawn]
    kept = {between: tally for between, tally in sorted(tallies.items()) if drawn.issuperset(between[:2])}
    wires = [_wire(between, (between[2],), tally, kind == "service") for between, tally in kept.items()]
    if len(wires) > MAX_WIRES:
        wires = list(_bundled(kept, kind))
    return Map(tuple(boxes), tuple(wires), len(ends) - len(boxes))


def _busiest(ends: list[_End], tallies: dict[_Between, _Tally]) -> set[_End]:
    if len(ends) <= MAX_BOXES:
        return set(ends)
    counts: dict[_End, int] = defaultdict(int)
    for (source, target, _), tally in tallies.items():
        counts[source] += tally.count
        counts[target] += tally.count
    return set(sorted(ends, key=lambda end: (-counts[end], end))[:MAX_BOXES])


def _box(end: _End, kind: str, starts: bool, waits: Sequence[Waiting]) -> Box:
    name, under = end
    data = (
        {"kind": "service", "service": name} if kind == "service" else {"kind": "type", "type": name, "service": under}
    )
    waiting, overdue = sum(wait.count for wait in waits), sum(wait.overdue for wait in waits)
    return Box(digest(*end), name or UNKNOWN, under, starts, waiting, overdue, data)


def _wire(between: _Between, types: tuple[str, ...], tally: _Tally, named: bool) -> Wire:
    (source, _), (target, under), _ = between
    data = {"kind": "flow", "types": list(types), "awaited": list(tally.awaited)}
    data |= {"source_service": source, "target_service": target} if named else {"target": target, "service": under}
    return Wire(
        key=digest(*between[0], *between[1], *types),
        source=digest(*between[0]),
        target=digest(*between[1]),
        name=types[0] if len(types) == 1 else f"{len(types)} event types",
        named=named,
        count=tally.count,
        p95=tally.p95,
        failure=tally.failure and tally.count > 0,
        waiting=tally.waiting,
        overdue=tally.overdue,
        awaited=tally.awaited,
        data=data,
    )


def _bundled(tallies: dict[_Between, _Tally], kind: str) -> Iterable[Wire]:
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
        )
        yield _wire((source, target, ""), tuple(name for name, _ in found), whole, kind == "service")
