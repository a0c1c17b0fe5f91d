"""How roles look: shape, colour and word, never colour alone. Colours are names of css/graph.css's properties."""

from __future__ import annotations

import msgspec

from dashboard.graphs.steps import Basis, Role


class Look(msgspec.Struct, frozen=True):
    """`symbol` is Plotly's; `ink` the outline, `fill` the inside, `name` the title's colour, `word` its word's."""

    symbol: str
    ink: str
    fill: str
    name: str
    word: str
    legend: str
    size: float = 16.0


STEPS: dict[Role, Look] = {
    "event": Look("circle", "ok-edge", "ok", "ink", "muted", "event", 15),
    "end": Look("square", "ok-edge", "ok", "ink", "ok-text", "end", 15),
    "failure": Look("triangle-up", "fail-edge", "fail", "ink", "fail-text", "failure path", 17),
    "failed end": Look("square", "fail-edge", "fail", "ink", "fail-text", "end after a failure", 15),
    "undo": Look("triangle-left", "undo-edge", "undo", "ink", "undo-text", "compensation", 17),
    "after": Look("cross", "line", "ghost", "ink", "muted", "after the end", 14),
    "overdue": Look("diamond", "overdue", "overdue-soft", "overdue-text", "overdue-text", "overdue", 15),
    "pending": Look("circle", "ghost-edge", "paper", "muted", "muted", "awaited", 15),
    "expected": Look("circle", "ghost", "paper", "faint", "faint", "expected later", 13),
    "missing": Look("circle-x", "ghost-edge", "paper", "muted", "muted", "not arrived", 15),
}
LATE = Look("hourglass", "overdue", "overdue", "", "overdue-text", "late: after its deadline", 9)
"""Stands beside what came after its deadline, whatever that is."""


class Stroke(msgspec.Struct, frozen=True):
    """A line's colour, dashes and thickness in pixels."""

    ink: str
    dash: str
    thick: float
    legend: str


# In drawing order: what matters most lies on top.
LINKS: dict[Basis, Stroke] = {
    "expected": Stroke("ghost", "2px,4px", 1.3, ""),
    "pending": Stroke("ghost-edge", "2px,4px", 1.6, ""),
    "missing": Stroke("ghost-edge", "2px,4px", 1.6, ""),
    "explicit": Stroke("line", "solid", 1.6, "cause named by the event"),
    "declared": Stroke("line", "5px,4px", 1.6, "inferred from a rule"),
    "overdue": Stroke("overdue", "7px,5px", 2.2, ""),
}
