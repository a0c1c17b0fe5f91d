"""Which event answers which: a rule's triggers become obligations, and each answer takes one.

Explicit causation first; then, in event order, each answer takes the earliest open obligation whose trigger is not
later than the answer (with an allowance for clocks that disagree).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from collector.correlation.choreography import Choreography, Rule
from collector.correlation.events import Skeleton


class Obligation(msgspec.Struct):
    """A triggered rule: its trigger events, the latest of which (`base`) starts it, and its answer if there is one.

    `missing` names the trigger types that a half-met join still waits for; such an obligation takes no answer.
    """

    rule: Rule
    triggers: tuple[Skeleton, ...]
    missing: tuple[str, ...] = ()
    answer: Skeleton | None = None

    @property
    def base(self) -> Skeleton:
        return max(self.triggers, key=lambda event: event.order)

    def deadline(self, skew: timedelta) -> tuple[datetime | None, bool]:
        """When the answer is due (None: nothing sets a time), and whether the trigger's clock was not believed."""
        start, skewed = believed_time(self.base, skew)
        return (start + self.rule.within if self.rule.within is not None else None), skewed


def believed_time(event: Skeleton, skew: timedelta) -> tuple[datetime, bool]:
    """The event's own time if it is within `skew` of its record's timestamp; else the record's, and True."""
    if abs(event.time - event.record_time) <= skew:
        return event.time, False
    return event.record_time, True


class Paired(msgspec.Struct):
    """The obligations of a transaction in rule order, and the events that answer at least one."""

    obligations: list[Obligation]
    answers: set[int]
    """Positions (in event order) of the events that answer something."""


def pair(ordered: Sequence[Skeleton], choreography: Choreography, skew: timedelta) -> Paired:
    """Pairs the events, given in event order, by all rules of the choreography."""
    by_type: dict[str, list[int]] = {}
    for position, event in enumerate(ordered):
        by_type.setdefault(event.type, []).append(position)
    paired = Paired([], set())
    for rule in choreography.rules:
        if not any(name in by_type for name in rule.after):
            continue
        obligations = _obligations(rule, ordered, by_type)
        answers = sorted(position for name in rule.expect for position in by_type.get(name, ()))
        paired.answers |= _answer([o for o in obligations if not o.missing], ordered, answers, skew)
        paired.obligations += obligations
    return paired


def _obligations(rule: Rule, ordered: Sequence[Skeleton], by_type: dict[str, list[int]]) -> list[Obligation]:
    columns = [[ordered[i] for i in by_type.get(name, ())] for name in rule.after]
    if rule.compensates is not None:
        undone = [ordered[i] for i in by_type.get(rule.compensates, ())]
        if not all(columns):
            return []
        # what happened has to be undone once for each time it happened, from the first moment all triggers are there
        return [Obligation(rule, (*(column[0] for column in columns), event)) for event in undone]
    found = []
    for i in range(max(len(column) for column in columns)):
        triggers = tuple(column[i] for column in columns if i < len(column))
        missing = tuple(name for name, column in zip(rule.after, columns, strict=True) if i >= len(column))
        found.append(Obligation(rule, triggers, missing))
    return found


def _answer(
    obligations: list[Obligation], ordered: Sequence[Skeleton], answers: list[int], skew: timedelta
) -> set[int]:
    """Gives the obligations their answers; returns the positions of the events used."""
    by_trigger: dict[str, list[Obligation]] = {}
    for obligation in obligations:
        for trigger in obligation.triggers:
            by_trigger.setdefault(trigger.id, []).append(obligation)
    used: set[int] = set()
    for position in answers:
        event = ordered[position]
        for cause in event.causes:
            for obligation in by_trigger.get(cause, ()):
                if obligation.answer is None:
                    obligation.answer = event
                    used.add(position)
    waiting = sorted((o for o in obligations if o.answer is None), key=lambda o: o.base.order)
    at = 0
    for position in answers:
        if position in used or at == len(waiting):
            continue
        if waiting[at].base.time <= ordered[position].time + skew:
            waiting[at].answer = ordered[position]
            used.add(position)
            at += 1
    return used
