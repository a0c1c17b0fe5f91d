"""What happened + watermark → where a transaction stands: phase, pending responses, deadlines, deviations.

A pure function of the set of events, the rules and the watermarks: the order in which events arrived, how often and in
which batches, makes no difference. docs/lifecycle.md tells it in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from collector.correlation.choreography import Limits, RuleBook
from collector.correlation.events import Skeleton
from collector.correlation.findings import MOST, Finding
from collector.correlation.reading import Reading
from collector.correlation.shape import Course, course_of
from collector.correlation.standing import Awaited, Span, Standing, standing_of
from collector.correlation.state import Deviation, Part, Pending, State

OPEN = ("running", "compensating")


def evaluate(
    events: Sequence[Skeleton],
    rulebook: RuleBook,
    reading: Reading,
    abandoned_at: datetime | None = None,
) -> State:
    """The state of a transaction with these events (at least one; each event once, redeliveries removed).

    `abandoned_at`: when a person closed it; it counts as long as the events themselves do not end it.
    """
    return judge(course_of(events), rulebook, reading, abandoned_at)


def judge(course: Course, rulebook: RuleBook, reading: Reading, abandoned_at: datetime | None = None) -> State:
    """The same of events whose order and shape are known already."""
    ordered = course.ordered
    standing = standing_of(course, rulebook)
    choreography, limits = standing.choreography, rulebook.limits
    phase, ended_by, ended_at = standing.phase, standing.ended_by, None
    pending: list[Pending] = []
    next_check = None
    if phase in OPEN and abandoned_at is not None:
        phase, ended_by, ended_at = "abandoned", "person", abandoned_at
    else:
        if standing.ended_at:
            ended_at = max([ordered[position].time for position in standing.ended_at])
        for awaited in standing.awaited:
            entry = _pending(awaited, ordered, limits, reading)
            pending.append(entry)
            if entry.deadline is not None and not entry.overdue:
                next_check = _earlier(next_check, entry.deadline + limits.grace)
    if phase in OPEN:
        if standing.spans:
            next_check = _earlier(next_check, _timed_out(standing.spans, ordered, limits, reading, pending))
        if choreography.idle_timeout is not None and not pending:
            silent_at = max(believed_time(event, limits.skew)[0] for event in ordered) + choreography.idle_timeout
            if _passed(reading.through_all(), silent_at, limits):
                phase, ended_by, ended_at, next_check = "completed", "silence", ordered[-1].time, None
            else:
                next_check = _earlier(next_check, silent_at + limits.grace)
    last = ordered[-1]
    return State(
        choreography=choreography.name,
        phase=phase,
        started_at=ordered[0].time,
        last_event_at=last.time,
        ended_at=ended_at,
        ended_by=ended_by,
        overdue_since=min([entry.deadline for entry in pending if entry.overdue and entry.deadline], default=None),
        partial=not standing.started and choreography.declared and not reading.from_start,
        historic=last.received_at - last.time > limits.history_age,
        pending=tuple(pending),
        deviations=_deviations(ordered, standing, limits),
        next_check=next_check,
        parts=_parts(ordered, standing, phase) if standing.passages else (),
    )


def oversized(
    choreography: str, started_at: datetime, last_event_at: datetime, abandoned_at: datetime | None = None
) -> State:
    """The state of a transaction with more events than are judged: stored and counted, its rules suspended. It ends
    only where a person closes it."""
    return State(
        choreography=choreography,
        phase="running" if abandoned_at is None else "abandoned",
        started_at=started_at,
        last_event_at=last_event_at,
        ended_at=abandoned_at,
        ended_by="" if abandoned_at is None else "person",
        oversized=True,
    )


def believed_time(event: Skeleton, skew: timedelta) -> tuple[datetime, bool]:
    """The event's own time if it is within `skew` of its record's timestamp; else the record's, and True."""
    if abs(event.time - event.record_time) <= skew:
        return event.time, False
    return event.record_time, True


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return min(one, other)


def _passed(through: datetime | None, deadline: datetime, limits: Limits) -> bool:
    return through is not None and through >= deadline + limits.grace


def _pending(awaited: Awaited, ordered: Sequence[Skeleton], limits: Limits, reading: Reading) -> Pending:
    deadline, overdue, skewed = None, False, False
    if awaited.within is not None:
        start, skewed = believed_time(ordered[awaited.base], limits.skew)
        deadline = start + awaited.within
        overdue = _passed(reading.through(awaited.settled_by), deadline, limits)
    return Pending(
        rule=awaited.rule,
        kind=awaited.kind,
        after=awaited.after,
        expect=awaited.expect,
        service=awaited.service,
        triggers=tuple([ordered[position].key for position in awaited.triggers]),
        deadline=deadline,
        overdue=overdue,
        basis="learned" if awaited.learned else "declared",
        marks=("skewed clock",) if skewed else (),
    )


def _timed_out(
    spans: Sequence[Span], ordered: Sequence[Skeleton], limits: Limits, reading: Reading, pending: list[Pending]
) -> datetime | None:
    """The time-outs of the whole transaction and of the parts it is in: when to check for the next. One that has passed
    is added to `pending`, where nothing else explains the delay already."""
    next_check = None
    for span in spans:
        first = ordered[span.start]
        deadline = believed_time(first, limits.skew)[0] + span.timeout
        if not _passed(reading.through_all(), deadline, limits):
            next_check = _earlier(next_check, deadline + limits.grace)
        elif not any(entry.overdue for entry in pending):
            pending.append(
                Pending(
                    rule=span.rule,
                    kind="timeout",
                    after=(first.type,),
                    expect=span.expect,
                    triggers=(first.key,),
                    deadline=deadline,
                    overdue=True,
                )
            )
    return next_check


def _parts(ordered: Sequence[Skeleton], standing: Standing, phase: str) -> tuple[Part, ...]:
    return tuple(
        Part(
            name=passage.part.name,
            phase=passage.phase if passage.end is not None or phase in OPEN else "left",
            started_at=ordered[passage.start].time,
            ended_at=None if passage.end is None else ordered[passage.end].time,
        )
        for passage in standing.passages
    )


def _deviations(ordered: Sequence[Skeleton], standing: Standing, limits: Limits) -> tuple[Deviation, ...]:
    late = _late(ordered, standing, limits) if standing.answered else []
    if not late and not standing.before and not standing.after:
        return ()
    found: list[Finding] = [*standing.before, *late, *standing.after]
    return tuple(Deviation(kind, sentence, ordered[position].key) for kind, sentence, position in found[:MOST])


def _late(ordered: Sequence[Skeleton], standing: Standing, limits: Limits) -> list[Finding]:
    begun = min([event.record_time for event in ordered])
    if ordered[-1].time <= min(begun, ordered[0].time) + standing.soonest + limits.grace:
        return []  # the usual case: whichever time is believed, not even the shortest has passed
    found = []
    for answered in standing.answered:
        answer = ordered[answered.answer]
        deadline = believed_time(ordered[answered.base], limits.skew)[0] + answered.within
        if answer.time > deadline + limits.grace:
            late = (answer.time - deadline).total_seconds()
            found.append(Finding("late", f"{answer.type} came {late:.1f} s after its deadline.", answered.answer))
    return found
