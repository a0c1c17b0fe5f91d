"""The obvious way to pair answers with triggers and to tell the phase: slow, short, written from the words alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from collector.correlation.choreography import Choreography, Rule
from collector.correlation.events import EventKey, Skeleton

Pair = tuple[str, tuple[EventKey, ...], EventKey | None]
"""Rule, triggers, answer."""


def pairs(ordered: Sequence[Skeleton], choreography: Choreography, skew: timedelta) -> list[Pair]:
    """Every fully triggered rule with its answer, if it has one."""
    found: list[Pair] = []
    for rule in choreography.rules:
        for triggers, answer in _answered(rule, ordered, skew):
            found.append((rule.key, tuple(t.key for t in triggers), answer and answer.key))
    return found


def _answered(
    rule: Rule, ordered: Sequence[Skeleton], skew: timedelta
) -> list[tuple[tuple[Skeleton, ...], Skeleton | None]]:
    waiting = _triggered(rule, ordered)
    answers = [event for event in ordered if event.type in rule.expect]
    taken: dict[int, Skeleton] = {}
    # explicit causation first
    for answer in answers:
        for cause in answer.causes:
            for i, triggers in enumerate(waiting):
                if i not in taken and cause in [trigger.id for trigger in triggers]:
                    taken[i] = answer
    # then each answer takes the earliest unanswered trigger that is not later than itself
    for answer in [answer for answer in answers if answer not in taken.values()]:
        open_ones = [
            i for i in range(len(waiting)) if i not in taken and _latest(waiting[i]).time <= answer.time + skew
        ]
        if open_ones:
            taken[min(open_ones, key=lambda i: _latest(waiting[i]).order)] = answer
    return [(triggers, taken.get(i)) for i, triggers in enumerate(waiting)]


def _triggered(rule: Rule, ordered: Sequence[Skeleton]) -> list[tuple[Skeleton, ...]]:
    """The rule's triggers: the first of each type together, the second of each together …; for one that undoes
    something, the first of each with everything that is to be undone."""
    of_types = [[event for event in ordered if event.type == name] for name in rule.after]
    if rule.compensates is None:
        return list(zip(*of_types, strict=False))
    if not all(of_types):
        return []
    firsts = tuple(of_type[0] for of_type in of_types)
    return [(*firsts, event) for event in ordered if event.type == rule.compensates]


def _latest(triggers: tuple[Skeleton, ...]) -> Skeleton:
    return max(triggers, key=lambda event: event.order)


def outcome(
    ordered: Sequence[Skeleton], choreography: Choreography, skew: timedelta
) -> tuple[str, list[tuple[str, tuple[EventKey, ...]]]]:
    """The phase, and the rules that wait for an answer with their triggers, where no time has passed."""
    ends = [event for event in ordered if event.type in choreography.completes | choreography.fails]
    awaited = []
    undone = to_undo = False
    half_met = not ends and _waits_for_a_trigger(ordered, choreography)
    for rule in choreography.rules:
        for triggers, answer in _answered(rule, ordered, skew):
            if rule.compensates:
                undone, to_undo = undone or answer is not None, to_undo or answer is None
            if answer is None and (not ends or rule.even_after_end or rule.compensates):
                awaited.append((rule.key, tuple(trigger.key for trigger in triggers)))
    if to_undo:
        phase = "compensating"
    elif ends:
        phase = "completed" if ends[0].type in choreography.completes else "compensated" if undone else "failed"
    elif undone:
        phase = "compensating" if awaited or half_met else "compensated"
    else:
        phase = "running"
    return phase, sorted(awaited)


def _waits_for_a_trigger(ordered: Sequence[Skeleton], choreography: Choreography) -> bool:
    """Whether a join has some of its triggers and waits for one that nothing else here speaks of."""
    counts = {name: sum(event.type == name for event in ordered) for name in choreography.mentioned}
    began = {rule.key for rule in choreography.rules if _triggered(rule, ordered)}
    for rule in choreography.rules:
        if rule.compensates or len({counts[name] for name in rule.after}) == 1:
            continue
        for name in rule.after:
            promised = [other.key for other in choreography.rules if name in other.expect]
            if counts[name] < max(counts[other] for other in rule.after) and not began & set(promised):
                return True
    return False
