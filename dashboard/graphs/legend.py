"""The row that says what the shapes and lines of a drawing mean; only those that occur in it."""

from __future__ import annotations

from collections.abc import Iterable

from dashboard.graphs import text
from dashboard.graphs.looks import LINKS, STEPS
from dashboard.graphs.scene import Line, Mark, Text
from dashboard.graphs.steps import Steps

SIZE = 11.0
ROW = 20.0
STROKE = 22.0


def legend(graph: Steps, left: float, right: float, top: float) -> tuple[list[Mark], list[Line], list[Text], float]:
    """Symbols, strokes and words from `left` to `right`, in as many rows as needed, and where they end below."""
    roles = {step.role for step in graph.steps}
    bases = {link.basis for link in graph.links}
    marks: list[Mark] = []
    lines: list[Line] = []
    texts: list[Text] = []
    x, y = left, top + ROW / 2
    for kind, name in _entries(roles, bases):
        word = LINKS[name].legend if kind == "link" else STEPS[name].legend  # type: ignore[index]
        lead = STROKE + 6 if kind == "link" else 20.0
        wide = lead + text.width(word, SIZE) + 18
        if x > left and x + wide > right:
            x, y = left, y + ROW
        if kind == "link":
            stroke = LINKS[name]  # type: ignore[index]
            lines.append(Line((x, x + STROKE), (y, y), stroke.ink, stroke.thick, stroke.dash, fixed=True))
        else:
            look = STEPS[name]  # type: ignore[index]
            marks.append(Mark(x + 7, y, look.symbol, min(look.size, 12), look.ink, look.fill, fixed=True))
        texts.append(Text(x + lead, y, word, SIZE, "muted", anchor="start", fixed=True))
        x += wide
    return marks, lines, texts, y + ROW / 2


def _entries(roles: set[str], bases: set[str]) -> Iterable[tuple[str, str]]:
    """What occurs, in the order of the tables; nothing where there is nothing to tell apart."""
    if len(roles) > 1:
        yield from (("step", role) for role in STEPS if role in roles)
    if "declared" in bases:
        yield from (("link", basis) for basis in LINKS if basis in bases and LINKS[basis].legend)
