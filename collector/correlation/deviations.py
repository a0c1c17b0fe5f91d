"""What a choreography does not allow, in sentences that a person understands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from collector.correlation.choreography import Choreography, Rule
from collector.correlation.findings import MOST, Finding
from collector.correlation.pairing import Obligation, Paired
from collector.correlation.passages import Passage, passage_at
from collector.correlation.shape import Clocks, Shape
from collector.correlation.state import DeviationKind


def find(
    shape: Shape,
    choreography: Choreography,
    paired: Paired,
    end: int | None,
    through: Sequence[Passage],
    clocks: Clocks,
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """The deviations that the shape shows: those told before late answers, and those told after.

    None where nothing was declared.
    """
    if not choreography.declared:
        return (), ()
    before = _unexpected(shape, choreography) + _unpaired(shape, choreography, paired, through, clocks)
    if choreography.only_after:
        before += _too_early(shape, choreography, {found.position for found in before}, clocks)
    if choreography.never_after:
        before += _forbidden(shape, choreography)
    after = _after_end(shape, choreography, paired, end) + _missing(shape, choreography, paired, end, through)
    return tuple(before[:MOST]), tuple(after[:MOST])


class _Come:
    """Which types had come by when, as far as clocks tell."""

    def __init__(self, shape: Shape, clocks: Clocks) -> None:
        self.first, self.clocks = shape.first_places(), clocks

    def lacking(self, needed: Iterable[str], position: int) -> list[str]:
        """Those of these types of which none had come before the event at this position."""
        return [n for n in needed if n not in self.first or not self.clocks.allow(self.first[n], position)]


def _unexpected(shape: Shape, choreography: Choreography) -> list[Finding]:
    return [
        Finding("unexpected", f"{name} is no event of {choreography.name}.", position)
        for position, name in enumerate(shape.types)
        if name not in choreography.mentioned
    ]


def _unpaired(
    shape: Shape, choreography: Choreography, paired: Paired, through: Sequence[Passage], clocks: Clocks
) -> list[Finding]:
    """Answers that nothing asked for: before their trigger or without one, or once more after the answer had come.
    What begins a part may come again."""
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
    come = _Come(shape, clocks)
    begins = {passage.start for passage in through}
    found = [_unasked(name, position, expected_by[name], triggered, come) for position, name in unasked]
    return [finding for finding in found if finding.kind != "repeated" or finding.position not in begins]


def _unasked(name: str, position: int, rules: Sequence[Rule], triggered: dict[str, int], come: _Come) -> Finding:
    if any(rule.key in triggered and come.clocks.allow(triggered[rule.key], position) for rule in rules):
        return Finding("repeated", f"{name} came again, though nothing waited for it.", position)
    without = " or ".join(dict.fromkeys(" and ".join(_lacking(rule, position, come)) for rule in rules))
    return Finding("out of order", f"{name} came without {without} before it.", position)


def _lacking(rule: Rule, position: int, come: _Come) -> list[str]:
    """What a rule needs and had not come; all of it, where each had come, but not as often as it takes."""
    needed = [*rule.after, *([rule.compensates] if rule.compensates else [])]
    return come.lacking(needed, position) or needed


def _too_early(shape: Shape, choreography: Choreography, told: set[int], clocks: Clocks) -> list[Finding]:
    """Events that came without what has to have come before them; those that are told of already left out."""
    come = _Come(shape, clocks)
    found = []
    for position, name in enumerate(shape.types):
        lacking = come.lacking(choreography.only_after.get(name, ()), position)
        if lacking and position not in told:
            sentence = f"{name} came without {' and '.join(lacking)} before it."
            found.append(Finding("out of order", sentence, position))
    return found


def _forbidden(shape: Shape, choreography: Choreography) -> list[Finding]:
    first = shape.first_places()
    found = []
    for name, never in choreography.never_after.items():
        for position in range(first.get(name, len(shape.types)) + 1, len(shape.types)):
            if shape.types[position] in never:
                sentence = f"{shape.types[position]} came after {name}, after which it must not."
                found.append(Finding("forbidden", sentence, position))
    return sorted(found, key=lambda finding: finding.position)


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


def _missing(
    shape: Shape, choreography: Choreography, paired: Paired, end: int | None, through: Sequence[Passage]
) -> list[Finding]:
    """What was still awaited when the whole or its part was completed; a failure leaves things undone."""
    completed = end if end is not None and shape.types[end] in choreography.completes else None
    return [
        Finding("missing", f"{o.rule.awaited} never came after {' and '.join(o.rule.after)}.", o.base)
        for o in paired.obligations
        if o.answer is None and not o.missing and o.rule.binding and _completed_without(o, through, completed)
    ]


def _completed_without(obligation: Obligation, through: Sequence[Passage], completed: int | None) -> bool:
    """Whether the whole, completed by the event at this position, or the rule's part was completed without the answer.
    What is triggered after that is void."""
    passage = passage_at(through, obligation.rule.part, obligation.base) if obligation.rule.part else None
    if passage is not None and passage.end is not None:
        completed = None if passage.failed else passage.end
    return completed is not None and obligation.base <= completed
