"""What a choreography does not allow, in sentences that a person understands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from collector.correlation.choreography import Choreography, Limits
from collector.correlation.events import Skeleton
from collector.correlation.pairing import Paired
from collector.correlation.state import Deviation

MOST = 50
"""Deviations kept for one transaction: the first ones tell the story, and a row has to stay small."""


def find(
    ordered: Sequence[Skeleton], choreography: Choreography, paired: Paired, end: Skeleton | None, limits: Limits
) -> tuple[Deviation, ...]:
    """The deviations of a transaction of a declared choreography; none where nothing was declared."""
    if not choreography.declared:
        return ()
    found = [
        *_unexpected(ordered, choreography),
        *_unpaired(ordered, choreography, paired, limits),
        *_late(paired, limits),
        *_around_end(ordered, choreography, paired, end),
    ]
    return tuple(found[:MOST])


def _unexpected(ordered: Sequence[Skeleton], choreography: Choreography) -> list[Deviation]:
    return [
        Deviation("unexpected", f"{event.type} is no event of {choreography.name}.", event.key)
        for event in ordered
        if event.type not in choreography.mentioned
    ]


def _unpaired(
    ordered: Sequence[Skeleton], choreography: Choreography, paired: Paired, limits: Limits
) -> list[Deviation]:
    """Answers that nothing asked for: before their trigger or without one, or once more after the answer had come."""
    expected_by, answers, starts = choreography.expected_by, paired.answers, choreography.starts
    unasked = [
        event
        for position, event in enumerate(ordered)
        if position not in answers and event.type in expected_by and event.type not in starts
    ]
    if not unasked:
        return []
    triggered: dict[str, datetime] = {}
    for obligation in paired.obligations:
        if not obligation.missing:
            first = triggered.setdefault(obligation.rule.key, obligation.base.time)
            triggered[obligation.rule.key] = min(first, obligation.base.time)
    found = []
    for event in unasked:
        rules = expected_by[event.type]
        if any(rule.key in triggered and triggered[rule.key] <= event.time + limits.skew for rule in rules):
            found.append(Deviation("repeated", f"{event.type} came again, though nothing waited for it.", event.key))
        else:
            after = " or ".join(dict.fromkeys(" and ".join(rule.after) for rule in rules))
            found.append(Deviation("out of order", f"{event.type} came without {after} before it.", event.key))
    return found


def _late(paired: Paired, limits: Limits) -> list[Deviation]:
    found = []
    for obligation in paired.obligations:
        if obligation.answer is None or obligation.rule.within is None:
            continue
        deadline, _ = obligation.deadline(limits.skew)
        if deadline is not None and obligation.answer.time > deadline + limits.grace:
            late = (obligation.answer.time - deadline).total_seconds()
            sentence = f"{obligation.answer.type} came {late:.1f} s after its deadline."
            found.append(Deviation("late", sentence, obligation.answer.key))
    return found


def _around_end(
    ordered: Sequence[Skeleton], choreography: Choreography, paired: Paired, end: Skeleton | None
) -> list[Deviation]:
    if end is None:
        return []
    found = []
    answers_that_may_follow = {o.answer.key for o in paired.obligations if o.rule.survives_end and o.answer is not None}
    for event in ordered:
        if event.order <= end.order or event.key in answers_that_may_follow:
            continue
        if event.type in choreography.ends:
            found.append(Deviation("second end", f"{event.type} came after {end.type} had ended it.", event.key))
        else:
            found.append(Deviation("after end", f"{event.type} came after {end.type} had ended it.", event.key))
    if end.type in choreography.completes:
        for obligation in paired.obligations:
            if obligation.answer is None and not obligation.missing and not obligation.rule.survives_end:
                rule = obligation.rule
                sentence = f"{rule.awaited} never came after {' and '.join(rule.after)}."
                found.append(Deviation("missing", sentence, obligation.base.key))
    return found
