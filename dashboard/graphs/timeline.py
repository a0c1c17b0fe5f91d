"""One transaction over true time: a lane per service; a bar from what a service reacted to until it spoke.

What overlaps in time stands in rows below each other. A name stands above its bar where nothing passes; where there is
no such place it is left to the pointer and the table.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from datetime import datetime

import msgspec

from dashboard.graphs import text
from dashboard.graphs.scene import Anchor
from dashboard.graphs.steps import Step, Steps
from dashboard.graphs.timescale import Scale, scale

TITLE, SMALL = 12.0, 11.0
NAME_ROOM, LANE_ROOM = 168.0, 132.0
MARGIN, RADIUS = 12.0, 8.0
ABOVE, BELOW, CLOCK = 27.0, 13.0, 14.0
"""Room of a row above and below its bar; and for a running clock."""
MOST_ROWS = 8
"""Of one lane; what needs more is drawn on top of what is there, as one."""
_LONGEST_CLOCK = "waiting 59 min 59 s"
_PLACES: tuple[tuple[Anchor, float], ...] = (
    ("middle", 0.0),
    ("end", RADIUS),
    ("start", -RADIUS),
    ("end", -4.0),
    ("start", 4.0),
)
"""Which end of a name is where, from its sign: over it, then beside what rises from it."""


class Bar(msgspec.Struct):
    """A step at its place. `since`: where the pixels of its causes begin; `wide`: how many its words take; `more`:
    steps that are drawn as this one."""

    step: Step
    x: float
    since: float
    until: float
    title: str
    word: str
    wide: float
    row: int = 0
    y: float = 0.0
    anchor: Anchor | None = None
    at: float = 0.0
    more: int = 0

    def call(self, title: str) -> None:
        self.title = title
        clock = text.width(_LONGEST_CLOCK, SMALL) if self.step.clock else 0.0
        self.wide = max(text.width(title, TITLE, bold=True), clock)

    def spread(self, anchor: Anchor, at: float) -> tuple[float, float]:
        """Where its name begins and ends, if that end of it is there."""
        begin = at - self.wide * {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
        return begin, begin + self.wide


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
    names = [text.short(lane, LANE_ROOM, TITLE, bold=True) for lane in lanes]
    left = MARGIN + max(text.width(name, TITLE, bold=True) for name in names) + 30
    start = min(at for _, at in timed)
    seconds = {step.key: (at - start).total_seconds() for step, at in timed}
    across = scale(list(seconds.values()), left)
    bars = {step.key: _bar(step, across.x(seconds[step.key]), now) for step, _ in timed}
    for link in graph.links:
        if link.source in bars and link.target in bars:
            source, target = bars[link.source], bars[link.target]
            target.since, target.until = min(target.since, source.x), max(target.until, source.x)
    shown, bands = _rows(bars, lanes)
    _name(_between(graph, shown), shown, left)
    return Plan(_between(graph, shown), shown, bands, across, left)


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
    bar = Bar(step, x, x, x, "", step.clock.text(now) if step.clock else "", 0.0)
    bar.call(text.short(" ".join(step.title), NAME_ROOM, TITLE, bold=True))
    return bar


def _rows(bars: dict[str, Bar], lanes: list[str]) -> tuple[dict[str, Bar], dict[str, tuple[float, float]]]:
    """The first free row of its lane for each, by when its bar begins."""
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
            name = text.short(" ".join(nearest.step.title), NAME_ROOM, TITLE, bold=True)
            nearest.call(f"{name} +{nearest.more}")
            full[beside_it] = _ends(nearest)
            shown[key] = nearest
            continue
        bar.row, rows[free], full[free] = free, bar, _ends(bar)
        shown[key] = bar
    bands, top = {}, MARGIN
    for lane in lanes:
        tall = max((CLOCK for bar in ends[lane] if bar.step.clock), default=0.0)
        pitch = ABOVE + BELOW + tall
        for bar in shown.values():
            if bar.step.lane == lane:
                bar.y = top + bar.row * pitch + ABOVE
        bands[lane] = (top, top + len(ends[lane]) * pitch + 4)
        top = bands[lane][1]
    return shown, bands


def _begins(bar: Bar) -> float:
    """Where its row is no longer free: at the bar, or at the name above its end."""
    return min(bar.since - RADIUS, bar.x - bar.wide / 2)


def _ends(bar: Bar) -> float:
    return max(bar.until + RADIUS, bar.x + RADIUS, bar.x + bar.wide / 2)


def _name(graph: Steps, bars: dict[str, Bar], left: float) -> None:
    """Gives each name the first of its places that no way from cause to effect crosses and no other name is in."""
    crossings = sorted(
        (source.x, min(source.y, target.y), max(source.y, target.y))
        for source, target in ((bars[link.source], bars[link.target]) for link in graph.links)
        if source.y != target.y
    )
    xs = [x for x, _, _ in crossings]
    taken: dict[float, list[tuple[float, float]]] = defaultdict(list)  # apart from each other, in their order
    for bar in {id(bar): bar for bar in bars.values()}.values():
        top, bottom = bar.y - ABOVE, bar.y - RADIUS + (RADIUS + BELOW + CLOCK if bar.step.clock else 0.0)
        names = taken[bar.y]
        for anchor, beside in _PLACES:
            begin, end = bar.spread(anchor, bar.x + beside)
            if begin < left - 22:
                continue
            at = bisect_left(names, (begin, end))
            if (at and begin < names[at - 1][1] + 4) or (at < len(names) and names[at][0] < end + 4):
                continue
            passing = crossings[bisect_left(xs, begin - 1.5) : bisect_left(xs, end + 1.5)]
            if any(low < bottom and high > top for _, low, high in passing):
                continue
            bar.anchor, bar.at = anchor, bar.x + beside
            names.insert(at, (begin, end))
            break
