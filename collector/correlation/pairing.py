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
    base: Skeleton
    missing: tuple[str, ...] = ()
    answer: Skeleton | None = None

    def deadline(self, skew: timedelta) -> tuple[datetime | None, bool]:
        """When the answer is due (None: nothing sets a time), and whether the trigger's clock was not believed."""
        start, skewed = believed_time(self.base, skew)
        return (start + self.rule.within if self.rule.within is not None else None), skewed


def _latest(triggers: tuple[Skeleton, ...]) -> Skeleton:
    return triggers[0] if len(triggers) == 1 else max(triggers, key=lambda event: event.order)


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
    for rule in choreography.rules_after(by_type):
        obligations = _obligations(rule, ordered, by_type)
        answers = [position for name in rule.expect for position in by_type.get(name, ())]
        if answers:
            answers.sort()
            paired.answers |= _answer([o for o in obligations if not o.missing], ordered, answers, skew)
        paired.obligations += obligations
    return paired


def _obligations(rule: Rule, ordered: Sequence[Skeleton], by_type: dict[str, list[int]]) -> list[Obligation]:
    if rule.compensates is not None:
        return _undoing(rule, ordered, by_type)
    if len(rule.after) == 1:
        events = [ordered[i] for i in by_type[rule.after[0]]]
        return [Obligation(rule, (event,), event) for event in events]
    columns = [[ordered[i] for i in by_type.get(name, ())] for name in rule.after]
    found = []
    for i in range(max(len(column) for column in columns)):
        triggers = tuple(column[i] for column in columns if i < len(column))
        missing = tuple(name for name, column in zip(rule.after, columns, strict=True) if i >= len(column))
        found.append(Obligation(rule, triggers, _latest(triggers), missing))
    return found


def _undoing(rule: Rule, ordered: Sequence[Skeleton], by_type: dict[str, list[int]]) -> list[Obligation]:
    """What happened has to be undone, once for each time it happened, from the moment that all triggers are there."""
    if not all(name in by_type for name in rule.after):
        return []
    triggers = tuple(ordered[by_type[name][0]] for name in rule.after)
    undone = [(*triggers, ordered[i]) for i in by_type.get(rule.compensates or "", ())]
    return [Obligation(rule, all_of_them, _latest(all_of_them)) for all_of_them in undone]


def _answer(
    obligations: list[Obligation], ordered: Sequence[Skeleton], answers: list[int], skew: timedelta
) -> set[int]:
    """Gives the obligations their answers; returns the positions of the events used."""
    used = _answer_by_cause(obligations, ordered, answers)
    if len(used) < len(answers):
        waiting = [o for o in obligations if o.answer is None]
        if len(waiting) > 1:
            waiting.sort(key=lambda o: o.base.order)
        at = 0
        for position in answers:
            if at == len(waiting):
                break
            if position not in used and waiting[at].base.time <= ordered[position].time + skew:
                waiting[at].answer = ordered[position]
                used.add(position)
                at += 1
    return used


def _answer_by_cause(obligations: list[Obligation], ordered: Sequence[Skeleton], answers: list[int]) -> set[int]:
    used: set[int] = set()
    by_trigger: dict[str, list[Obligation]] = {}
    for obligation in obligations:
        for trigger in obligation.triggers:
            by_trigger.setdefault(trigger.id, []).append(obligation)
    for position in answers:
        event = ordered[position]
        for cause in event.causes:
            for obligation in by_trigger.get(cause, ()):
                if obligation.answer is None:
                    obligation.answer = event
                    used.add(position)
    return used
