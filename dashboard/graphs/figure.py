"""A scene as Plotly's figure: plain dicts, few traces with fixed ids, so that the page can update it in place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby, repeat
from math import cos, pi, sin
from typing import Any

from dashboard.graphs.graph import Drawing, Table
from dashboard.graphs.scene import Box, Hit, Line, Mark, Scene, Text
from dashboard.graphs.text import FAMILY, escape

Trace = dict[str, Any]

CORNER = 5
"""Points that a rounded corner is drawn with."""
ANCHORS = {"start": "middle right", "middle": "middle center", "end": "middle left"}
"""Plotly says on which side of the point the text lies."""


def colour(role: str) -> str:
    return f"--cs-{role}"


def drawing(scene: Scene, table: Table) -> Drawing:
    """The figure with all that the browser needs beside it."""
    texts = sorted(scene.texts, key=lambda one: (one.clock is not None, one.fixed))
    data = [
        *_boxes("band", scene.bands),
        *_lines(scene.lines),
        *_boxes("box", scene.boxes),
        *_marks(scene.marks),
        *_texts(texts),
        *_hits(scene.hits),
    ]
    running = [one for one in texts if one.clock]
    return Drawing(
        figure={"data": data, "layout": _layout(scene)},
        table=table,
        width=round(scene.width),
        height=round(scene.bottom - scene.top),
        stretch=tuple((_r(one.start), _r(one.end), one.limit) for one in scene.stretch),
        stops=tuple(
            {"id": one.id, "x": _r(one.x), "y": _r(one.y), "sentence": one.sentence, "data": one.data}
            for one in scene.stops
        ),
        clocks=tuple({"point": point, **(one.clock or {})} for point, one in enumerate(running)),
        names=tuple((_r(one.y), one.text) for one in scene.names),
    )


def _layout(scene: Scene) -> dict[str, Any]:
    def axis(start: float, end: float) -> dict[str, Any]:
        return {
            "range": [start, end],
            "minallowed": min(start, end),
            "maxallowed": max(start, end),
            "visible": False,
        }

    return {
        "xaxis": axis(0, _r(scene.width)),
        "yaxis": axis(_r(scene.bottom), _r(scene.top)),
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "showlegend": False,
        "hovermode": "closest",
        "hoverdistance": 6,
        "font": {"family": FAMILY, "size": 12, "color": colour("ink")},
        "hoverlabel": {
            "bgcolor": colour("paper"),
            "bordercolor": colour("ghost-edge"),
            "font": {"family": FAMILY, "size": 12, "color": colour("ink")},
            "align": "left",
            "namelength": 0,
        },
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
    }


def _r(value: float) -> float:
    return round(value, 1)


def _uid(*parts: str) -> str:
    """Plotly makes a class name of it, and a selector of that."""
    return "-".join("".join(char if char.isalnum() else "-" for char in part) for part in parts if part)


def _trace(uid: str, mode: str, **more: Any) -> Trace:
    return {"type": "scatter", "uid": uid, "mode": mode, "hoverinfo": "skip", "cliponaxis": True, **more}


def _boxes(kind: str, boxes: Sequence[Box]) -> Iterable[Trace]:
    """A trace for each look; outlines separated by gaps."""
    looks = sorted({(one.fill, one.ink) for one in boxes})
    for fill, ink in looks:
        xs: list[float | None] = []
        ys: list[float | None] = []
        for one in boxes:
            if (one.fill, one.ink) == (fill, ink):
                _outline(one, xs, ys)
        yield _trace(
            _uid(kind, fill, ink),
            "lines",
            x=xs,
            y=ys,
            fill="toself",
            fillcolor=colour(fill),
            line={"width": 1.5 if ink else 0, "color": colour(ink or fill), "simplify": False},
        )


def _outline(box: Box, xs: list[float | None], ys: list[float | None]) -> None:
    x0, y0, x1, y1 = box.rect
    if xs:
        xs.append(None)
        ys.append(None)
    start = len(xs)
    if box.radius:
        r = box.radius
        for cx, cy, quarter in ((x1 - r, y0 + r, 3), (x1 - r, y1 - r, 0), (x0 + r, y1 - r, 1), (x0 + r, y0 + r, 2)):
            for step in range(CORNER):
                angle = (quarter + step / (CORNER - 1)) * pi / 2
                xs.append(_r(cx + r * cos(angle)))
                ys.append(_r(cy + r * sin(angle)))
    else:
        xs += [_r(x0), _r(x1), _r(x1), _r(x0)]
        ys += [_r(y0), _r(y0), _r(y1), _r(y1)]
    xs.append(xs[start])
    ys.append(ys[start])


def _lines(lines: Sequence[Line]) -> Iterable[Trace]:
    """A trace for each look, since a trace's line has one; in the order in which the looks first come."""

    def look(line: Line) -> tuple[bool, str, str, float]:
        return (line.fixed, line.ink, line.dash, round(line.thick, 2))  # 1.6 - 0.4 is 1.2 to the eye

    looks: dict[tuple[bool, str, str, float], list[Line]] = {}
    for line in lines:
        looks.setdefault(look(line), []).append(line)
    for (fixed, ink, dash, thick), alike in looks.items():
        xs: list[float | None] = []
        ys: list[float | None] = []
        for one in alike:
            xs += map(round, one.xs, repeat(1))
            ys += map(round, one.ys, repeat(1))
            xs.append(None)
            ys.append(None)
        yield _trace(
            _uid("line", ink, dash, f"{thick:g}", "fixed" if fixed else ""),
            "lines",
            x=xs[:-1],
            y=ys[:-1],
            line={"color": colour(ink), "width": thick, "dash": dash, "simplify": False},
            meta={"fixed": fixed},
        )


