"""Where the boxes and wires of a map go.

Boxes stand in every second column; the columns between them hold the wires' labels, each on a level stretch of its
wire, so that a label is as much a thing of its own as a box is, and nothing can cover it. A wire that leads back is
drawn like one that leads on, with its arrow at the other end; one between boxes of the same layer, or from a box to
itself, turns around in the column of labels behind them.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from itertools import pairwise

import msgspec

from dashboard.graphs import text
from dashboard.graphs.flows import Box, Map, Wire
from dashboard.graphs.layers import heights, layers, orders
from dashboard.graphs.routing import Channel, Station
from dashboard.graphs.spacing import Column, Curve, Label, across

NAME, SMALL = 12.0, 11.0
"""Font sizes of boxes and of wires."""
BOX_ROOM, WIRE_ROOM = 150.0, 132.0
PORT = 18.0
"""Between two wires at the side of a box."""
BOX_HALF = 23.0
LABEL_ABOVE, LABEL_BELOW, TEXT_LINE = 28.0, 14.0, 14.0
"""Room above a wire for one line of text, below it for half a badge, and for each further line of text."""
LIFT, NEAR = 21.0, 2.0
"""From a wire up to the middle of the text above it: as much as a badge on the wire needs. Words of their own stand no
nearer than this."""
BACK = "← "
TURN = 19.0
"""Half the height of a wire that turns around."""
BADGE = 13.0
PASS = 4.0
"""Half of what a wire needs that only passes through a column."""
TIP = 7.0
"""The length of an arrow's head."""
GAP = 5.0
REMEMBERED = 100
"""Maps whose places are remembered."""
APRON = 10.0
"""Beside a box, where wires are level and arrows point: not stretched."""
_WIDEST_RATE = "<0.01/min · 9.9 min"
_WIDEST_STATE = "9999 overdue"


class Item(msgspec.Struct):
    """A thing in a column: a box, a wire's label, or the place where a wire passes through. `hangs`: the text of a
    label reaches from so far below the wire to so far below it, and may reach beyond its column."""

    column: int
    above: float
    below: float
    wide: float = 0.0
    box: str = ""
    y: float = 0.0
    hangs: tuple[float, float] | None = None


class Run(msgspec.Struct):
    """A wire's way from left to right: its items, the one with its label, and whether it is drawn backwards."""

    wire: Wire
    items: list[int]
    label: int
    backward: bool = False
    turns: bool = False
    stations: list[list[Station]] = []


class Wiring(msgspec.Struct):
    """A map at its place. `zones`: each column's left and right, a box's apron included."""

    graph: Map
    items: list[Item]
    boxes: dict[str, int]
    runs: list[Run]
    zones: list[tuple[float, float]]
    channels: list[Channel]


class Outline:
    """A map but for its numbers: what decides where everything goes. Two with the same are equal."""

    def __init__(self, graph: Map) -> None:
        self.graph = graph
        self._boxes = tuple((box.key, box.name, box.under, box.starts, box.layer) for box in graph.boxes)
        self._wires = tuple(
            (wire.key, wire.source, wire.target, wire.name, wire.named, wire.failure, wire.words)
            for wire in graph.wires
        )

    def __hash__(self) -> int:
        return hash((self._boxes, self._wires))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Outline) and (self._boxes, self._wires) == (other._boxes, other._wires)


def place(graph: Map) -> Wiring:
    """A live map is drawn anew all the time, and stays where it was."""
    placed = _placed(Outline(graph))
    wires = {wire.key: wire for wire in graph.wires}
    runs = [msgspec.structs.replace(run, wire=wires[run.wire.key]) for run in placed.runs]
    return msgspec.structs.replace(placed, graph=graph, runs=runs)


@lru_cache(maxsize=REMEMBERED)
def _placed(outline: Outline) -> Wiring:
    graph = outline.graph
    layer = layers(graph)
    items: list[Item] = []
    boxes: dict[str, int] = {}
    for box in graph.boxes:
        boxes[box.key] = len(items)
        items.append(Item(layer[box.key] * 2, 0, 0, _box_width(box), box.key))
    runs = _runs(graph, layer, items, boxes)
    edges = [pair for run in runs for pair in _pairs(run)]
    _box_heights(items, edges)
    order = orders([item.column for item in items], edges)
    above, below = [item.above + GAP for item in items], [item.below + GAP for item in items]
    for item, level in zip(items, heights(order, [run.items for run in runs], above, below), strict=True):
        item.y = level
    ports = _ports(items, runs)
    zones, channels = across(*_columns(items, runs, ports))
    wiring = Wiring(graph, items, boxes, runs, zones, channels)
    for number, run in enumerate(runs):
        run.stations = _ways(wiring, run, ports[number, 0], ports[number, 1])
    return wiring


def _box_width(box: Box) -> float:
    name = text.width(text.short(box.name, BOX_ROOM, NAME, bold=True), NAME, bold=True)
    under = text.width(text.short(box.under, BOX_ROOM, SMALL), SMALL) if box.under else 0.0
    return max(name, under, text.width(_WIDEST_STATE, SMALL)) + 16 + 2 * APRON


def label(wire: Wire, backward: bool) -> str:
    """The name as it is written at the wire: one that leads back says so."""
    lead = BACK if backward else ""
    return lead + text.short(wire.name, WIRE_ROOM - text.width(lead, SMALL, bold=True), SMALL, bold=True)


