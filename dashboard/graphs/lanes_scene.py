"""The scene of a transaction: its plan with shapes, colours and words."""

from __future__ import annotations

from math import ceil

from dashboard.graphs import signs, text
from dashboard.graphs.lanes import ABOVE, ARROW, BELOW, LANE_ROOM, LINE, MARGIN, SMALL, TITLE, Placed, Plan, Route
from dashboard.graphs.legend import legend, of_steps
from dashboard.graphs.looks import LINKS, STEPS
from dashboard.graphs.routing import curve
from dashboard.graphs.scene import Box, Hit, Line, Mark, Scene, Stop, Stretch, Text, nothing
from dashboard.graphs.sentences import link_hover, step_sentence

NARROWEST = 200
"""What its legend needs."""
STRETCH = 2.0
"""Where the page is wide, a channel grows by at most so many times its width."""


def scene(plan: Plan) -> Scene:
    if not plan.placed:
        return nothing("No events yet")
    wide = max(ceil(plan.zones[-1][1] + MARGIN), NARROWEST)
    order = list(LINKS)
    lines = [_line(route) for route in sorted(plan.routes, key=lambda one: order.index(one.link.basis))]
    steps = sorted(plan.placed.values(), key=lambda one: (one.column, one.y))
    names = _lane_names(plan)
    texts = [*names, *(label for _, label in plan.latencies)]
    for one in steps:
        texts += _step_texts(one)
    extents = [
        *plan.bands.values(),
        *((min(line.ys) - MARGIN / 2, max(line.ys) + MARGIN / 2) for line in lines),
        *(label.heights for label in texts),
    ]
    top, bottom = min(top for top, _ in extents) - 1, max(bottom for _, bottom in extents)
    marks, strokes, words, end = legend(of_steps(plan.graph), MARGIN, wide - MARGIN, bottom + 8)
    return Scene(
        width=wide,
        top=top,
        bottom=end + 2 if words else bottom + 1,
        bands=[*_bands(plan, wide), *(_alarm(one, plan) for one in steps if one.step.role == "overdue")],
        lines=[*lines, *strokes],
        marks=[
            *map(_arrow, plan.routes),
            *(sign for one in steps for sign in signs.of_step(one.step, one.x, one.y)),
            *marks,
        ],
        texts=[*texts, *words],
        hits=_hits(plan),
        stops=[Stop(one.step.key, one.x, one.y, step_sentence(one.step, one.word), one.step.data) for one in steps],
        stretch=[*(Stretch(c.start, c.end, STRETCH) for c in plan.channels), Stretch(wide - MARGIN, wide, 0)],
        names=names,
    )


def _bands(plan: Plan, wide: float) -> list[Box]:
    return [Box((0, top, wide, bottom), "lane") for top, bottom in list(plan.bands.values())[::2]]


def _alarm(one: Placed, plan: Plan) -> Box:
    left, right = plan.zones[one.column]
    return Box((left - 2, one.y - one.above - 4, right + 2, one.y + BELOW + 4), "overdue-soft", radius=6)


def _lane_names(plan: Plan) -> list[Text]:
    names = []
    for lane, (top, bottom) in plan.bands.items():
        name = text.short(lane, LANE_ROOM, TITLE, bold=True)
        names.append(Text(MARGIN, (top + bottom) / 2, name, TITLE, "ink", bold=True, anchor="start"))
    return names


def _line(route: Route) -> Line:
    stroke = LINKS[route.link.basis]
    xs, ys = curve(route.stations)
    return Line(xs, ys, stroke.ink, stroke.thick, stroke.dash)


def _arrow(route: Route) -> Mark:
    _, x, y = route.stations[-1]
    ink = LINKS[route.link.basis].ink
    return Mark(x + 0.5, y, "triangle-right", ARROW, ink, ink)


def _step_texts(one: Placed) -> list[Text]:
    look = STEPS[one.step.role]
    top = one.y - ABOVE + 9 - LINE * (len(one.titles) - 1)
    texts = [Text(one.x, top + row * LINE, title, TITLE, look.name, bold=True) for row, title in enumerate(one.titles)]
    if one.word:
        clock = one.step.clock
        running = None
        if clock:
            running = {"at": clock.at.timestamp() * 1000, "down": clock.down}
        texts.append(
            Text(one.x, one.y + 19, one.word, SMALL, signs.word_ink(one.step), reserve=one.reserve, clock=running)
        )
    return texts


def _hits(plan: Plan) -> list[Hit]:
    """Where a link answers to the pointer: in the middle of each channel that it crosses."""
    names = {step.key: " ".join(step.title) for step in plan.graph.steps}
    hits = []
    for route in plan.routes:
        hover = link_hover(route.link, names)
        key = f"{route.link.source}-{route.link.target}"
        for number, (channel, (left, right)) in enumerate(route.crossings[:3]):
            middle = (channel.start + channel.end) / 2
            hits.append(Hit(middle, (left + right) / 2, 18, hover, route.link.data, f"{key}-{number}"))
    return hits