def _marks(marks: Sequence[Mark]) -> Iterable[Trace]:
    for uid, fixed, silent in (("arrows", False, True), ("marks", False, False), ("marks-fixed", True, True)):
        some = [one for one in marks if one.fixed == fixed and (fixed or (not one.hover) == silent)]
        if not some:
            continue
        trace = _trace(
            uid,
            "markers",
            x=[_r(one.x) for one in some],
            y=[_r(one.y) for one in some],
            marker={
                "symbol": [one.symbol for one in some],
                "size": [one.size for one in some],
                "color": [colour(one.fill or one.ink) for one in some],
                "opacity": 1,
                "line": {
                    "width": [0 if one.fill == one.ink else 1.8 for one in some],
                    "color": [colour(one.ink) for one in some],
                },
            },
            meta={"fixed": fixed},
        )
        if not silent:
            trace |= _answering([one.key for one in some], [one.hover for one in some], [one.data for one in some])
        yield trace


def _answering(keys: list[str], hovers: list[str], data: list[Any]) -> Trace:
    return {"ids": keys, "hovertext": hovers, "hoverinfo": "text", "customdata": data}


def _texts(texts: Sequence[Text]) -> Iterable[Trace]:
    for (running, fixed), group in groupby(texts, lambda one: (one.clock is not None, one.fixed)):
        some = list(group)
        uid = "text-clock" if running else "text-fixed" if fixed else "text"
        yield _trace(
            uid,
            "text",
            x=[_r(one.x) for one in some],
            y=[_r(one.y) for one in some],
            text=[escape(one.text) for one in some],
            textposition=[ANCHORS[one.anchor] for one in some],
            textfont={
                "family": FAMILY,
                "size": [one.size for one in some],
                "color": [colour(one.ink) for one in some],
                "weight": ["bold" if one.bold else "normal" for one in some],
            },
            meta={"fixed": fixed},
        )


def _hits(hits: Sequence[Hit]) -> Iterable[Trace]:
    if not hits:
        return
    yield _trace(
        "hits",
        "markers",
        x=[_r(one.x) for one in hits],
        y=[_r(one.y) for one in hits],
        marker={"size": [one.size for one in hits], "color": colour("line"), "opacity": 0},
        **_answering([one.key for one in hits], [one.hover for one in hits], [one.data for one in hits]),
    )