def _label_item(wire: Wire, column: int, backward: bool, turns: bool) -> Item:
    wide = text.width(wire.words or _WIDEST_RATE, SMALL)
    if wire.words and backward:
        wide += text.width(BACK, SMALL)
    if wire.named:
        wide = max(wide, text.width(label(wire, backward), SMALL, bold=True))
    if turns:
        return Item(column, TURN + 3, TURN + 3, wide + TURN + BADGE + 12)
    above = LABEL_ABOVE + (TEXT_LINE if wire.named else 0)
    return Item(column, above, LABEL_BELOW, wide + 4, hangs=(-above, -NEAR if wire.words else -LIFT + TEXT_LINE / 2))


def _runs(graph: Map, layer: dict[str, int], items: list[Item], boxes: dict[str, int]) -> list[Run]:
    """The items of each wire; its label goes where there are the fewest so far, and then near its source."""
    load: dict[int, int] = defaultdict(int)
    runs = []
    for wire in sorted(graph.wires, key=lambda one: abs(layer[one.source] - layer[one.target])):
        source, target = layer[wire.source] * 2, layer[wire.target] * 2
        backward, turns = source > target, source == target
        between = list(range(min(source, target) + 1, max(source, target))) or [source + 1]
        chosen = min(between[::2], key=lambda column: (load[column], abs(column - source)))
        load[chosen] += 1
        way = []
        for column in between:
            way.append(len(items))
            here = column == chosen
            items.append(_label_item(wire, column, backward, turns) if here else Item(column, PASS, PASS))
        ends = (wire.target, wire.source) if backward else (wire.source, wire.target)
        mark = way[between.index(chosen)]
        runs.append(Run(wire, [boxes[ends[0]], *way, boxes[ends[1]]], mark, backward, turns))
    return runs


def _pairs(run: Run) -> list[tuple[int, int]]:
    """Its edges between neighbouring columns, the left item first."""
    if run.turns:
        return [(run.items[0], run.label), (run.items[2], run.label)]
    return list(zip(run.items, run.items[1:], strict=False))


def _box_heights(items: list[Item], edges: list[tuple[int, int]]) -> None:
    """As high as the ports of its busier side need."""
    ports: dict[tuple[int, int], int] = defaultdict(int)
    for left, right in edges:
        ports[left, 1] += 1
        ports[right, 0] += 1
    for number, item in enumerate(items):
        if item.box:
            needed = max(ports[number, 0], ports[number, 1]) * PORT / 2 + 6
            item.above = item.below = max(BOX_HALF, needed)


def _ports(items: list[Item], runs: list[Run]) -> dict[tuple[int, int], float]:
    """The height of each end of a wire (its number, and 0 or 1) at its box, in the order of where wires come from."""
    ends: dict[tuple[int, bool], list[tuple[float, int, int]]] = defaultdict(list)
    for number, run in enumerate(runs):
        first, last = run.items[0], run.items[-1]
        near, far = items[run.items[1]].y, items[run.items[-2]].y
        if run.turns:
            up = -TURN if _turns_down(run, items) else TURN
            near, far = near + up, far - up
        ends[first, True].append((near, number, 0))
        ends[last, run.turns].append((far, number, 1))
    ports: dict[tuple[int, int], float] = {}
    for (box, _), wires in ends.items():
        for place, (_, number, end) in enumerate(sorted(wires)):
            ports[number, end] = items[box].y + (place - (len(wires) - 1) / 2) * PORT
    return ports


def _columns(
    items: list[Item], runs: list[Run], ports: dict[tuple[int, int], float]
) -> tuple[list[Column], list[list[Curve]]]:
    """What there is in each column, and how the wires go from each to the next."""
    count = max((item.column for item in items), default=-1) + 1
    columns = [Column() for _ in range(count)]
    curves: list[list[Curve]] = [[] for _ in range(count)]
    for item in items:
        column = columns[item.column]
        if item.hangs:
            column.labels.append(Label(item.wide, item.y + item.hangs[0], item.y + item.hangs[1]))
        else:
            column.wide = max(column.wide, item.wide)
    for number, run in enumerate(runs):
        first, last = ports[number, 0], ports[number, 1]
        after = items[run.items[0]].column
        if run.turns:
            y, up = items[run.label].y, -TURN if _turns_down(run, items) else TURN
            curves[after] += [(first, y + up), (last, y - up)]
            continue
        heights = [first, *(items[at].y for at in run.items[1:-1]), last]
        for step, curve in enumerate(pairwise(heights)):
            curves[after + step].append(curve)
    return columns, curves


def _turns_down(run: Run, items: list[Item]) -> bool:
    """Whether a wire that turns leaves its source on the upper side."""
    return items[run.items[0]].y <= items[run.items[-1]].y


def _ways(wiring: Wiring, run: Run, first: float, last: float) -> list[list[Station]]:
    items, zones = wiring.items, wiring.zones
    left, right = items[run.items[0]], items[run.items[-1]]
    edge = zones[left.column][1]
    begin = edge - APRON + (TIP if run.backward else 0)
    if run.turns:
        start, end = zones[items[run.label].column]
        y, up = items[run.label].y, -TURN if _turns_down(run, items) else TURN
        bend = end - BADGE - TURN
        return [
            [(begin, edge, first), (start, bend, y + up)],
            [(begin + TIP, edge, last), (start, bend, y - up)],
        ]
    stop = zones[right.column][0] + APRON - (0 if run.backward else TIP)
    through = [(*zones[items[at].column], items[at].y) for at in run.items[1:-1]]
    return [[(begin, edge, first), *through, (zones[right.column][0], stop, last)]]
