"""Where the steps of a transaction go: a lane per service, a column per causal depth, labels beside what they name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise

import msgspec

from dashboard.graphs import text
from dashboard.graphs.fold import depths
from dashboard.graphs.routing import Channel, Spot, Station, Tracks
from dashboard.graphs.scene import Text, overlap
from dashboard.graphs.steps import Link, Step, Steps

TITLE, SMALL = 12.0, 11.0
"""Font sizes in pixels."""
NAME_ROOM, LANE_ROOM = 168.0, 132.0
"""Longer names of steps and of lanes are shortened."""
RADIUS, ARROW = 8.0, 9.0
ABOVE, BELOW, LINE = 27.0, 27.0, 15.0
"""Room that a step takes above and below its centre; and for a second line of its name."""
AISLE = 14.0
"""Between two rows: where edges pass."""
MARGIN, CHANNEL = 12.0, 54.0
_LONGEST_CLOCK = "waiting 59 min 59 s"


class Placed(msgspec.Struct):
    """A step with its column, place and texts."""

    step: Step
    column: int
    titles: tuple[str, ...]
    word: str
    reserve: str
    x: float = 0.0
    y: float = 0.0

    @property
    def wide(self) -> float:
        names = max(text.width(title, TITLE, bold=True) for title in self.titles)
        return max(names, text.width(self.word, SMALL), text.width(self.reserve, SMALL), 44.0)

    @property
    def above(self) -> float:
        return ABOVE + LINE * (len(self.titles) - 1)


class Route(msgspec.Struct):
    """A link's way: its stations, and the channels it crosses with the heights on both sides."""

    link: Link
    stations: list[Station]
    crossings: list[tuple[Channel, tuple[float, float]]]


class Plan(msgspec.Struct):
    """Everything of a transaction at its place. `bands`: each lane's top and bottom, in the order of the lanes;
    `zones`: each column's left and right; `channels` lie between them."""

    graph: Steps
    placed: dict[str, Placed]
    bands: dict[str, tuple[float, float]]
    zones: list[tuple[float, float]]
    channels: list[Channel]
    routes: list[Route]
    latencies: list[tuple[Link, Text]]


def known(plan: Plan, graph: Steps) -> Plan:
    """The plan with the steps and links of `graph`, which are the same ones as they were known at some moment."""
    steps = {step.key: step for step in graph.steps}
    links = {(link.source, link.target): link for link in graph.links}

    def then(link: Link) -> Link:
        return links[link.source, link.target]

    placed = {
        key: msgspec.structs.replace(one, step=steps[key], word=one.word if steps[key].word else "", reserve="")
        for key, one in plan.placed.items()
    }
    return msgspec.structs.replace(
        plan,
        graph=graph,
        placed=placed,
        routes=[msgspec.structs.replace(route, link=then(route.link)) for route in plan.routes],
        latencies=[(link, label) for link, label in plan.latencies if then(link).label],
    )


def place(graph: Steps, now: datetime) -> Plan:
    """Places a transaction that is small enough to be read (see `fold`)."""
    columns = depths(graph)
    lowest = min(columns.values(), default=0)
    placed = {step.key: _texts(step, columns[step.key] - lowest, now) for step in graph.steps}
    grid: list[list[Placed]] = [[] for _ in range(max((p.column + 1 for p in placed.values()), default=0))]
    for one in placed.values():
        grid[one.column].append(one)
    bands = _rows(graph, placed)
    zones, channels = _across(graph, placed, grid, bands)
    routes = _routes(graph, placed, grid, zones, channels)
    latencies = list(_latencies(routes, placed, zones))
    return Plan(graph, placed, bands, zones, channels, routes, latencies)


def _texts(step: Step, column: int, now: datetime) -> Placed:
    times = f" × {step.count}" if step.count > 1 else ""
    room = NAME_ROOM - text.width(times, TITLE, bold=True)
    titles = tuple(text.short(name, room, TITLE, bold=True) for name in step.title)
    word = step.clock.text(now) if step.clock else step.word
    return Placed(step, column, (*titles[:-1], titles[-1] + times), word, _LONGEST_CLOCK if step.clock else "")


