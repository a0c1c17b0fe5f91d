"""How a count went over time, and what happened meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from itertools import pairwise

import msgspec

from dashboard.graphs import text
from dashboard.graphs.axis import nice_ceiling
from dashboard.graphs.graph import Table
from dashboard.graphs.scene import Box, Hit, Line, Mark, Scene, Stop, Stretch, Text

MARGIN, PLOT = 14.0, 270.0
TOP, HIGH, AXIS = 14.0, 104.0, 44.0
SMALL = 11.5
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400, 172_800, 604_800)
_MOST_TICKS = 4
_SIGNS = {
    "raised": ("triangle-up", "overdue"),
    "reopened": ("triangle-up", "overdue"),
    "escalated": ("diamond", "overdue"),
    "resolved": ("circle", "ok-edge"),
}
_OTHER_SIGN = ("square", "wait")


class Happened(msgspec.Struct, frozen=True):
    """`at`: seconds since 1970, as in the course."""

    at: float
    kind: str
    who: str = ""

    @property
    def words(self) -> str:
        return f"{self.kind} by {self.who}" if self.who else self.kind


Course = Sequence[tuple[float, int]]


def scene(course: Course, happened: Sequence[Happened], until: float, zone: tzinfo) -> Scene:
    """Each count holds until the next; the last until `until`. Times of day are those of `zone`."""
    top = nice_ceiling(max(count for _, count in course))
    begin, end = min(course[0][0], *(one.at for one in happened), until), max(until, course[0][0] + 1)
    left = MARGIN + text.width(text.number(top), SMALL) + 8
    right, base = left + PLOT, TOP + HIGH

    def x(at: float) -> float:
        return left + (min(max(at, begin), end) - begin) / (end - begin) * PLOT

    def y(count: float) -> float:
        return base - HIGH * count / top

    pieces = [(x(at), x(after), y(count)) for (at, count), (after, _) in pairwise([*course, (end, 0)])]
    xs = [edge for start, stop, _ in pieces for edge in (start, stop)]
    ys = [height for *_, height in pieces for _ in range(2)]
    times = [(x(at), said) for at, said in _times(begin, end, zone)]
    return Scene(
        width=right + MARGIN,
        top=0.0,
        bottom=base + AXIS,
        bands=[Box((left, TOP, right, base), "lane")],
        lines=[
            *(Line((left, right), (y(value), y(value)), "ghost", 1.0) for value in (0, top / 2, top)),
            *(Line((place, place), (base + 18, base + 24), "line", 1.2) for place, _ in times),
            Line(xs, ys, "overdue", 2.2),
        ],
        boxes=[Box((start, height, stop, base), "overdue-soft") for start, stop, height in pieces if height < base],
        marks=[_mark(one, x(one.at), base + 9, zone) for one in happened],
        texts=[
            *(Text(left - 6, y(value), text.number(round(value)), SMALL, "muted", anchor="end") for value in (0, top)),
            *(Text(place, base + 34, said, SMALL, "muted") for place, said in times),
        ],
        hits=[
            Hit(x(at), y(count), 16, f"{_clock(at, zone)}: {count}", {"kind": "point"}, f"point-{number}")
            for number, (at, count) in enumerate(course)
        ],
        stops=[
            Stop(f"point-{number}", x(at), y(count), f"{_clock(at, zone)}: {count}", {"kind": "point"})
            for number, (at, count) in enumerate(course)
        ],
        stretch=[Stretch(left, right, 0)],
    )


def table(course: Course, happened: Sequence[Happened], zone: tzinfo) -> Table:
    rows = [(at, str(count), "") for at, count in course]
    rows += [(one.at, "", one.words) for one in happened]
    ordered = sorted(rows, key=lambda row: row[0])
    return Table(("Time", "How many", "What happened"), tuple((_clock(at, zone), *rest) for at, *rest in ordered))


def _mark(one: Happened, x: float, y: float, zone: tzinfo) -> Mark:
    symbol, ink = _SIGNS.get(one.kind, _OTHER_SIGN)
    hover = text.escape(text.clean(f"{_clock(one.at, zone)}: {one.words}"))
    return Mark(x, y, symbol, 10, ink, ink, f"{one.kind}-{one.at}", hover, {"kind": "happened"})


def _times(begin: float, end: float, zone: tzinfo) -> Iterator[tuple[float, str]]:
    step = next((step for step in _STEPS if (end - begin) / step <= _MOST_TICKS), _STEPS[-1])
    form = "%H:%M:%S" if step < 60 else "%H:%M" if step < 86_400 else "%d %b"
    margin = (end - begin) * 0.03
    at = (begin + margin) // step * step + step
    while at < end - margin:
        yield at, f"{datetime.fromtimestamp(at, zone):{form}}"
        at += step


def _clock(at: float, zone: tzinfo) -> str:
    return f"{datetime.fromtimestamp(at, zone):%H:%M:%S %Z}"
