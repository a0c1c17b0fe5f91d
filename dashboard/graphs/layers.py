"""Which layer each box of a map stands in, and in which order things stand within their columns.

It depends on boxes and wires alone, never on the numbers at them, so that a live map stays where it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import median_low

import igraph

from dashboard.graphs.flows import Map

DEEPEST = 10
"""With more layers than this by longest paths, boxes go by their distance from the start instead."""


def layers(graph: Map) -> dict[str, int]:
    """The layer of each box (by key): starts first, each box after those that lead to it as far as there are no loops.

    Failure paths do not count, where a box is on another path too: they mostly lead back. Boxes that know their layers
    stand in these.
    """
    known = {box.key: box.layer for box in graph.boxes if box.layer is not None}
    if len(known) == len(graph.boxes):
        return known
    keys = [box.key for box in graph.boxes]
    usual = [(wire.source, wire.target) for wire in graph.wires if not wire.failure and wire.source != wire.target]
    reached = {key for pair in usual for key in pair}
    failing = [(wire.source, wire.target) for wire in graph.wires if wire.failure and wire.source != wire.target]
    usual += [pair for pair in failing if not reached.issuperset(pair)]
    onward: dict[str, list[str]] = defaultdict(list)
    surplus = dict.fromkeys(keys, 0)
    for source, target in dict.fromkeys(usual):
        onward[source].append(target)
        surplus[source] += 1
        surplus[target] -= 1
    starts = {box.key for box in graph.boxes if box.starts}
    name = {box.key: (box.name, box.under) for box in graph.boxes}
    roots = sorted(keys, key=lambda key: (key not in starts, -surplus[key], name[key]))
    forward = _without_loops(onward, roots)
    depth = _longest(forward, keys)
    if max(depth.values(), default=0) > DEEPEST:
        depth = _distance(onward, roots, starts or set(roots[:1]))
    return depth


def _without_loops(onward: Mapping[str, Sequence[str]], roots: Iterable[str]) -> dict[str, list[str]]:
    """The edges that do not lead back to where a depth-first search came from."""
    forward: dict[str, list[str]] = defaultdict(list)
    entered: set[str] = set()
    left: set[str] = set()
    for root in roots:
        if root in entered:
            continue
        entered.add(root)
        path = [(root, iter(onward.get(root, ())))]
        while path:
            at, rest = path[-1]
            for target in rest:
                if target in left or target not in entered:
                    forward[at].append(target)
                if target not in entered:
                    entered.add(target)
                    path.append((target, iter(onward.get(target, ()))))
                    break
            else:
                left.add(at)
                path.pop()
    return forward


def _longest(forward: Mapping[str, Sequence[str]], keys: Iterable[str]) -> dict[str, int]:
    depth = dict.fromkeys(keys, 0)
    before = dict.fromkeys(depth, 0)
    for targets in forward.values():
        for target in targets:
            before[target] += 1
    todo = [key for key, count in before.items() if not count]
    while todo:
        key = todo.pop()
        for target in forward.get(key, ()):
            depth[target] = max(depth[target], depth[key] + 1)
            before[target] -= 1
            if not before[target]:
                todo.append(target)
    return depth


def _distance(onward: Mapping[str, Sequence[str]], roots: Sequence[str], starts: set[str]) -> dict[str, int]:
    """The least number of steps from a start, breadth first; what no start leads to begins anew."""
    depth: dict[str, int] = {}
    for group in (sorted(starts), *([root] for root in roots)):
        todo = [key for key in group if key not in depth]
        steps = 0
        while todo:
            depth.update(dict.fromkeys(todo, steps))
            ahead = (target for key in todo for target in onward.get(key, ()))
            todo = [target for target in dict.fromkeys(ahead) if target not in depth]
            steps += 1
    return depth


def orders(columns: Sequence[int], edges: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Items by column, each column ordered so that few edges cross (K. Sugiyama et al., 1981, by igraph).

    `columns`: each item's column; `edges`: pairs of items in neighbouring columns, left one first.
    """
    found: list[list[int]] = [[] for _ in range(max(columns, default=-1) + 1)]
    if not columns:
        return found
    graph = igraph.Graph(n=len(columns), edges=list(dict.fromkeys(edges)), directed=True)
    places = graph.layout_sugiyama(layers=list(columns), maxiter=30).coords
    for item, column in enumerate(columns):
        found[column].append(item)
    return [sorted(column, key=lambda item: (places[item][0], item)) for column in found]


def heights(
    columns: Sequence[Sequence[int]], ways: Sequence[Sequence[int]], above: Sequence[float], below: Sequence[float]
) -> list[float]:
    """The height of each item: in its column's order, none touching another, ways level, boxes amid their wires.

    `ways`: the items that one wire goes over, its two boxes first and last. Columns are fitted to and fro; at the end
    the items of a way all ask for their middle height, so that it is level wherever there is room.
    """
    mates: dict[int, Sequence[int]] = {}
    ends: dict[int, tuple[int, int]] = {}
    beside: dict[int, list[int]] = defaultdict(list)
    for way in ways:
        inner = way[1:-1]
        for item in inner:
            mates[item], ends[item] = inner, (way[0], way[-1])
        beside[way[0]].append(way[1])
        beside[way[-1]].append(way[-2])
    y = [0.0] * len(above)

    def wanted(item: int, pull: float) -> float:
        if item not in mates:
            near = [y[other] for other in beside[item]]
            return sum(near) / len(near) if near else y[item]
        own = median_low([y[other] for other in mates[item]])
        first, last = ends[item]
        return own * (1 - pull) + (y[first] + y[last]) / 2 * pull

    for column in columns:
        _fit(column, [0.0] * len(column), above, below, y)
    for pull in (0.9, 0.7, 0.5, 0.3, 0.2, 0.1, 0.0, 0.0, 0.0, 0.0):
        for column in columns if int(pull * 10) % 2 else columns[::-1]:
            _fit(column, [wanted(item, pull) for item in column], above, below, y)
    _straighten(columns, ways, above, below, y)
    return y


def _straighten(
    columns: Sequence[Sequence[int]],
    ways: Sequence[Sequence[int]],
    above: Sequence[float],
    below: Sequence[float],
    y: list[float],
) -> None:
    """Makes a way quite level where its neighbours leave it the room: the longest first, which show it most."""
    over = {item: other for column in columns for other, item in pairwise(column)}
    under = {item: other for column in columns for item, other in pairwise(column)}
    for way in sorted(ways, key=len, reverse=True) * 2:
        inner = way[1:-1]
        low = max((y[over[i]] + below[over[i]] + above[i] for i in inner if i in over), default=float("-inf"))
        high = min((y[under[i]] - above[under[i]] - below[i] for i in inner if i in under), default=float("inf"))
        if low <= high:
            level = min(max(median_low([y[item] for item in inner]), low), high)
            for item in inner:
                y[item] = level


def _fit(
    column: Sequence[int], wanted: Sequence[float], above: Sequence[float], below: Sequence[float], y: list[float]
) -> None:
    """Least squares under the order and the distances: pool adjacent violators (M. Ayer et al., 1955)."""
    shift = 0.0
    shifts = []
    pools: list[tuple[float, int]] = []
    for number, item in enumerate(column):
        if number:
            shift += below[column[number - 1]] + above[item]
        shifts.append(shift)
        total, count = wanted[number] - shift, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            more, members = pools.pop()
            total, count = total + more, count + members
        pools.append((total, count))
    at = 0
    for total, count in pools:
        for number in range(at, at + count):
            y[column[number]] = total / count + shifts[number]
        at += count
