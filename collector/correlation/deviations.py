"""What a choreography does not allow, in sentences that a person understands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from collector.correlation.choreography import Choreography, Rule
from collector.correlation.pairing import Paired
from collector.correlation.shape import Clocks, Shape
from collector.correlation.state import DeviationKind

MOST = 50
"""Deviations kept for one transaction: the first ones tell the story, and a row has to stay small."""


class Finding(NamedTuple):
    """A deviation, with the position of the event that it is about."""

    kind: DeviationKind
    sentence: str
    position: int


def find(
    shape: Shape, choreography: Choreography, paired: Paired, end: int | None, clocks: Clocks
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """The deviations that the shape shows: those told before late answers, and those told after.

    None where nothing was declared.
    """
    if not choreography.declared:
        return (), ()
    before = _unexpected(shape, choreography) + _unpaired(shape, choreography, paired, clocks)
    after = _after_end(shape, choreography, paired, end) + _missing(shape, choreography, paired, end)
    return tuple(before[:MOST]), tuple(after[:MOST])


def _unexpected(shape: Shape, choreography: Choreography) -> list[Finding]:
    return [
        Finding("unexpected", f"{name} is no event of {choreography.name}.", position)
        for position, name in enumerate(shape.types)
        if name not in choreography.mentioned
    ]


def _unpaired(shape: Shape, choreography: Choreography, paired: Paired, clocks: Clocks) -> list[Finding]:
    """Answers that nothing asked for: before their trigger or without one, or once more after the answer had come."""
    expected_by = choreography.expected_by
    unasked = [
        (position, name)
        for position, name in enumerate(shape.types)
        if position not in paired.answers and name in expected_by and name not in choreography.starts
    ]
    if not unasked:
        return []
    triggered: dict[str, int] = {}
    for obligation in paired.obligations:
        if not obligation.missing:
            key = obligation.rule.key
            triggered[key] = min(triggered.get(key, obligation.base), obligation.base)
    return [_unasked(position, name, expected_by[name], triggered, clocks) for position, name in unasked]


def _unasked(position: int, name: str, rules: Sequence[Rule], triggered: dict[str, int], clocks: Clocks) -> Finding:
    if any(rule.key in triggered and clocks.allow(triggered[rule.key], position) for rule in rules):
        return Finding("repeated", f"{name} came again, though nothing waited for it.", position)
    after = " or ".join(dict.fromkeys(" and ".join(rule.after) for rule in rules))
    return Finding("out of order", f"{name} came without {after} before it.", position)


def _after_end(shape: Shape, choreography: Choreography, paired: Paired, end: int | None) -> list[Finding]:
    if end is None:
        return []
    allowed = {o.answer for o in paired.obligations if o.rule.survives_end}
    found = []
    for position, name in enumerate(shape.types[end + 1 :], end + 1):
        if position not in allowed:
            kind: DeviationKind = "second end" if name in choreography.ends else "after end"
            found.append(Finding(kind, f"{name} came after {shape.types[end]} had ended it.", position))
    return found


def _missing(shape: Shape, choreography: Choreography, paired: Paired, end: int | None) -> list[Finding]:
    """What was still awaited when it was completed; a failure leaves things undone."""
    if end is None or shape.types[end] not in choreography.completes:
        return []
    return [
        Finding("missing", f"{o.rule.awaited} never came after {' and '.join(o.rule.after)}.", o.base)
        for o in paired.obligations
        if o.answer is None and not o.missing and not o.rule.survives_end
    ]
