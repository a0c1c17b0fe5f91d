"""One transaction over true time: a lane per service; a bar from what a service reacted to until it spoke.

What overlaps in time stands in rows below each other. A name stands where nothing passes (timeline_names.py); where
there is no such place it is left to the pointer and the table.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

import msgspec

from dashboard.graphs import text
from dashboard.graphs.steps import Step, Steps
from dashboard.graphs.timeline_names import LINE, RADIUS, TITLE, Name, Sign, names, width
from dashboard.graphs.timescale import Scale, scale

NAME_ROOM, LANE_ROOM = 168.0, 132.0
MARGIN = 12.0
ABOVE, BELOW, CLOCK, NAME = 27.0, 13.0, 14.0, 19.0
"""Room of a row above and below its bar; and for a running clock, or a name, below it."""
MOST_ROWS = 8
"""Of one lane; what needs more is drawn on top of what is there, as one."""


class Bar(msgspec.Struct):
    """A step at its place. `since`: where the pixels of its causes begin; `wide`: how many its words take; `row`: of
    the whole drawing; `more`: steps that are drawn as this one."""

    step: Step
    x: float
    since: float
    until: float
    titles: tuple[str, ...]
    word: str
    wide: float
    row: int = 0
    y: float = 0.0
    name: Name | None = None
    more: int = 0

    def call(self, titles: tuple[str, ...]) -> None:
        self.titles = titles
        self.wide = width(titles, self.step.clock is not None)


class Plan(msgspec.Struct, frozen=True):
    graph: Steps
    bars: dict[str, Bar]
    """By their steps' keys; those drawn as one lead to the same."""
    bands: dict[str, tuple[float, float]]
    scale: Scale
    left: float


def place(graph: Steps, now: datetime) -> Plan:
    """Only steps that have a time: those that happened, and those that are awaited."""
    timed = [(step, at) for step in graph.steps if (at := _at(step, now))]
    if not timed:
        return Plan(graph, {}, {}, scale([0.0], 0.0), 0.0)
    lanes = _lanes([step for step, _ in timed])
    shown_lanes = [text.short(lane, LANE_ROOM, TITLE, bold=True) for lane in lanes]
    left = MARGIN + max(text.width(name, TITLE, bold=True) for name in shown_lanes) + 30
    start = min(at for _, at in timed)
    seconds = {step.key: (at - start).total_seconds() for step, at in timed}
    across = scale(list(seconds.values()), left)
    bars = {step.key: _bar(step, across.x(seconds[step.key]), now) for step, _ in timed}
    for link in graph.links:
        if link.source in bars and link.target in bars:
            source, target = bars[link.source], bars[link.target]
            target.since, target.until = min(target.since, source.x), max(target.until, source.x)
    shown, counts = _rows(bars, lanes)
    known_links = _between(graph, shown)
    _name(known_links, shown, left)
    return Plan(known_links, shown, _heights(shown, counts), across, left)


def _between(graph: Steps, bars: dict[str, Bar]) -> Steps:
    return Steps(
        tuple(step for step in graph.steps if step.key in bars),
        tuple(link for link in graph.links if link.source in bars and link.target in bars),
    )


def known(plan: Plan, graph: Steps) -> Plan:
    """The plan with the steps and links of `graph`, which are the same ones as they were known at some moment."""
    steps = {step.key: step for step in graph.steps}
    for bar in plan.bars.values():
        bar.step = steps[bar.step.key]
    return msgspec.structs.replace(plan, graph=_between(graph, plan.bars))


def _at(step: Step, now: datetime) -> datetime | None:
    if step.clock is None:
        return step.at
    return step.clock.at if step.clock.down else now


def _lanes(steps: list[Step]) -> list[str]:
    return list(dict.fromkeys(step.lane for step in sorted(steps, key=lambda step: step.order)))


def _bar(step: Step, x: float, now: datetime) -> Bar:
    bar = Bar(step, x, x, x, (), step.clock.text(now) if step.clock else "", 0.0)
    bar.call(_titles(step))
    return bar


