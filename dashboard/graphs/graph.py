"""What the graphs are made from, in the caller's words, and what a finished drawing is."""

from __future__ import annotations

from typing import Any

import msgspec


class Flow(msgspec.Struct, frozen=True):
    """How often one event led to another within the window: `source_type` of `source_service` to `target_type` of
    `target_service`.

    The source is empty for events without a known cause: they show where transactions begin. A count of 0 keeps an
    edge on the map that nothing went over lately, so that the map stays as it is. `failure`: part of a failure path.
    `topic`: the one that the target event is on.
    """

    source_service: str
    source_type: str
    target_service: str
    target_type: str
    count: int
    p95_seconds: float | None = None
    failure: bool = False
    topic: str = ""


class Waiting(msgspec.Struct, frozen=True):
    """How many transactions wait for `awaited` from `service` after the events of the types `after`, and how many of
    them are overdue. Several types in `after` are a join; the count is shown on each edge that leads into it.
    `learned`: nobody declared until when."""

    after: tuple[str, ...]
    awaited: str
    service: str
    count: int
    overdue: int = 0
    learned: bool = False


class Table(msgspec.Struct, frozen=True):
    """The graph as a table, in plain text (not escaped): what screen readers and the table view show."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Drawing(msgspec.Struct, frozen=True):
    """A finished graph: encode it with `msgspec.json.encode` and hand it to static/js/graph.js.

    figure: Plotly's {"data": …, "layout": …}; colours are names of custom properties ("--cs-ok") of css/graph.css.
    table: the same content for those who cannot see it.
    width, height: pixels; narrower than `width`, the page scales it down a little and then scrolls it.
    stretch: intervals of x that grow where the page is wider, by up to a third number times their length (0: without
    end), so that text and nodes keep their size.
    stops: what the keyboard walks over, in reading order: {"id", "x", "y", "sentence", "data"}.
    names: what rows are called, by the middle of their height: stays in sight where the drawing is scrolled beyond it.
    note: what of it is not drawn, in words.
    focus: the id of the stop that has to be in sight from the start, where not all of it is; empty: its beginning.
    clocks: texts that count on, by point of the trace "text-clock": {"point", "at" (ms since 1970), "down" (to `at`
    rather than up from it)}.
    """

    figure: dict[str, Any]
    table: Table
    width: int
    height: int
    stretch: tuple[tuple[float, float, float], ...] = ()
    stops: tuple[dict[str, Any], ...] = ()
    clocks: tuple[dict[str, Any], ...] = ()
    names: tuple[tuple[float, str], ...] = ()
    note: str = ""
    focus: str = ""
