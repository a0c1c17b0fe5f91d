"""The scene of a discovered map: how often each step was taken or how long it took, and what has changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, log, sqrt
from typing import Literal

import msgspec

from dashboard.graphs import flows, strokes, text
from dashboard.graphs.discovered import Kind, Shown, Step
from dashboard.graphs.graph import Table
from dashboard.graphs.legend import Entry, legend
from dashboard.graphs.looks import Look, Stroke
from dashboard.graphs.scene import Box, Hit, Mark, Scene, Stop, Text, nothing
from dashboard.graphs.sentences import hover, sentence
from dashboard.graphs.spacing import MARGIN
from dashboard.graphs.steps import digest
from dashboard.graphs.wiring import BACK, BADGE, BOX_ROOM, NAME, SMALL, Item, Run, Wiring, place

Overlay = Literal["frequency", "duration"]
NARROWEST = 280
"""Pixels that the legend needs."""
THINNEST, THICKEST = 1.2, 6.0
"""Of lines, in pixels."""
HEATS = ("heat-1", "heat-2", "heat-3", "heat-4")
"""From the quickest steps to the slowest."""
GONE, NEW = "gone", "new"


class _Drawn(msgspec.Struct, frozen=True):
    """How a step looks, and what it says."""

    step: Step
    label: str
    ink: str
    text: str
    thick: float
    dash: str
    facts: tuple[str, ...]


def scene(graph: Shown, overlay: Overlay, *, compared: bool = False) -> Scene:
    """`compared`: what did not change steps back behind what did."""
    if not graph.kinds:
        return nothing("No transaction began in this time")
    drawn = _looks(graph.steps, overlay, compared)
    wiring = place(_wired(graph, drawn))
    kinds = {digest(kind.name): kind for kind in graph.kinds}
    runs = sorted(wiring.runs, key=lambda run: drawn[run.wire.key].thick)
    boxes: list[Box] = []
    marks: list[Mark] = []
    texts: list[Text] = []
    hits: list[Hit] = []
    stops: list[Stop] = []
    for key, number in wiring.boxes.items():
        item, kind = wiring.items[number], kinds[key]
        rect = strokes.box_rect(item, wiring)
        boxes.append(Box(rect, *_box_look(kind), radius=6))
        marks += _outside(kind, rect, item)
        texts += _box_texts(kind, (rect[0] + rect[2]) / 2, item)
        said = (kind.name, *_kind_facts(kind))
        data = {"kind": "type", "type": kind.name}
        places = (rect[0] + 20, (rect[0] + rect[2]) / 2, rect[2] - 20)
        high = min(40, rect[3] - rect[1])
        hits += [Hit(x, item.y, high, hover(*said), data, f"{key}-{n}") for n, x in enumerate(places)]
        stops.append(Stop(key, places[1], item.y, sentence(*said), data))
    for run in runs:
        look = drawn[run.wire.key]
        marks.append(strokes.arrow(run, look.ink))
        texts.append(_wire_text(run, wiring, look))
        x, y = strokes.middle(run, wiring)
        said = (f"{look.step.source[:80]} → {look.step.target[:80]}", *look.facts)
        data = {"kind": "step", "source": look.step.source, "target": look.step.target}
        around = enumerate(((x, y, 2 * BADGE), strokes.words(run, wiring)))
        hits += [Hit(at, level, size, hover(*said), data, f"{run.wire.key}-{n}") for n, (at, level, size) in around]
        stops.append(Stop(run.wire.key, x, y, sentence(*said), data))
    wide = max(ceil(wiring.zones[-1][1] + MARGIN), NARROWEST)
    top = min(item.y - item.above for item in wiring.items) - MARGIN
    bottom = max(item.y + item.below for item in wiring.items) + MARGIN
    entries = _legend(graph, [*drawn.values()], overlay, compared)
    symbols, samples, meanings, end = legend(entries, MARGIN, wide - MARGIN, bottom)
    return Scene(
        width=wide,
        top=top,
        bottom=end + 2,
        lines=[*(strokes.line(run, *_stroke(drawn[run.wire.key])) for run in runs), *samples],
        boxes=boxes,
        marks=[*marks, *symbols],
        texts=[*texts, *meanings],
        hits=hits,
        stops=sorted(stops, key=lambda stop: (stop.x, stop.y)),
        stretch=strokes.stretches(wiring, wide),
    )


def table(graph: Shown, *, compared: bool = False) -> Table:
    """A row per step, the most frequent first."""
    header = ("After", "Comes", "How often", "Share", "p50", "p95")
    rows = []
    for step in sorted(graph.steps, key=lambda one: (-one.count, one.source, one.target)):
        row = (
            text.clean(step.source),
            text.clean(step.target),
            f"{step.count}",
            percent(step.share),
            _took(step.p50),
            _took(step.p95),
        )
        rows.append((*row, step.word) if compared else row)
    return Table((*header, "Changed") if compared else header, tuple(rows))


def percent(share: float) -> str:
    """12%, 99.3%, 0.4%: a decimal where whole numbers would say all or nothing."""
    value = share * 100
    if 0 < value < 0.05:
        return "<0.1%"
    return f"{value:.1f}%" if value < 9.95 or 99 < value < 100 else f"{value:.0f}%"


def _wired(graph: Shown, drawn: Mapping[str, _Drawn]) -> flows.Map:
    """What the layout needs to know: names and what is written below them, where they stand, and what leads where."""
    boxes = tuple(
        flows.Box(
            key=digest(kind.name),
            name=text.clean(kind.name),
            under=_under(kind),
            starts=kind.starts > 0,
            waiting=0,
            overdue=0,
            data={},
            layer=graph.depths[kind.name],
        )
        for kind in sorted(graph.kinds, key=lambda one: one.name)
    )
    wires = tuple(
        flows.Wire(
            key=_key(step),
            source=digest(step.source),
            target=digest(step.target),
            name="",
            named=False,
            count=step.count,
            p95=step.p95,
            failure=step.failure,
            waiting=0,
            overdue=0,
            awaited=(),
            data={},
            words=drawn[_key(step)].label,
        )
        for step in sorted(graph.steps, key=lambda one: (one.source, one.target))
    )
    return flows.Map(boxes, wires)


def _key(step: Step) -> str:
    return digest(step.source, step.target)


def _under(kind: Kind) -> str:
    counted = f"{text.number(kind.count)}" + (f" · {kind.word}" if kind.word else "")
    service = text.short(kind.service, BOX_ROOM - text.width(f" · {counted}", SMALL), SMALL) if kind.service else ""
    return f"{service} · {counted}" if service else counted


def _box_look(kind: Kind) -> tuple[str, str]:
    if kind.word == GONE:
        return ("paper", "ghost-edge")
    return ("fail-soft", "fail-edge") if kind.failure else ("box", "box-edge")


def _box_texts(kind: Kind, x: float, item: Item) -> Iterator[Text]:
    ink = "fail-text" if kind.failure else "ink"
    yield Text(x, item.y - 7.5, text.short(kind.name, BOX_ROOM, NAME, bold=True), NAME, ink, bold=True)
    yield Text(x, item.y + 8.5, _under(kind), SMALL, "muted")


def _outside(kind: Kind, rect: tuple[float, float, float, float], item: Item) -> Iterator[Mark]:
    """Where transactions start and end, at the upper corners of a box: wires come in and leave amid its sides."""
    if kind.starts:
        yield Mark(rect[0] + 9, item.y - item.above + 1, "circle", 9, "ok-edge", "ok")
    if kind.ends:
        yield Mark(rect[2] - 9, item.y - item.above + 1, "square", 9, "ink", "ink")


def _kind_facts(kind: Kind) -> list[str]:
    facts = [text.clean(kind.service, 80)] if kind.service else []
    facts.append(f"{kind.count} events")
    if kind.starts:
        facts.append(f"{kind.starts} transactions start with it")
    if kind.ends:
        facts.append(f"{kind.ends} transactions ended with it")
    if kind.halted:
        facts.append(f"{kind.halted} have come no further yet")
    if kind.failure:
        facts.append("failure path")
    if kind.word:
        facts.append(kind.word if kind.before is None else f"{kind.word}: {kind.before} events before")
    return facts


def _looks(steps: Sequence[Step], overlay: Overlay, compared: bool) -> dict[str, _Drawn]:
    most = max((step.count for step in steps), default=1)
    times = sorted(step.p50 for step in steps if step.p50)
    heats = {_key(step): _heat(step.p50, times) for step in steps}
    found = {}
    for step in steps:
        heat = heats[_key(step)]
        if overlay == "duration":
            thick, ink = THINNEST + 1.2 * heat, HEATS[heat]
        else:
            thick, ink = THINNEST + (THICKEST - THINNEST) * sqrt(step.count / most), "box-edge"
        dash, words = "solid", "ink"
        if step.failure and overlay == "frequency":
            ink, words = "fail-edge", "fail-text"
        if compared and not step.word:
            ink, words = "ghost", "faint"
        elif step.word == GONE:
            ink, words, dash, thick = "ghost-edge", "muted", "5px,4px", 1.6
        elif step.word:
            ink, words = "undo-edge", "undo-text"
        label = _label(step, overlay)
        found[_key(step)] = _Drawn(step, label, ink, words, round(thick, 1), dash, tuple(_facts(step)))
    return found


def _heat(p50: float | None, times: Sequence[float]) -> int:
    """Which of HEATS, by orders of magnitude between the quickest and the slowest; the lowest where all are alike."""
    if not p50 or times[-1] < 1.5 * times[0]:
        return 0
    return min(int(len(HEATS) * log(p50 / times[0]) / log(times[-1] / times[0])), len(HEATS) - 1)


def _label(step: Step, overlay: Overlay) -> str:
    if step.word == GONE:
        return f"gone · was {percent(step.share_before or 0)}"
    if step.word == NEW:
        return f"new · {percent(step.share)} · {_took(step.p50)}"
    if step.word and step.word in ("slower", "faster"):
        return f"{_took(step.p50_before)} → {_took(step.p50)}"
    if step.word and step.share_before is not None:
        return f"{percent(step.share_before)} → {percent(step.share)}"
    if overlay == "duration":
        return f"{_took(step.p50)} · {_took(step.p95)}"
    return f"{text.number(step.count)} · {percent(step.share)}"


def _took(seconds: float | None) -> str:
    return "–" if seconds is None else text.about(seconds)


def _facts(step: Step) -> Iterator[str]:
    if step.word == GONE:
        yield f"gone: {percent(step.share_before or 0)} before"
        return
    yield f"{step.count} times, {percent(step.share)} of what came after"
    if step.p50 is not None:
        yield f"half within {_took(step.p50)}, 95% within {_took(step.p95)}"
    if step.word:
        before = [percent(step.share_before)] if step.share_before is not None else []
        before += [f"half within {_took(step.p50_before)}"] if step.p50_before is not None else []
        yield f"{step.word}, before: {', '.join(before)}" if before else step.word
    if step.failure:
        yield "failure path"


def _stroke(look: _Drawn) -> tuple[str, float, str]:
    return (look.ink, look.thick, look.dash)


def _wire_text(run: Run, wiring: Wiring, look: _Drawn) -> Text:
    words = (BACK if run.backward else "") + look.label
    x, y = strokes.middle(run, wiring)
    if run.turns:
        left = wiring.zones[wiring.items[run.label].column][0] + 4
        return Text(left, y, words, SMALL, look.text, anchor="start")
    return Text(x, y - look.thick / 2 - 9, words, SMALL, look.text)


def _legend(graph: Shown, drawn: Sequence[_Drawn], overlay: Overlay, compared: bool) -> list[Entry]:
    entries = [Entry("transactions start here", look=Look("circle", "ok-edge", "ok", "", "", "", 9))]
    entries.append(Entry("end here", look=Look("square", "ink", "ink", "", "", "", 9)))
    if compared:
        if any(look.ink == "undo-edge" for look in drawn):
            entries.append(Entry("new, or changed by more than chance", stroke=Stroke("undo-edge", "solid", 2.4, "")))
        if any(look.step.word == GONE for look in drawn):
            entries.append(Entry("gone", stroke=Stroke("ghost-edge", "5px,4px", 1.6, "")))
        entries.append(Entry("as before", stroke=Stroke("ghost", "solid", 2.0, "")))
    elif overlay == "duration":
        entries.append(Entry("half within · 95% within"))
        inks = {look.ink for look in drawn}
        if len(inks) > 1:
            entries.append(Entry("quick", stroke=Stroke(min(inks), "solid", 2.0, "")))
            entries.append(Entry("slow", stroke=Stroke(max(inks), "solid", 4.5, "")))
    else:
        entries.append(Entry("how often · share of what came after"))
    if any(look.ink == "fail-edge" for look in drawn) or any(kind.failure for kind in graph.kinds):
        entries.append(Entry("failure path", stroke=Stroke("fail-edge", "solid", 2.0, "")))
    return entries
