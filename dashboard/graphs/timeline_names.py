"""Where the names of a timeline stand: above their signs, where something passes there below them, else in two lines.

What passes are ways from cause to effect, straight down or up from one row to another; so rows are enough to tell what
they cross, and how high rows are comes after how many names they have room for.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from dashboard.graphs import text
from dashboard.graphs.scene import Anchor
from dashboard.graphs.steps import Link

TITLE, SMALL = 12.0, 11.0
RADIUS, LINE = 8.0, 15.0
LONGEST_CLOCK = "waiting 59 min 59 s"
MANY = 120
"""Of more signs than this, those that a way passes go without a name: there is not enough room anyway."""
_PLACES: tuple[tuple[Anchor, float], ...] = (
    ("middle", 0.0),
    ("end", RADIUS),
    ("start", -RADIUS),
    ("end", -4.0),
    ("start", 4.0),
)
"""Which end of a name is where, from its sign: over it, then beside what rises from it."""


class Name(msgspec.Struct, frozen=True):
    """A name's lines, which end of them is at x, and whether they stand below the sign."""

    lines: tuple[str, ...]
    anchor: Anchor
    x: float
    below: bool


class Sign(msgspec.Struct, frozen=True):
    """What is to be named, in which row of the drawing; `clock`: one runs below it."""

    key: str
    x: float
    row: int
    lines: tuple[str, ...]
    clock: bool


def width(lines: Sequence[str], clock: bool) -> float:
    wide = max(text.width(line, TITLE, bold=True) for line in lines)
    return max(wide, text.width(LONGEST_CLOCK, SMALL)) if clock else wide


def names(
    signs: Sequence[Sign], links: Sequence[Link], places: dict[str, tuple[float, int]], left: float
) -> dict[str, Name]:
    """By their signs' keys. `places`: x and row of each step that a link may name; nothing may begin before `left`."""
    ways = sorted(
        (x, min(source, target), max(source, target))
        for (x, source), (_, target) in ((places[link.source], places[link.target]) for link in links)
        if source != target
    )
    xs = [x for x, _, _ in ways]
    taken: dict[tuple[int, bool], list[tuple[float, float]]] = defaultdict(list)  # in order, apart from each other
    found = {}
    few = len(signs) <= MANY
    waiting = list(signs)
    for lines_of in (_whole, _broken) if few else (_whole,):
        for sign in waiting:
            name = next(filter(None, (_free(sign, one, ways, xs, taken, left) for one in lines_of(sign, few))), None)
            if name:
                found[sign.key] = name
        waiting = [sign for sign in waiting if sign.key not in found]
    return found


def _whole(sign: Sign, below: bool) -> Iterator[tuple[tuple[str, ...], bool]]:
    yield sign.lines, False
    if below and not sign.clock:
        yield sign.lines, True


def _broken(sign: Sign, below: bool) -> Iterator[tuple[tuple[str, ...], bool]]:
    lines = text.halves(sign.lines[0])
    if len(sign.lines) == 1 and len(lines) > 1:
        yield from _whole(msgspec.structs.replace(sign, lines=lines), below)


def _free(
    sign: Sign,
    what: tuple[tuple[str, ...], bool],
    ways: list[tuple[float, int, int]],
    xs: list[float],
    taken: dict[tuple[int, bool], list[tuple[float, float]]],
    left: float,
) -> Name | None:
    """The first of its places that no way crosses and no other name is in; takes it."""
    lines, below = what
    wide = width(lines, sign.clock)
    sides = (False, True) if sign.clock else (below,)
    for anchor, beside in _PLACES:
        begin = sign.x + beside - wide * {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
        end = begin + wide
        if begin < left or any(_met(taken[sign.row, side], begin, end) for side in sides):
            continue
        passing = ways[bisect_left(xs, begin - 1.5) : bisect_left(xs, end + 1.5)]
        if any(_crosses(low, high, sign.row, side) for _, low, high in passing for side in sides):
            continue
        for side in sides:
            insort(taken[sign.row, side], (begin, end))
        return Name(lines, anchor, sign.x + beside, below)
    return None


def _met(taken: list[tuple[float, float]], begin: float, end: float) -> bool:
    at = bisect_left(taken, (begin, end))
    return bool(at and begin < taken[at - 1][1] + 4) or bool(at < len(taken) and taken[at][0] < end + 4)


def _crosses(low: int, high: int, row: int, below: bool) -> bool:
    """Whether a way from row to row passes above, or below, the signs of a row."""
    return low <= row < high if below else low < row <= high
