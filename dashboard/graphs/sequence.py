"""One transaction as a sequence diagram: a lifeline per service, a row per event, arrows to whom it set to work.

An event is published once, whoever reacts: so its row has one name, and an arrow's head at each service that did. Names
stand between two lifelines, and nothing else does but level arrows below them: so nothing can touch them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from math import ceil

import msgspec

from dashboard.graphs import signs, text
from dashboard.graphs.legend import legend, of_steps
from dashboard.graphs.looks import LINKS, STEPS
from dashboard.graphs.scene import Hit, Line, Mark, Scene, Stop, Stretch, Text, nothing
from dashboard.graphs.sentences import link_hover, step_sentence
from dashboard.graphs.steps import Link, Step, Steps

TITLE, SMALL = 12.0, 11.0
MARGIN, TIMES = 12.0, 70.0
NAME_ROOM, LANE_ROOM = 168.0, 150.0
HEAD, PITCH, LINE = 34.0, 36.0, 15.0
"""Height of the services' names; from one row to the next; for a second line of a name."""
REACH, ARROW = 11.0, 9.0
NARROWEST = 84.0
_LONGEST_CLOCK = "waiting 59 min 59 s"


class Row(msgspec.Struct):
    """A step at its place. `right`: its name stands on the right of its lifeline; `time`: how long after the first
    event it came."""

    step: Step
    titles: tuple[str, ...]
    word: str
    reserve: str
    right: bool
    x: float = 0.0
    y: float = 0.0
    time: str = ""


class Plan(msgspec.Struct, frozen=True):
    """Rows by their steps' keys, in order, and the lifelines' places by service."""

    graph: Steps
    rows: dict[str, Row]
    lifelines: dict[str, float]
    wide: float


def place(graph: Steps, now: datetime) -> Plan:
    lanes = _lanes(graph)
    number = {lane: index for index, lane in enumerate(lanes)}
    lane_of = {step.key: step.lane for step in graph.steps}
    goes: dict[str, set[int]] = defaultdict(set)
    for link in graph.links:
        goes[link.source].add(number[lane_of[link.target]])
    ordered = sorted(graph.steps, key=lambda step: (step.at is None and step.role != "missing", step.order))
    drafts = [_draft(step, number[step.lane], goes[step.key], len(lanes), now) for step in ordered]
    needed: dict[int, float] = defaultdict(lambda: NARROWEST)
    for row in drafts:
        gap = number[row.step.lane] - (0 if row.right else 1)
        wide = max(*(text.width(title, TITLE, bold=True) for title in row.titles), text.width(row.word, SMALL))
        needed[gap] = max(needed[gap], max(wide, text.width(row.reserve, SMALL)) + 2 * REACH + 4)
    times = _times(ordered)
    left = max(TIMES, max((text.width(said, SMALL) for said in times.values()), default=0.0) + 20)
    lifelines, wide = _across(lanes, needed, MARGIN + left)
    rows, y = {}, HEAD - PITCH * 0.2
    for row in drafts:
        y += PITCH + LINE * (len(row.titles) - 1)
        row.x, row.y, row.time = lifelines[row.step.lane], y, times.get(row.step.key, "")
        rows[row.step.key] = row
    return Plan(graph, rows, lifelines, wide)


def _times(ordered: list[Step]) -> dict[str, str]:
    """How long after the first event each came."""
    came = {step.key: step.at for step in ordered if step.at}
    first = min(came.values(), default=None)
    seconds = [(at - first).total_seconds() for at in came.values() if first]
    words = text.apart(seconds)
    return {key: f"+{said}" if after else "start" for key, after, said in zip(came, seconds, words, strict=True)}


def known(plan: Plan, graph: Steps) -> Plan:
    """The plan with the steps and links of `graph`, which are the same ones as they were known at some moment."""
    steps = {step.key: step for step in graph.steps}
    rows = {
        key: msgspec.structs.replace(row, step=steps[key], word=row.word if steps[key].word else "")
        for key, row in plan.rows.items()
    }
    return msgspec.structs.replace(plan, graph=graph, rows=rows)


def _lanes(graph: Steps) -> list[str]:
    first: dict[str, int] = {}
    for step in graph.steps:
        order = step.order if step.order >= 0 else len(graph.steps) * 2
        first[step.lane] = min(order, first.get(step.lane, order))
    return sorted(first, key=lambda lane: (first[lane], lane))


def _draft(step: Step, lane: int, goes: set[int], lanes: int, now: datetime) -> Row:
    times = f" × {step.count}" if step.count > 1 else ""
    room = NAME_ROOM - text.width(times, TITLE, bold=True)
    titles = [text.short(name, room, TITLE, bold=True) for name in step.title]
    word = step.clock.text(now) if step.clock else step.word
    only_left = bool(goes) and max(goes) <= lane and min(goes) < lane
    right = lane == 0 or (lane < lanes - 1 and not only_left)
    return Row(step, (*titles[:-1], titles[-1] + times), word, _LONGEST_CLOCK if step.clock else "", right)