def _rows(graph: Steps, placed: dict[str, Placed]) -> dict[str, tuple[float, float]]:
    """Heights: steps of one lane and column stand below each other, in the order of what led to them.

    Returns each lane's top and bottom, in order of first appearance; lanes without an event come last.
    """
    first: dict[str, int] = {}
    cells: dict[str, dict[int, list[Placed]]] = defaultdict(lambda: defaultdict(list))
    for step in graph.steps:
        order = step.order if step.order >= 0 else len(graph.steps) * 2
        first[step.lane] = min(order, first.get(step.lane, order))
        cells[step.lane][placed[step.key].column].append(placed[step.key])
    parents: dict[str, list[str]] = defaultdict(list)
    for link in graph.links:
        parents[link.target].append(link.source)
    bands = {}
    top = MARGIN
    for lane in sorted(first, key=lambda name: (first[name], name)):
        above = max(one.above for cell in cells[lane].values() for one in cell)
        pitch = above + BELOW + AISLE
        rows = max(map(len, cells[lane].values()))
        for column in sorted(cells[lane]):
            cell = cells[lane][column]
            cell.sort(key=lambda one: (_mean([placed[key].y for key in parents[one.step.key]]), one.step.order))
            start = top + AISLE / 2 + above + (rows - len(cell)) / 2 * pitch
            for row, one in enumerate(cell):
                one.y = start + row * pitch
        bands[lane] = (top, top + rows * pitch)
        top += rows * pitch
    return bands


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _across(
    graph: Steps, placed: dict[str, Placed], grid: list[list[Placed]], bands: dict[str, tuple[float, float]]
) -> tuple[list[tuple[float, float]], list[Channel]]:
    """Columns as wide as their texts, channels as wide as the latencies and curves in them need."""
    names = [text.short(lane, LANE_ROOM, TITLE, bold=True) for lane in bands]
    x = MARGIN + max((text.width(name, TITLE, bold=True) for name in names), default=0.0) + 16
    widest: dict[int, float] = defaultdict(float)
    crossing: dict[int, int] = defaultdict(int)
    for link in graph.links:
        right = placed[link.target].column
        for gap in range(placed[link.source].column, right):
            crossing[gap] += 1
        widest[right - 1] = max(widest[right - 1], text.width(link.label, SMALL))
    zones, channels = [], []
    for number, column in enumerate(grid):
        wide = max(one.wide for one in column) + 10
        zones.append((x, x + wide))
        for one in column:
            one.x = x + wide / 2
        x += wide
        if number + 1 < len(grid):
            room = max(CHANNEL, widest[number] + 24) + min(4 * max(crossing[number] - 1, 0), 56)
            channels.append(Channel(x, x + room, [], []))
            x += room
    return zones, channels


def _routes(
    graph: Steps,
    placed: dict[str, Placed],
    grid: list[list[Placed]],
    zones: list[tuple[float, float]],
    channels: list[Channel],
) -> list[Route]:
    """Each link's way; short links first, so that it is the long ones that go around."""
    tracks = [Tracks([(one.y - one.above, one.y + BELOW) for one in column]) for column in grid]
    routes = []
    for link in sorted(graph.links, key=lambda one: placed[one.target].column - placed[one.source].column):
        source, target = placed[link.source], placed[link.target]
        stations: list[Station] = [(source.x + RADIUS + 1, zones[source.column][1], source.y)]
        for column in range(source.column + 1, target.column):
            stations.append((*zones[column], tracks[column].take(stations[-1][2])))
        stations.append((zones[target.column][0], target.x - RADIUS - 6, target.y))
        heights = [station[2] for station in stations]
        crossed = list(zip(channels[source.column : target.column], pairwise(heights), strict=True))
        for channel, crossing in crossed:
            channel.curves.append(crossing)
        routes.append(Route(link, stations, crossed))
    return routes


def _latencies(
    routes: list[Route], placed: dict[str, Placed], zones: list[tuple[float, float]]
) -> Iterator[tuple[Link, Text]]:
    """A label beside each curve, near what it led to; where there is no free place it is left to the pointer."""
    arriving: dict[str, int] = defaultdict(int)
    for route in routes:
        arriving[route.link.target] += 1
    high = SMALL * 1.2
    for route in routes:
        label = route.link.label
        if not label:
            continue
        wide = text.width(label, SMALL)
        found = next(filter(None, (channel.place(at, wide, high) for channel, at in route.crossings[:-3:-1])), None)
        target = placed[route.link.target]
        if not found and arriving[route.link.target] == 1:
            found = _before(target, zones[target.column][0], wide, high)
        if found:
            x, y, anchor = found
            yield route.link, Text(x, y, label, SMALL, "muted", anchor=anchor)


def _before(target: Placed, left: float, wide: float, high: float) -> Spot | None:
    """A place under the level end of an edge, before its target."""
    x, y = target.x - RADIUS - ARROW, target.y + ARROW / 2 + 2 + high / 2
    rect = (x - wide, y - high / 2, x, y + high / 2)
    below = max(text.width(target.word, SMALL), text.width(target.reserve, SMALL)) / 2 if target.word else 0
    crowded = overlap(rect, (target.x - below, target.y + 10, target.x + below, target.y + BELOW), 2)
    return None if rect[0] < left or crowded else (x, y, "end")