def _titles(step: Step) -> tuple[str, ...]:
    return tuple(text.short(line, NAME_ROOM, TITLE, bold=True) for line in step.title)


def _rows(bars: dict[str, Bar], lanes: list[str]) -> tuple[dict[str, Bar], dict[str, int]]:
    """The first free row of its lane for each, by when its bar begins; and how many rows each lane has."""
    shown: dict[str, Bar] = {}
    ends: dict[str, list[Bar]] = defaultdict(list)
    taken: dict[str, list[float]] = defaultdict(list)
    for key, bar in sorted(bars.items(), key=lambda item: (item[1].since, item[1].x, item[1].step.order)):
        rows, full = ends[bar.step.lane], taken[bar.step.lane]
        begins = _begins(bar)
        free = next((row for row, until in enumerate(full) if begins > until + 10), None)
        if free is None and len(rows) < MOST_ROWS:
            free = len(rows)
            rows.append(bar)
            full.append(0.0)
        if free is None:  # bars may then run through each other, but signs may not lie on each other
            beside = [row for row, last in enumerate(rows) if bar.x > last.x + 2 * RADIUS + 2]
            free = min(beside, key=lambda row: rows[row].x, default=None)
        if free is None:
            beside_it = min(range(len(rows)), key=lambda row: abs(rows[row].x - bar.x))
            nearest = rows[beside_it]
            nearest.more += 1
            *first, last_line = _titles(nearest.step)
            nearest.call((*first, f"{last_line} +{nearest.more}"))
            full[beside_it] = _ends(nearest)
            shown[key] = nearest
            continue
        bar.row, rows[free], full[free] = free, bar, _ends(bar)
        shown[key] = bar
    first_row, counts = 0, {}
    for lane in lanes:
        for bar in _each(shown):
            if bar.step.lane == lane:
                bar.row += first_row
        counts[lane] = len(ends[lane])
        first_row += counts[lane]
    return shown, counts


def _each(bars: dict[str, Bar]) -> list[Bar]:
    return list({id(bar): bar for bar in bars.values()}.values())


def _begins(bar: Bar) -> float:
    """Where its row is no longer free: at the bar, or at the name above its end."""
    return min(bar.since - RADIUS, bar.x - bar.wide / 2)


def _ends(bar: Bar) -> float:
    return max(bar.until + RADIUS, bar.x + RADIUS, bar.x + bar.wide / 2)


def _name(graph: Steps, bars: dict[str, Bar], left: float) -> None:
    each = _each(bars)
    signs = [Sign(bar.step.key, bar.x, bar.row, bar.titles, bar.step.clock is not None) for bar in each]
    found = names(signs, graph.links, {key: (bar.x, bar.row) for key, bar in bars.items()}, left - 22)
    for bar in each:
        bar.name = found.get(bar.step.key)


def _heights(bars: dict[str, Bar], counts: dict[str, int]) -> dict[str, tuple[float, float]]:
    """Gives each bar its height, with room for what stands above and below it; and says where lanes begin and end."""
    above: dict[int, float] = defaultdict(lambda: ABOVE)
    below: dict[int, float] = defaultdict(lambda: BELOW)
    for bar in bars.values():
        more = LINE * (len(bar.name.lines) - 1) if bar.name else 0.0
        if bar.name and bar.name.below:
            below[bar.row] = max(below[bar.row], BELOW + NAME + more)
        else:
            above[bar.row] = max(above[bar.row], ABOVE + more)
        if bar.step.clock:
            below[bar.row] = max(below[bar.row], BELOW + CLOCK)
    bands, ys, top, row = {}, [], MARGIN, 0
    for lane, count in counts.items():
        begin = top
        for at in range(row, row + count):
            ys.append(top + above[at])
            top += above[at] + below[at]
        row, top = row + count, top + 4
        bands[lane] = (begin, top)
    for bar in bars.values():
        bar.y = ys[bar.row]
    return bands