def _across(lanes: list[str], needed: dict[int, float], left: float) -> tuple[dict[str, float], float]:
    """Where lifelines stand: as far apart as the names between them and those above them need."""
    heads = [text.width(text.short(lane, LANE_ROOM, TITLE, bold=True), TITLE, bold=True) / 2 for lane in lanes]
    lifelines: dict[str, float] = {}
    x = left
    for index, lane in enumerate(lanes):
        before = heads[index - 1] if index else 0.0
        room = before + heads[index] + 16 if index else heads[index]
        x += max(room, needed[index - 1]) if index else room
        lifelines[lane] = x
    end = max(heads[-1], needed[len(lanes) - 1]) if lanes and len(lanes) - 1 in needed else (heads or [0.0])[-1]
    return lifelines, ceil(x + end + MARGIN)


def scene(plan: Plan) -> Scene:
    if not plan.rows:
        return nothing("No events yet")
    bottom = max(row.y for row in plan.rows.values()) + PITCH * 0.2 + 6
    xs = list(plan.lifelines.values())
    lines = [Line((x, x), (HEAD, bottom), "ghost", 1.0, "2px,4px") for x in xs]
    lines += _busy(plan)
    arrows, heads, hits = _arrows(plan)
    times = [Text(MARGIN, row.y, row.time, SMALL, "muted", anchor="start") for row in plan.rows.values() if row.time]
    words = [*_heads(plan), *times, *(name for row in plan.rows.values() for name in _names(row))]
    keys, strokes, said, end = legend(of_steps(plan.graph), MARGIN, max(plan.wide - MARGIN, 320.0), bottom + 8)
    return Scene(
        width=max(plan.wide, 320.0),
        top=0.0,
        bottom=end + 2 if said else bottom + 1,
        lines=[*lines, *arrows, *strokes],
        marks=[*heads, *(sign for row in plan.rows.values() for sign in _signs(row)), *keys],
        texts=[*words, *said],
        hits=hits,
        stops=[
            Stop(row.step.key, row.x, row.y, step_sentence(row.step, row.word), row.step.data)
            for row in plan.rows.values()
        ],
        stretch=[
            *(Stretch(a + 12, b - 12, 0.8) for a, b in pairwise(xs)),
            Stretch(max(plan.wide, 320.0) - MARGIN, max(plan.wide, 320.0), 0),
        ],
        names=times,
    )


def _heads(plan: Plan) -> Iterator[Text]:
    for lane, x in plan.lifelines.items():
        yield Text(x, HEAD / 2, text.short(lane, LANE_ROOM, TITLE, bold=True), TITLE, "ink", bold=True)


def _names(row: Row) -> Iterator[Text]:
    look = STEPS[row.step.role]
    x, anchor = (row.x + REACH, "start") if row.right else (row.x - REACH, "end")
    first = row.y - 10 - LINE * (len(row.titles) - 1)
    for number, title in enumerate(row.titles):
        yield Text(x, first + LINE * number, title, TITLE, look.name, bold=True, anchor=anchor)  # type: ignore[arg-type]
    if row.word:
        clock = row.step.clock
        running = {"at": clock.at.timestamp() * 1000, "down": clock.down} if clock else None
        yield Text(
            x,
            row.y + 10,
            row.word,
            SMALL,
            signs.word_ink(row.step),
            anchor=anchor,  # type: ignore[arg-type]
            reserve=row.reserve,
            clock=running,
        )


def _signs(row: Row) -> Iterator[Mark]:
    return signs.of_step(row.step, row.x, row.y, less=2, side=-1 if row.right else 1)


def _busy(plan: Plan) -> Iterator[Line]:
    """On each lifeline, from what a service reacted to until it spoke."""
    for link in plan.graph.links:
        source, target = plan.rows[link.source], plan.rows[link.target]
        if target.y > source.y and target.step.at:
            yield Line((target.x, target.x), (source.y, target.y), "box-edge", 4.0)


def _arrows(plan: Plan) -> tuple[list[Line], list[Mark], list[Hit]]:
    """A level arrow from each event to each service that reacted to it; one where a service reacted several times."""
    names = {step.key: " ".join(step.title) for step in plan.graph.steps}
    order = list(LINKS)
    reached: dict[tuple[str, str], Link] = {}
    for link in plan.graph.links:
        place = (link.source, plan.rows[link.target].step.lane)
        if place not in reached or order.index(link.basis) > order.index(reached[place].basis):
            reached[place] = link
    lines, heads, hits = [], [], []
    for (source, lane), link in sorted(reached.items(), key=lambda item: order.index(item[1].basis)):
        row, x = plan.rows[source], plan.lifelines[lane]
        if x == row.x:
            continue
        stroke, way = LINKS[link.basis], 1 if x > row.x else -1
        tip = x - way * (ARROW / 2 + 2)
        lines.append(Line((row.x + way * REACH, tip), (row.y, row.y), stroke.ink, stroke.thick, stroke.dash))
        symbol = "triangle-right" if way > 0 else "triangle-left"
        heads.append(Mark(tip, row.y, symbol, ARROW, stroke.ink, stroke.ink))
        key = f"{link.source}-{link.target}"
        hits.append(Hit((row.x + x) / 2, row.y, 18, link_hover(link, names), link.data, key))
    return lines, heads, hits
