"""How wide the columns of a map are, and the room between them: as little as labels, bends and arrows need.

A channel is as wide as its steepest wire needs. A label may reach into the channels beside its column, as far as no
wire bends in its way: where a page is wider, channels are stretched, so that wires bend even later.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import asin, sin

import msgspec

from dashboard.graphs.routing import Channel

MARGIN, CHANNEL = 12.0, 24.0
NARROWEST = 8.0
"""A channel in which all wires are level."""
STEEP = 0.8
"""The width of a channel for each pixel that a wire in it rises, up to CHANNEL and a bit for each wire."""
CLEAR, ROUGH = 2.0, 0.006
"""What labels keep from wires; and for each pixel that a wire rises, since it is drawn as a polyline."""
APART = 4.0
"""What labels keep from the end of a channel that they reach into."""

Curve = tuple[float, float]
"""The heights of a wire at the left and the right of a channel."""


class Label(msgspec.Struct, frozen=True):
    """Text amid a column that is `wide`, from `top` to `bottom`."""

    wide: float
    top: float
    bottom: float


class Column(msgspec.Struct):
    """What stands in a column: `wide` takes all that stays within it."""

    wide: float = 10.0
    labels: list[Label] = []


def across(
    columns: Sequence[Column], curves: Sequence[Sequence[Curve]]
) -> tuple[list[tuple[float, float]], list[Channel]]:
    """Left and right of each column, and the channels between them; `curves`: those after each column."""
    runs = [_run(some) for some in curves]
    x = MARGIN
    zones, channels = [], []
    for number, column in enumerate(columns):
        wide = column.wide
        before = [(right, left) for left, right in curves[number - 1]] if number else []
        for label in column.labels:
            reach = min(
                _reach(label, before, runs[number - 1] if number else 0.0),
                _reach(label, curves[number], runs[number]),
            )
            wide = max(wide, label.wide - 2 * reach)
        zones.append((x, x + wide))
        x += wide
        if number + 1 < len(columns):
            channels.append(Channel(x, x + runs[number], [], []))
            x = channels[-1].end
    return zones, channels


def _run(curves: Sequence[Curve]) -> float:
    rise = max((abs(right - left) for left, right in curves), default=0.0)
    return min(CHANNEL + min(2 * len(curves), 60), max(NARROWEST, STEEP * rise))


def _reach(label: Label, curves: Sequence[Curve], run: float) -> float:
    """How far a label may reach into a channel of so much room; `curves` from its side to the other."""
    reach = max(0.0, run - APART)
    for near, far in curves:
        room, towards = (near - label.bottom, near - far) if near > label.top else (label.top - near, far - near)
        if towards > 0:
            level = max(0.0, room - CLEAR - ROUGH * towards) / towards
            reach = min(reach, max(0.0, run * _until(level) - CLEAR))
    return reach


def _until(level: float) -> float:
    """Where `routing.smooth` comes to a level between 0 and 1."""
    return 0.5 - sin(asin(1 - 2 * min(level, 1.0)) / 3)
