"""The row that says what the shapes and lines of a drawing mean; only those that occur in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from dashboard.graphs import text
from dashboard.graphs.flows import Wire
from dashboard.graphs.looks import LATE, LINKS, STEPS, Look, Stroke
from dashboard.graphs.scene import Line, Mark, Text
from dashboard.graphs.steps import Steps

SIZE = 11.0
ROW = 20.0
STROKE = 22.0
SYMBOL = 14.0
WIDEST = 860.0
"""Wide enough for everything in one row of a usual page."""


class Entry(msgspec.Struct, frozen=True):
    """A symbol or a stroke, or neither, with what it means."""

    word: str
    look: Look | None = None
    stroke: Stroke | None = None


def of_steps(graph: Steps) -> list[Entry]:
    """Nothing where there is nothing to tell apart."""
    roles = {step.role for step in graph.steps}
    bases = {link.basis for link in graph.links}
    entries = [Entry(look.legend, look=look) for role, look in STEPS.items() if role in roles and len(roles) > 1]
    if any(step.late for step in graph.steps):
        entries.append(Entry(LATE.legend, look=LATE))
    if "declared" in bases:
        entries += [Entry(one.legend, stroke=one) for basis, one in LINKS.items() if basis in bases and one.legend]
    return entries


def of_wires(wires: Sequence[Wire], pace: text.Pace) -> list[Entry]:
    entries = [Entry(f"events per {pace.word} · 95% react within")] if wires else []
    waited = [wire for wire in wires if wire.waiting]
    if any(not wire.overdue and wire.learned < wire.waiting for wire in waited):
        entries.append(Entry("transactions waiting there", look=Look("circle", "wait", "wait", "", "", "")))
    if any(wire.overdue and wire.learned < wire.waiting for wire in waited):
        entries.append(Entry("some of them overdue", look=Look("octagon", "overdue", "overdue", "", "", "")))
    learned = [wire for wire in waited if wire.learned == wire.waiting]
    if any(not wire.overdue for wire in learned):
        entries.append(Entry("waiting, by a learned deadline", look=Look("pentagon", "wait", "wait", "", "", "")))
    if any(wire.overdue for wire in learned):
        entries.append(Entry("overdue by a learned deadline", look=Look("pentagon", "overdue", "overdue", "", "", "")))
    if any(wire.failure for wire in wires):
        entries.append(Entry("failure path", stroke=Stroke("fail-edge", "solid", 2.0, "")))
    if any(not wire.count for wire in wires):
        entries.append(Entry("nothing lately", stroke=Stroke("ghost-edge", "2px,4px", 1.4, "")))
    return entries


def legend(
    entries: Iterable[Entry], left: float, right: float, top: float
) -> tuple[list[Mark], list[Line], list[Text], float]:
    """Symbols, strokes and words from `left` to `right`, in as many rows as needed, and where they end below."""
    marks: list[Mark] = []
    lines: list[Line] = []
    texts: list[Text] = []
    right = min(right, WIDEST)
    x, y, end = left, top + ROW / 2, top
    for entry in entries:
        lead = STROKE + 6 if entry.stroke else SYMBOL + 5 if entry.look else 0.0
        wide = lead + text.width(entry.word, SIZE) + 16
        if x > left and x + wide > right:
            x, y = left, y + ROW
        if entry.stroke:
            ends = (x, x + STROKE)
            lines.append(Line(ends, (y, y), entry.stroke.ink, entry.stroke.thick, entry.stroke.dash, fixed=True))
        elif entry.look:
            look = entry.look
            size = min(look.size, SYMBOL - 2)
            marks.append(Mark(x + SYMBOL / 2, y, look.symbol, size, look.ink, look.fill, fixed=True))
        texts.append(Text(x + lead, y, entry.word, SIZE, "muted", anchor="start", fixed=True))
        x += wide
        end = y + ROW / 2
    return marks, lines, texts, end
