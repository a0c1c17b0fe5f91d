"""Edges routed around nodes, the same way in every graph.

Nodes stand in columns; between two columns is a channel. Within a column an edge runs straight and level, on a track of
its own that no node of the column touches; it changes its height only in channels, where no node is. So an edge never
crosses a node or a node's label, and since a curve in a channel is monotone, whether a label touches it is exact
arithmetic rather than sampling.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence

import msgspec

from dashboard.graphs.scene import Anchor, Rect, overlap

CLEAR = 4.0
"""Half of the distance that tracks keep from each other and from nodes."""


def smooth(u: float) -> float:
    """From 0 to 1, level at both ends."""
    return u * u * (3 - 2 * u)


# Denser where the curve bends.
_HALF = (0.04, 0.1, 0.18, 0.28, 0.39)
_EASE = [(u, smooth(u)) for u in (*_HALF, 0.5, *(1 - u for u in reversed(_HALF)), 1.0)]

Spot = tuple[float, float, Anchor]
"""Where a text goes: x, the middle of its height, and which end of it is at x."""

Station = tuple[float, float, float]
"""Where an edge crosses a column: enters at x, leaves at x, at height y."""


def curve(stations: Sequence[Station]) -> tuple[list[float], list[float]]:
    """The polyline over the stations: level across each, eased from one to the next."""
    start, end, level = stations[0]
    xs, ys = [start, end], [level, level]
    for into, out, y in stations[1:]:
        before = ys[-1]
        if abs(y - before) < 0.5:
            xs.append(into)
            ys.append(y)
        else:
            left, run, rise = xs[-1], into - xs[-1], y - before
            xs += [left + run * u for u, _ in _EASE]
            ys += [before + rise * v for _, v in _EASE]
        xs.append(out)
        ys.append(y)
    return xs, ys


class Tracks:
    """What is taken of a column's height, and free tracks in between."""

    def __init__(self, taken: Sequence[tuple[float, float]]) -> None:
        self._taken = sorted(taken)

    def take(self, wanted: float) -> float:
        """The free height nearest to `wanted`, from now on taken."""
        best = wanted
        nearest = float("inf")
        low = float("-inf")
        for start, end in [*self._taken, (float("inf"), 0.0)]:
            if start - low >= 2 * CLEAR:
                at = min(max(wanted, low + CLEAR), start - CLEAR)
                if abs(at - wanted) < nearest:
                    best, nearest = at, abs(at - wanted)
                if low >= wanted:
                    break
            low = max(low, end)
        insort(self._taken, (best - CLEAR, best + CLEAR))
        return best


class Channel(msgspec.Struct):
    """The room between two columns: the curves that cross it, as (height left, height right), and the labels in it."""

    start: float
    end: float
    curves: list[tuple[float, float]]
    labels: list[Rect]

    def place(self, crossing: tuple[float, float], wide: float, high: float) -> Spot | None:
        """A free place for a label right beside the curve `crossing`, nearest to the curve's middle."""
        left, right = crossing
        run, rise = self.end - self.start, right - left
        for u in (0.5, 0.38, 0.62, 0.27, 0.73, 0.15, 0.85):
            for spot, rect in _beside(self.start + u * run, left + rise * smooth(u), rise, wide, high):
                if self._free(rect):
                    self.labels.append(rect)
                    return spot
        return None

    def _free(self, rect: Rect) -> bool:
        if rect[0] < self.start or rect[2] > self.end:
            return False
        for label in self.labels:
            if overlap(rect, label, 2):
                return False
        run = self.end - self.start
        s0, s1 = smooth((rect[0] - 2 - self.start) / run), smooth((rect[2] + 2 - self.start) / run)
        top, bottom = rect[1] - 2, rect[3] + 2
        for left, right in self.curves:
            rise = right - left
            a, b = left + rise * s0, left + rise * s1
            if (a > top or b > top) and (a < bottom or b < bottom):
                return False
        return True


def _beside(x: float, y: float, rise: float, wide: float, high: float) -> Iterator[tuple[Spot, Rect]]:
    """Two places that touch a curve at (x, y) with a corner, on the sides from which the curve bends away.

    The text is anchored at the curve, so that it stays there when the channel is stretched.
    """
    if abs(rise) < 3:
        for middle in (y - 3.5 - high / 2, y + 3.5 + high / 2):
            yield (x, middle, "middle"), (x - wide / 2, middle - high / 2, x + wide / 2, middle + high / 2)
        return
    for middle, after in ((y - 2.5 - high / 2, rise > 0), (y + 2.5 + high / 2, rise < 0)):
        top, bottom = middle - high / 2, middle + high / 2
        if after:
            yield (x + 3, middle, "start"), (x + 3, top, x + 3 + wide, bottom)
        else:
            yield (x - 3, middle, "end"), (x - 3 - wide, top, x - 3, bottom)
