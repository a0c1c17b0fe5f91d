"""Measures a finished figure: what touches what that should not."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

from dashboard.graphs import Drawing
from dashboard.graphs.scene import LINE_HEIGHT, Mark, Rect, overlap
from dashboard.graphs.text import width

Segment = tuple[float, float, float, float]
SIDES = {"middle right": 0.0, "middle center": 0.5, "middle left": 1.0}


def traces(drawing: Drawing, *prefixes: str) -> list[dict[str, Any]]:
    return [trace for trace in drawing.figure["data"] if trace["uid"].startswith(prefixes)]


def labels(drawing: Drawing) -> list[tuple[str, Rect]]:
    found = []
    for trace in traces(drawing, "text"):
        font = trace["textfont"]
        for x, y, text, side, size, weight in zip(
            trace["x"], trace["y"], trace["text"], trace["textposition"], font["size"], font["weight"], strict=True
        ):
            plain = html.unescape(text)
            wide = width(plain, size, bold=weight == "bold")
            left = x - wide * SIDES[side]
            high = size * LINE_HEIGHT / 2
            found.append((plain, (left, y - high, left + wide, y + high)))
    return found


def marks(drawing: Drawing) -> list[Rect]:
    found = []
    for trace in traces(drawing, "marks", "arrows"):
        look = trace["marker"]
        for x, y, size, symbol in zip(trace["x"], trace["y"], look["size"], look["symbol"], strict=True):
            found.append(Mark(x, y, symbol, size, "").rect)
    return found


def boxes(drawing: Drawing) -> list[Rect]:
    found = []
    for trace in traces(drawing, "box"):
        for xs, ys in zip(_pieces(trace["x"]), _pieces(trace["y"]), strict=True):
            found.append((min(xs), min(ys), max(xs), max(ys)))
    return found


def segments(drawing: Drawing) -> list[Segment]:
    found = []
    for trace in traces(drawing, "line"):
        for xs, ys in zip(_pieces(trace["x"]), _pieces(trace["y"]), strict=True):
            found += list(zip(xs, ys, xs[1:], ys[1:], strict=False))
    return found


def _pieces(values: list[float | None]) -> Iterator[list[float]]:
    piece: list[float] = []
    for value in [*values, None]:
        if value is None:
            yield piece
            piece = []
        else:
            piece.append(value)


def collisions(drawing: Drawing) -> list[str]:
    """A sentence for each label that touches a label, a node, a line or a box's edge, or leaves the figure, and for
    each node that touches a node. A badge's number is on its badge."""
    named, shapes, frames, lines = labels(drawing), marks(drawing), boxes(drawing), segments(drawing)
    badges = {_centre(rect) for rect in shapes}
    free = [(name, rect) for name, rect in named if _centre(rect) not in badges]
    low, high = drawing.figure["layout"]["yaxis"]["range"][::-1]
    found = []
    for number, (name, rect) in enumerate(free):
        if rect[0] < 0 or rect[2] > drawing.width or rect[1] < low or rect[3] > high:
            found.append(f"{name!r} leaves the figure")
        found += [f"{name!r} touches {other!r}" for other, taken in free[number + 1 :] if overlap(rect, taken)]
        found += [f"{name!r} touches a mark at {shape}" for shape in shapes if overlap(rect, shape)]
        found += [f"{name!r} touches a box" for frame in frames if overlap(rect, frame) and not _within(rect, frame)]
        found += [f"{name!r} touches the line {line}" for line in lines if crosses(line, rect)]
    for frame in frames:
        found += [f"the line {line} crosses a box" for line in lines if crosses(line, _smaller(frame, 1))]
    for number, frame in enumerate(frames):
        found += [f"boxes touch at {frame}" for other in frames[number + 1 :] if overlap(frame, other)]
    return found


def _centre(rect: Rect) -> tuple[float, float]:
    return (round((rect[0] + rect[2]) / 2), round((rect[1] + rect[3]) / 2))


def _within(inner: Rect, outer: Rect) -> bool:
    return inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def _smaller(rect: Rect, by: float) -> Rect:
    return (rect[0] + by, rect[1] + by, rect[2] - by, rect[3] - by)


def crosses(segment: Segment, rect: Rect) -> bool:
    """Whether a segment goes through a rectangle (Liang and Barsky, 1984)."""
    x0, y0, x1, y1 = segment
    enter, leave = 0.0, 1.0
    for delta, low, high in ((x1 - x0, rect[0] - x0, rect[2] - x0), (y1 - y0, rect[1] - y0, rect[3] - y0)):
        if delta == 0:
            if low >= 0 or high <= 0:
                return False
            continue
        first, last = sorted((low / delta, high / delta))
        enter, leave = max(enter, first), min(leave, last)
    return enter < leave
