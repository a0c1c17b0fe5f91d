"""What a layout hands to the figure: shapes, lines and texts at their places, in pixels, y downwards.

Colours are still roles ("ok", "overdue"): the custom properties of css/graph.css, without their prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from dashboard.graphs.text import width

Anchor = Literal["start", "middle", "end"]
Rect = tuple[float, float, float, float]
"""x0, y0, x1, y1."""

REACH = {"diamond": 1.3, "cross": 1.2, "triangle-up": 1.16, "triangle-left": 1.16, "triangle-right": 1.16}
"""How far symbols of Plotly's reach beyond half of their size."""

LINE_HEIGHT = 1.2
"""Of the font's size: ascent and descent of the fonts in use, and a hair."""


class Text(msgspec.Struct, frozen=True):
    """A line of text, vertically centred on `y`. `reserve`: a longer text that the place must have room for."""

    x: float
    y: float
    text: str
    size: float
    ink: str
    bold: bool = False
    anchor: Anchor = "middle"
    reserve: str = ""
    clock: dict[str, Any] | None = None
    fixed: bool = False

    @property
    def heights(self) -> tuple[float, float]:
        """Its top and bottom."""
        half = self.size * LINE_HEIGHT / 2
        return (self.y - half, self.y + half)

    @property
    def rect(self) -> Rect:
        wide = max(width(text, self.size, self.bold) for text in (self.text, self.reserve))
        left = self.x - wide * {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor]
        top, bottom = self.heights
        return (left, top, left + wide, bottom)


class Mark(msgspec.Struct, frozen=True):
    """A symbol of Plotly's at a point. `fixed`: it does not move when a wider page stretches the drawing."""

    x: float
    y: float
    symbol: str
    size: float
    ink: str
    fill: str = ""
    key: str = ""
    hover: str = ""
    data: dict[str, Any] | None = None
    fixed: bool = False

    @property
    def rect(self) -> Rect:
        half = self.size / 2 * REACH.get(self.symbol, 1.0)
        return (self.x - half, self.y - half, self.x + half, self.y + half)


class Line(msgspec.Struct, frozen=True):
    """A curve as a polyline."""

    xs: Sequence[float]
    ys: Sequence[float]
    ink: str
    thick: float = 1.5
    dash: str = "solid"
    fixed: bool = False


class Box(msgspec.Struct, frozen=True):
    """A filled rectangle, with an outline where `ink` is set and rounded by `radius` pixels."""

    rect: Rect
    fill: str
    ink: str = ""
    radius: float = 0.0


class Hit(msgspec.Struct, frozen=True):
    """A place that answers to the pointer without being seen."""

    x: float
    y: float
    size: float
    hover: str
    data: dict[str, Any]
    key: str


class Stop(msgspec.Struct, frozen=True):
    """A place that the keyboard walks to, with what it says there."""

    id: str
    x: float
    y: float
    sentence: str
    data: dict[str, Any]


class Stretch(msgspec.Struct, frozen=True, array_like=True):
    """An interval of x that grows where the page is wider, up to `limit` times its length; 0: takes what is left."""

    start: float
    end: float
    limit: float


class Scene(msgspec.Struct, frozen=True):
    """Everything in drawing order within each kind; kinds are drawn bands, lines, boxes, marks, texts, hits.

    `names`: those of the texts that say what a row is.
    """

    width: float
    top: float
    bottom: float
    bands: Sequence[Box] = ()
    lines: Sequence[Line] = ()
    boxes: Sequence[Box] = ()
    marks: Sequence[Mark] = ()
    texts: Sequence[Text] = ()
    hits: Sequence[Hit] = ()
    stops: Sequence[Stop] = ()
    stretch: Sequence[Stretch] = ()
    names: Sequence[Text] = ()


def overlap(a: Rect, b: Rect, slack: float = 0.0) -> bool:
    """Whether two rectangles come closer than `slack`."""
    return a[0] < b[2] + slack and b[0] < a[2] + slack and a[1] < b[3] + slack and b[1] < a[3] + slack


def nothing(sentence: str) -> Scene:
    """What is drawn where there is nothing to draw."""
    wide = 320.0
    return Scene(
        width=wide,
        top=0.0,
        bottom=96.0,
        texts=[Text(wide / 2, 48.0, sentence, 13, "muted")],
        stretch=[Stretch(0, 10, 0), Stretch(wide - 10, wide, 0)],
    )
