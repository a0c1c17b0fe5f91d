"""The scene of a transaction over time: its plan with shapes, colours and words."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from dashboard.graphs import signs, text
from dashboard.graphs.legend import legend, of_steps
from dashboard.graphs.looks import LINKS, STEPS
from dashboard.graphs.scene import Box, Hit, Line, Mark, Scene, Stop, Stretch, Text, nothing
from dashboard.graphs.sentences import link_hover, step_sentence
from dashboard.graphs.timeline import LANE_ROOM, MARGIN, Bar, Plan
from dashboard.graphs.timeline_names import LINE, LONGEST_CLOCK, SMALL, TITLE

AXIS = 34.0
GAP_SIGN = 7.0


def scene(plan: Plan) -> Scene:
    if not plan.bars:
        return nothing("No events yet")
    shown = list({id(bar): bar for bar in plan.bars.values()}.values())
    bottom = max(end for _, end in plan.bands.values())
    names = [name for bar in shown for name in _names(bar)]
    wide = ceil(max(plan.scale.right + 40, *(name.rect[2] for name in names), 320.0) + MARGIN)
    ticks, words = _axis(plan, bottom)
    lanes = list(_lanes(plan))
    keys, strokes, said, end = legend(of_steps(plan.graph), MARGIN, wide - MARGIN, bottom + AXIS + 4)
    return Scene(
        width=wide,
        top=MARGIN - 1,
        bottom=end + 2 if said else bottom + AXIS,
        bands=[*_bands(plan, wide), *_silences(plan, bottom)],
        lines=[*_ways(plan), *ticks, *strokes],
        marks=[*(sign for bar in shown for sign in _signs(bar)), *keys],
        texts=[*lanes, *names, *words, *said],
        hits=list(_hits(plan)),
        stops=[Stop(bar.step.key, bar.x, bar.y, step_sentence(bar.step, bar.word), bar.step.data) for bar in shown],
        stretch=[Stretch(plan.left, plan.scale.right, 1.0), Stretch(wide - MARGIN, wide, 0)],
        names=lanes,
    )


def _bands(plan: Plan, wide: float) -> list[Box]:
    return [Box((0, top, wide, bottom), "lane") for top, bottom in list(plan.bands.values())[::2]]


def _silences(plan: Plan, bottom: float) -> Iterator[Box]:
    for piece in plan.scale.pieces:
        if piece.broken:
            yield Box((piece.left + 24, MARGIN, piece.right - 24, bottom), "paper")


def _lanes(plan: Plan) -> Iterator[Text]:
    for lane, (top, bottom) in plan.bands.items():
        name = text.short(lane, LANE_ROOM, TITLE, bold=True)
        yield Text(MARGIN, (top + bottom) / 2, name, TITLE, "ink", bold=True, anchor="start")


def _ways(plan: Plan) -> Iterator[Line]:
    """From a cause straight to the service that reacted, and along its lane until it spoke."""
    order = list(LINKS)
    for link in sorted(plan.graph.links, key=lambda one: order.index(one.basis)):
        source, target = plan.bars[link.source], plan.bars[link.target]
        stroke = LINKS[link.basis]
        if source.y != target.y:
            yield Line((source.x, source.x), (source.y, target.y), stroke.ink, stroke.thick - 0.4, stroke.dash)
        if source.x != target.x:
            yield Line((source.x, target.x), (target.y, target.y), stroke.ink, stroke.thick + 1.4, stroke.dash)


def _signs(bar: Bar) -> Iterator[Mark]:
    more = f"<br>and {bar.more} more, at about the same time" if bar.more else ""
    return signs.of_step(bar.step, bar.x, bar.y, less=2, more=more)


def _names(bar: Bar) -> Iterator[Text]:
    if bar.name is None:
        return
    look, clock, name = STEPS[bar.step.role], bar.step.clock, bar.name
    first = bar.y + 21 if name.below else bar.y - 17 - LINE * (len(name.lines) - 1)
    for number, line in enumerate(name.lines):
        yield Text(name.x, first + LINE * number, line, TITLE, look.name, bold=True, anchor=name.anchor)
    if clock:
        running = {"at": clock.at.timestamp() * 1000, "down": clock.down}
        reserve = LONGEST_CLOCK
        yield Text(name.x, bar.y + 19, bar.word, SMALL, look.word, anchor=name.anchor, reserve=reserve, clock=running)


def _axis(plan: Plan, bottom: float) -> tuple[list[Line], list[Text]]:
    lines, words = [], []
    silent = [piece for piece in plan.scale.pieces if piece.broken]
    for piece in silent:
        middle = (piece.left + piece.right) / 2
        words.append(Text(middle, bottom + 25, f"{text.duration(piece.end - piece.start)} later", SMALL, "muted"))
        for x in (middle - 3, middle + 3):
            ends = (x - GAP_SIGN / 2, x + GAP_SIGN / 2)
            lines.append(Line(ends, (bottom + 12, bottom + 2), "line", 1.4))
    for x, said in plan.scale.ticks():
        half = text.width(said, SMALL) / 2
        if any(x + half > piece.left - 4 and x - half < piece.right + 4 for piece in silent):
            continue
        lines.append(Line((x, x), (bottom + 2, bottom + 8), "line", 1.2))
        words.append(Text(x, bottom + 18, said, SMALL, "muted"))
    return lines, words


def _hits(plan: Plan) -> Iterator[Hit]:
    names = {step.key: " ".join(step.title) for step in plan.graph.steps}
    for link in plan.graph.links:
        source, target = plan.bars[link.source], plan.bars[link.target]
        if abs(target.x - source.x) > 40:
            key = f"{link.source}-{link.target}"
            yield Hit((source.x + target.x) / 2, target.y, 16, link_hover(link, names), link.data, key)
