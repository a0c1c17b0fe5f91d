"""Which event answers which: a rule's triggers become obligations, and each answer takes one.

Explicit causation first; then, in event order, each answer takes the earliest open obligation whose trigger is not
later than the answer (with an allowance for clocks that disagree). Events are spoken of by their positions in event
order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter

import msgspec

from collector.correlation.choreography import Rule
from collector.correlation.shape import Clocks, Shape

Places = dict[str, list[int]]
"""The positions at which events of a type are, ascending."""


class Obligation(msgspec.Struct):
    """A triggered rule: its trigger events, the latest of which (`base`) starts it, and its answer if there is one.

    `missing` names the trigger types that a half-met join still waits for; such an obligation takes no answer.
    """

    rule: Rule
    triggers: tuple[int, ...]
    base: int
    missing: tuple[str, ...] = ()
    answer: int | None = None


_base = attrgetter("base")


class Paired(msgspec.Struct):
    """The obligations of a transaction in rule order, and the positions of the events that answer at least one."""

    obligations: list[Obligation]
    answers: set[int]


def pair(shape: Shape, rules: Iterable[Rule], clocks: Clocks) -> Paired:
    """Pairs the events by these rules."""
    places: Places = {}
    for position, name in enumerate(shape.types):
        places.setdefault(name, []).append(position)
    paired = Paired([], set())
    for rule in rules:
        if places.keys().isdisjoint(rule.after):
            continue
        obligations = _obligations(rule, places)
        answers = [position for name in rule.expect if name in places for position in places[name]]
        if obligations and answers:
            answers.sort()
            paired.answers |= _answer([o for o in obligations if not o.missing], answers, shape, clocks)
        paired.obligations += obligations
    return paired


def _obligations(rule: Rule, places: Places) -> list[Obligation]:
    if rule.compensates is not None:
        return _undoing(rule, places)
    if len(rule.after) == 1:
        return [Obligation(rule, (position,), position) for position in places[rule.after[0]]]
    columns = [places.get(name, []) for name in rule.after]
    found = []
    for i in range(max(len(column) for column in columns)):
        triggers = tuple(column[i] for column in columns if i < len(column))
        missing = tuple(name for name, column in zip(rule.after, columns, strict=True) if i >= len(column))
        found.append(Obligation(rule, triggers, max(triggers), missing))
    return found


def _undoing(rule: Rule, places: Places) -> list[Obligation]:
    """What happened has to be undone, once for each time it happened, from the moment that all triggers are there."""
    if not all(name in places for name in rule.after):
        return []
    triggers = tuple(places[name][0] for name in rule.after)
    undone = [(*triggers, position) for position in places.get(rule.compensates or "", ())]
    return [Obligation(rule, all_of_them, max(all_of_them)) for all_of_them in undone]


def _answer(obligations: list[Obligation], answers: Sequence[int], shape: Shape, clocks: Clocks) -> set[int]:
    """Gives the obligations their answers; returns the positions of the events used."""
    used = _answer_by_cause(obligations, answers, shape)
    waiting = sorted((o for o in obligations if o.answer is None), key=_base)
    at = 0
    for position in answers:
        if at == len(waiting):
            break
        if position not in used and clocks.allow(waiting[at].base, position):
            waiting[at].answer = position
            used.add(position)
            at += 1
    return used


def _answer_by_cause(obligations: list[Obligation], answers: Sequence[int], shape: Shape) -> set[int]:
    used: set[int] = set()
    by_trigger: dict[int, list[Obligation]] = {}
    for obligation in obligations:
        for trigger in obligation.triggers:
            by_trigger.setdefault(shape.same_id(trigger), []).append(obligation)
    for position in answers:
        for cause in shape.causes_of(position):
            for obligation in by_trigger.get(cause, ()):
                if obligation.answer is None:
                    obligation.answer = position
                    used.add(position)
    return used
