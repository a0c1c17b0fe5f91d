"""The scene of a map: its wiring with shapes, colours, numbers and words."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, log10

from dashboard.graphs import strokes, text
from dashboard.graphs.flows import Box, Wire
from dashboard.graphs.legend import legend, of_wires
from dashboard.graphs.scene import Box as Rectangle
from dashboard.graphs.scene import Hit, Line, Mark, Scene, Stop, Text, nothing
from dashboard.graphs.sentences import box_facts, hover, pace_of, sentence, wire_facts, wire_title
from dashboard.graphs.spacing import MARGIN
from dashboard.graphs.wiring import (
    BADGE,
    BOX_ROOM,
    LIFT,
    NAME,
    SMALL,
    TEXT_LINE,
    Run,
    Wiring,
    label,
)


def scene(wiring: Wiring, seconds: float) -> Scene:
    """`seconds`: the window that the counts are of."""
    if not wiring.items:
        return nothing("No events in this time")
    pace = pace_of(wiring.graph, seconds)
    wide = ceil(wiring.zones[-1][1] + MARGIN)
    boxes = [(box, wiring.items[wiring.boxes[box.key]]) for box in wiring.graph.boxes]
    runs = sorted(wiring.runs, key=lambda run: (run.wire.overdue > 0, run.wire.failure))
    rects = [strokes.box_rect(item, wiring) for _, item in boxes]
    texts: list[Text] = []
    marks: list[Mark] = []
    hits: list[Hit] = []
    stops: list[Stop] = []
    for (box, item), rect in zip(boxes, rects, strict=True):
        middle = (rect[0] + rect[2]) / 2
        texts += _box_texts(box, middle, item.y)
        said = (box.name, *box_facts(box))
        hits += [
            Hit(x, item.y, min(40, rect[3] - rect[1]), hover(*said), box.data, f"{box.key}-{n}")
            for n, x in enumerate((rect[0] + 20, middle, rect[2] - 20))
        ]
        stops.append(Stop(box.key, middle, item.y, sentence(*said), box.data))
    for run in runs:
        texts += _run_texts(run, wiring, seconds, pace)
        marks.append(strokes.arrow(run, _ink(run.wire)))
        marks += _badge(run, wiring)
        x, y = strokes.middle(run, wiring)
        said = (wire_title(wiring.graph, run.wire), *wire_facts(run.wire, seconds, pace))
        hits += [
            Hit(at, level, size, hover(*said), run.wire.data, f"{run.wire.key}-{n}")
            for n, (at, level, size) in enumerate(((x, y, 2 * BADGE), strokes.words(run, wiring)))
        ]
        stops.append(Stop(run.wire.key, x, y, sentence(*said), run.wire.data))
    lines = [_line(run, seconds) for run in runs]
    top = min(item.y - item.above for item in wiring.items) - MARGIN
    bottom = max(item.y + item.below for item in wiring.items) + MARGIN
    symbols, samples, meanings, end = legend(of_wires(wiring.graph.wires, pace), MARGIN, wide - MARGIN, bottom)
    return Scene(
        width=wide,
        top=top,
        bottom=end + 2,
        lines=[*lines, *samples],
        boxes=[
            Rectangle(rect, *(("overdue-soft", "overdue") if box.overdue else ("box", "box-edge")), radius=6)
            for (box, _), rect in zip(boxes, rects, strict=True)
        ],
        marks=[*marks, *symbols],
        texts=[*texts, *meanings],
        hits=hits,
        stops=sorted(stops, key=lambda stop: (stop.x, stop.y)),
        stretch=strokes.stretches(wiring, wide),
    )


def _ink(wire: Wire) -> str:
    if wire.overdue:
        return "overdue"
    if wire.failure:
        return "fail-edge"
    return "line" if wire.count else "ghost-edge"


def thickness(per_second: float) -> float:
    """1.2 to 3.6 pixels between one event in 100 s and ten a second; in steps, so that it does not flicker."""
    power = min(max(log10(per_second), -2.0), 1.0) if per_second > 0 else -2.0
    return round((1.2 + (power + 2) * 0.8) / 0.4) * 0.4


def _line(run: Run, seconds: float) -> Line:
    wire = run.wire
    thick = thickness(wire.count / seconds) if wire.count and seconds > 0 else 1.4
    return strokes.line(run, _ink(wire), thick, "solid" if wire.count else "2px,4px")


def _badge(run: Run, wiring: Wiring) -> list[Mark]:
    if not run.wire.waiting:
        return []
    x, y = strokes.middle(run, wiring)
    size = 20 if run.wire.waiting < 100 else 25
    ink, shape = "overdue" if run.wire.overdue else "wait", badge(run.wire)
    size += 2 * (shape != "circle")  # corners leave less room for the number
    return [Mark(x, y, shape, size, "paper", ink)]


def badge(wire: Wire) -> str:
    """Its shape: who waits until a time that was learned looks as different as who is overdue."""
    if wire.learned == wire.waiting:
        return "pentagon"
    return "octagon" if wire.overdue else "circle"


def _run_texts(run: Run, wiring: Wiring, seconds: float, pace: text.Pace) -> Iterator[Text]:
    wire = run.wire
    x, y = strokes.middle(run, wiring)
    ink = "overdue-text" if wire.overdue else "fail-text" if wire.failure else "ink"
    soft = "muted" if ink == "ink" else ink
    rate = text.rate(wire.count, seconds, pace) + (f" · {text.about(wire.p95)}" if wire.p95 is not None else "")
    name = label(wire, run.backward)
    if run.turns:
        left = wiring.zones[wiring.items[run.label].column][0] + 4
        if wire.named:
            yield Text(left, y - 7.5, name, SMALL, ink, bold=True, anchor="start")
        yield Text(left, y + (7.5 if wire.named else 0), rate, SMALL, soft, anchor="start")
    else:
        yield Text(x, y - LIFT, rate, SMALL, soft)
        if wire.named:
            yield Text(x, y - LIFT - TEXT_LINE, name, SMALL, ink, bold=True)
    if wire.waiting:
        yield Text(x, y, text.number(wire.waiting), SMALL, "on-overdue" if wire.overdue else "on-wait", bold=True)


def _box_texts(box: Box, x: float, y: float) -> Iterator[Text]:
    under, ink = text.short(box.under, BOX_ROOM, SMALL) if box.under else "", "muted"
    if box.overdue:
        under, ink = f"{text.number(box.overdue)} overdue", "overdue-text"
    elif box.waiting and not under:
        under = f"{text.number(box.waiting)} awaited"
    name = text.short(box.name, BOX_ROOM, NAME, bold=True)
    yield Text(x, y - (7.5 if under else 0), name, NAME, "overdue-text" if box.overdue else "ink", bold=True)
    if under:
        yield Text(x, y + 8.5, under, SMALL, ink)
