"""A step's signs, the same in all views: its shape, and an hourglass beside it where it came after its deadline."""

from __future__ import annotations

from collections.abc import Iterator

from dashboard.graphs.looks import LATE, STEPS
from dashboard.graphs.scene import Mark
from dashboard.graphs.sentences import step_hover
from dashboard.graphs.steps import Step

_BESIDE, _BELOW = 8.5, 7.5
"""Where the hourglass stands: under what leads there, above the word below."""


def of_step(step: Step, x: float, y: float, *, less: float = 0.0, side: int = 1, more: str = "") -> Iterator[Mark]:
    """`less`: so much smaller than usual; `side`: where there is room for the hourglass, 1 right or -1 left; `more`:
    said on hovering."""
    look = STEPS[step.role]
    hover = step_hover(step) + more
    yield Mark(x, y, look.symbol, look.size - less, look.ink, look.fill, step.key, hover, step.data)
    if step.late:
        yield Mark(x + side * _BESIDE, y + _BELOW, LATE.symbol, LATE.size, LATE.ink, LATE.fill)


def word_ink(step: Step) -> str:
    return LATE.word if step.late else STEPS[step.role].word
