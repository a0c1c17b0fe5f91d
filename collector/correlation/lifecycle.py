"""What happened + watermark → where a transaction stands: phase, pending responses, deadlines, deviations.

A pure function of the set of events, the rules and the watermarks: the order in which events arrived, how often and in
which batches, makes no difference. docs/lifecycle.md tells it in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from collector.correlation import deviations
from collector.correlation.choreography import Choreography, Limits, RuleBook
from collector.correlation.events import Skeleton, in_order
from collector.correlation.pairing import Obligation, Paired, believed_time, pair
from collector.correlation.reading import Reading
from collector.correlation.state import Pending, State

OPEN = ("running", "compensating")


class Ending(msgspec.Struct, frozen=True):
    phase: str
    at: datetime | None = None
    by: str = ""


def evaluate(
    events: Sequence[Skeleton],
    rulebook: RuleBook,
    reading: Reading,
    abandoned_at: datetime | None = None,
) -> State:
    """The state of a transaction with these events (at least one; each event once, redeliveries removed).

    `abandoned_at`: when a person closed it; it counts as long as the events themselves do not end it.
    """
    ordered = in_order(list(events))
    choreography = rulebook.choose(event.type for event in ordered)
    limits = rulebook.limits
    end = next((event for event in ordered if event.type in choreography.ends), None)
    paired = pair(ordered, choreography, limits.skew)
    pending = _pending(paired, choreography, end, limits, reading)
    ending = _ending(choreography, paired, pending, end)
    if ending.phase in OPEN and abandoned_at is not None:
        ending, pending = Ending("abandoned", abandoned_at, "person"), []
    next_check = _next_check(pending, limits)
    if ending.phase in OPEN:
        ending, next_check = _whole(ordered, choreography, limits, reading, pending, ending, next_check)
    overdue = [entry.deadline for entry in pending if entry.overdue and entry.deadline]
    last = ordered[-1]
    return State(
        choreography=choreography.name,
        phase=ending.phase,
        started_at=ordered[0].time,
        last_event_at=last.time,
        ended_at=ending.at,
        ended_by=ending.by,
        overdue_since=min(overdue, default=None),
        partial=choreography.declared
        and not reading.from_start
        and not any(event.type in choreography.starts for event in ordered),
        historic=last.received_at - last.time > limits.history_age,
        pending=tuple(pending),
        deviations=deviations.find(ordered, choreography, paired, end, limits),
        next_check=next_check,
    )


def oversized(choreography: str, started_at: datetime, last_event_at: datetime) -> State:
    """The state of a transaction with more events than are judged: stored and counted, its rules suspended."""
    return State(
        choreography=choreography, phase="running", started_at=started_at, last_event_at=last_event_at, oversized=True
    )


def _pending(
    paired: Paired, choreography: Choreography, end: Skeleton | None, limits: Limits, reading: Reading
) -> list[Pending]:
    """What is awaited now, joins that lack a trigger last. An end voids all but what survives it."""
    unanswered = [
        o for o in paired.obligations if o.answer is None and not o.missing and (end is None or o.rule.survives_end)
    ]
    found = [_response(o, choreography, limits, reading) for o in unanswered]
    if end is None:
        awaited = {name for entry in found for name in entry.expect}
        triggered = {o.rule.key for o in paired.obligations if not o.missing}
        for obligation in paired.obligations:
            if obligation.missing:
                found += _half_met(obligation, choreography, awaited, triggered)
    return found


def _response(obligation: Obligation, choreography: Choreography, limits: Limits, reading: Reading) -> Pending:
    rule = obligation.rule
    deadline, skewed = obligation.deadline(limits.skew)
    through = reading.through(choreography.settled_by[rule.key])
    return Pending(
        rule=rule.key,
        kind="compensation" if rule.compensates else "join" if len(rule.after) > 1 else "response",
        after=rule.after,
        expect=rule.expect,
        service=rule.service,
        triggers=tuple(trigger.key for trigger in obligation.triggers),
        deadline=deadline,
        overdue=deadline is not None and through is not None and through >= deadline + limits.grace,
        marks=("skewed clock",) if skewed else (),
    )


def _half_met(
    obligation: Obligation, choreography: Choreography, awaited: set[str], triggered: set[str]
) -> list[Pending]:
    """A join waiting for triggers, where nothing else here says so already.

    A trigger that is awaited by a pending response is shown there. One whose rule was answered by an alternative does
    not come any more. Else the service whose rule promises it owes it.
    """
    found = []
    for name in obligation.missing:
        promises = choreography.expected_by.get(name, [])
        if name in awaited or any(rule.key in triggered for rule in promises):
            continue
        found.append(
            Pending(
                rule=obligation.rule.key,
                kind="join",
                after=obligation.rule.after,
                expect=(name,),
                service=next((rule.service for rule in promises if rule.service), ""),
                triggers=tuple(trigger.key for trigger in obligation.triggers),
            )
        )
    return found


def _ending(
    choreography: Choreography,
    paired: Paired,
    pending: list[Pending],
    end: Skeleton | None,
) -> Ending:
    """The phase by events alone."""
    undoing = [o for o in paired.obligations if o.rule.compensates]
    undone = [o.answer.time for o in undoing if o.answer is not None]
    to_undo = any(o.answer is None for o in undoing)
    if to_undo or (end is None and undoing and pending):
        return Ending("compensating")
    if end is None:
        return Ending("compensated", max(undone), "compensation") if undone else Ending("running")
    if end.type in choreography.completes:
        return Ending("completed", end.time, "event")
    if undone:
        return Ending("compensated", max(end.time, *undone), "event")
    return Ending("failed", end.time, "event")


def _next_check(pending: list[Pending], limits: Limits) -> datetime | None:
    ahead = [entry.deadline for entry in pending if entry.deadline and not entry.overdue]
    return min(ahead) + limits.grace if ahead else None


def _whole(
    ordered: Sequence[Skeleton],
    choreography: Choreography,
    limits: Limits,
    reading: Reading,
    pending: list[Pending],
    ending: Ending,
    next_check: datetime | None,
) -> tuple[Ending, datetime | None]:
    """The time-outs of the whole transaction. May add to `pending`: one that is overdue as a whole, where no single
    response explains it already."""
    through = reading.through_all()
    if choreography.timeout is not None:
        deadline = believed_time(ordered[0], limits.skew)[0] + choreography.timeout
        if through is None or through < deadline + limits.grace:
            next_check = min(next_check or deadline + limits.grace, deadline + limits.grace)
        elif not any(entry.overdue for entry in pending):
            pending.append(
                Pending(
                    rule="timeout",
                    kind="timeout",
                    after=(ordered[0].type,),
                    expect=tuple(sorted(choreography.ends)),
                    triggers=(ordered[0].key,),
                    deadline=deadline,
                    overdue=True,
                )
            )
    if choreography.idle_timeout is not None and not pending:
        silent_at = max(believed_time(event, limits.skew)[0] for event in ordered) + choreography.idle_timeout
        if through is not None and through >= silent_at + limits.grace:
            return Ending("completed", ordered[-1].time, "silence"), None
        next_check = min(next_check or silent_at + limits.grace, silent_at + limits.grace)
    return ending, next_check
