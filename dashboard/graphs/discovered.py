"""A discovered map as a graph: the most frequent steps first, as many as asked for, and always connected.

Every event type that is drawn lies on a drawn way from where transactions start to where they end: with each step come
the ways there and on whose rarest step is the most frequent (widest paths).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from math import ceil

import msgspec

MOST_STEPS = 120
"""With more, a drawing is a tangle that nobody reads."""
USUAL_STEPS, USUAL_SHARE = 36, 0.95
"""How much is drawn where nobody asked: the steps that make this share of all, if they are not too many."""

Pair = tuple[str, str]
_OUTSIDE = ""
"""Before the first event and after the last."""


class Kind(msgspec.Struct, frozen=True):
    """An event type with how many events, and how many transactions started and ended with one; `halted`: how many
    that have not ended came no further. `word`: what changed, in a comparison; `before`: how many events there were."""

    name: str
    service: str
    count: int
    starts: int = 0
    ends: int = 0
    failure: bool = False
    word: str = ""
    before: int | None = None
    halted: int = 0


class Step(msgspec.Struct, frozen=True):
    """An event of one type directly after one of another. `share` is of what came after the source; durations are in
    seconds. `word` and those `before`: as in a comparison. `weight`: what it counts for, where it does not occur any
    more."""

    source: str
    target: str
    count: int
    share: float
    p50: float | None = None
    p95: float | None = None
    failure: bool = False
    word: str = ""
    share_before: float | None = None
    p50_before: float | None = None
    weight: int = 0

    @property
    def rank(self) -> int:
        return max(self.count, self.weight)


class Discovered(msgspec.Struct, frozen=True):
    kinds: tuple[Kind, ...]
    steps: tuple[Step, ...]


class Shown(msgspec.Struct, frozen=True):
    """A part of a map. `share`: of all steps taken. `detail`: 0 to 100, as asked for or as is usual.
    `depths`: how many steps each event type is from a beginning, on the way whose rarest step is the most frequent."""

    kinds: tuple[Kind, ...]
    steps: tuple[Step, ...]
    depths: dict[str, int]
    detail: int
    share: float
    of_kinds: int
    of_steps: int


def shown(graph: Discovered, detail: int | None = None) -> Shown:
    """As much of it as `detail` says (0 to 100)."""
    seeds = _seeds(graph)
    came = _widest(graph, {kind.name: kind.starts for kind in graph.kinds}, onward=True)
    closures = _closures(graph, seeds, came)
    total = sum(step.count for step in graph.steps)
    wanted = ceil(len(seeds) * detail / 100) if detail is not None else _usual(graph, closures, total)
    steps: set[Pair] = set()
    kinds: set[str] = set()
    for pair, needed in list(zip(seeds, closures, strict=True))[: max(1, wanted)]:
        if len(steps | needed) > MOST_STEPS and steps:
            break
        steps |= needed
        kinds |= {pair[0]}.union(*needed)
    drawn = tuple(step for step in graph.steps if (step.source, step.target) in steps)
    whole = len(drawn) == len(graph.steps) and len(kinds) == len(graph.kinds)  # before the last seed, often
    return Shown(
        kinds=tuple(kind for kind in graph.kinds if kind.name in kinds),
        steps=drawn,
        depths={name: _depth(name, came) for name in kinds},
        detail=(100 if whole else ceil(100 * wanted / len(seeds))) if detail is None else detail,
        share=sum(step.count for step in drawn) / total if total else 1.0,
        of_kinds=len(graph.kinds),
        of_steps=len(graph.steps),
    )


def _seeds(graph: Discovered) -> list[Pair]:
    """Steps, and event types that nothing comes before or after; the most frequent first."""
    joined = {name for step in graph.steps for name in (step.source, step.target)}
    ranked = [(-step.rank, step.source, step.target) for step in graph.steps]
    ranked += [(-kind.count, kind.name, _OUTSIDE) for kind in graph.kinds if kind.name not in joined]
    return [(source, target) for _, source, target in sorted(ranked)]


def _depth(name: str, came: Mapping[str, str]) -> int:
    steps = 0
    while name := came.get(name, _OUTSIDE):
        steps += 1
    return steps


def _closures(graph: Discovered, seeds: Iterable[Pair], came: Mapping[str, str]) -> list[set[Pair]]:
    """For each seed the steps that connect it, itself included."""
    known = {(step.source, step.target) for step in graph.steps}
    goes = _widest(graph, {kind.name: kind.ends for kind in graph.kinds}, onward=False)
    found = []
    for source, target in seeds:
        needed = {(source, target)} & known
        at = source
        while at and came.get(at):
            needed.add((came[at], at))
            at = came[at]
        at = target
        while at and goes.get(at):
            needed.add((at, goes[at]))
            at = goes[at]
        found.append(needed)
    return found


def _widest(graph: Discovered, outside: Mapping[str, int], *, onward: bool) -> dict[str, str]:
    """For each event type the one before it (after it, unless `onward`) on the way from outside whose rarest step is
    the most frequent, then the shortest; _OUTSIDE where the way begins."""
    beside: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for step in graph.steps:
        if onward:
            beside[step.source].append((step.target, step.rank))
        else:
            beside[step.target].append((step.source, step.rank))
    todo: list[tuple[int, int, str, str]] = []
    for name, count in outside.items():
        if count:
            heappush(todo, (-count, 0, name, _OUTSIDE))
    came: dict[str, str] = {}
    while todo:
        width, hops, name, before = heappop(todo)
        if name in came:
            continue
        came[name] = before
        for other, count in beside[name]:
            if other not in came:
                heappush(todo, (max(width, -count), hops + 1, other, name))
    return came


def _usual(graph: Discovered, closures: list[set[Pair]], total: int) -> int:
    """How many seeds make USUAL_SHARE of what transactions did, or as many steps as are easily read."""
    counts = {(step.source, step.target): step.count for step in graph.steps}
    steps: set[Pair] = set()
    for number, needed in enumerate(closures):
        if number and len(steps | needed) > USUAL_STEPS:
            return number
        steps |= needed
        if total and sum(counts[pair] for pair in steps) >= USUAL_SHARE * total:
            return number + 1
    return len(closures)
