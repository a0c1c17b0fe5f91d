"""What the shape of a transaction says by itself: its phase, what it waits for, what deviates. Moments come later.

Positions are those in event order. `collector.correlation.lifecycle` adds what depends on times and watermarks.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec

from collector.correlation import deviations, loops
from collector.correlation.causality import links_of
from collector.correlation.choreography import Choreography, RuleBook
from collector.correlation.findings import Finding
from collector.correlation.pairing import Obligation, Paired, pair
from collector.correlation.passages import Passage, end_of, passage_at, passages
from collector.correlation.shape import Clocks, Course, Shape
from collector.correlation.state import PendingKind


class Awaited(msgspec.Struct, frozen=True):
    """Something awaited: what a `Pending` says but for its deadline, which is `within` after the event at `base` (None:
    nothing sets a time). `settled_by` are the types of event that would settle it."""

    rule: str
    kind: PendingKind
    after: tuple[str, ...]
    expect: tuple[str, ...]
    service: str
    triggers: tuple[int, ...]
    base: int
    within: timedelta | None
    settled_by: tuple[str, ...]
    learned: bool = False


class Answered(msgspec.Struct, frozen=True):
    """An answer that was due `within` after the event at `base`."""

    base: int
    answer: int
    within: timedelta


class Span(msgspec.Struct, frozen=True):
    """What must not take longer than `timeout`: from the event at `start` until one of `expect` ends it."""

    rule: str
    timeout: timedelta
    start: int
    expect: tuple[str, ...]


class Standing(msgspec.Struct, frozen=True):
    """What a shape says by itself. `ended_at`: the positions of the events of which the last in time ended it.
    Deviations are told in this order: `before`, late answers, `after`."""

    choreography: Choreography
    phase: str
    ended_at: tuple[int, ...]
    ended_by: str
    started: bool
    """Whether an event is there that starts such a transaction."""
    awaited: tuple[Awaited, ...]
    answered: tuple[Answered, ...]
    soonest: timedelta
    """The shortest time that an answer was given; none where nothing was answered."""
    before: tuple[Finding, ...]
    after: tuple[Finding, ...]
    spans: tuple[Span, ...]
    """Parts first: the delay of one explains that of the whole."""
    passages: tuple[Passage, ...]


def standing_of(course: Course, rulebook: RuleBook) -> Standing:
    """What these events say by themselves."""
    found = rulebook.standings.get(course.shape)
    if found is None:
        clocks = Clocks(course.ordered, rulebook.limits.skew)
        found = _stand(course, rulebook, clocks)
        if not clocks.consulted:
            rulebook.standings.keep(course.shape, found)
    return found


def _stand(course: Course, rulebook: RuleBook, clocks: Clocks) -> Standing:
    shape, limits = course.shape, rulebook.limits
    choreography = rulebook.choose(shape.types)
    end = end_of(shape.types, choreography)
    through = passages(shape.types, choreography)
    paired = pair(shape, choreography.rules, clocks)
    awaited = _awaited(paired, choreography, end, through)
    if end is None and choreography.learned and choreography.known.issuperset(shape.types):
        usual = pair(shape, choreography.learned, clocks).obligations
        awaited += [_response(o, choreography) for o in usual if o.answer is None and not o.missing]
    phase, ended_at, ended_by = _phase(shape, choreography, paired, end, waits=bool(awaited))
    before, after = deviations.find(shape, choreography, paired, end, through, clocks)
    if len(shape.types) > min(limits.loop, limits.fan_out):
        after = (*after, *loops.find(shape, links_of(course, choreography), limits))
    answered = tuple(
        Answered(o.base, o.answer, o.rule.within)
        for o in paired.obligations
        if o.answer is not None and o.rule.within is not None and not o.rule.learned
    )
    return Standing(
        choreography=choreography,
        phase=phase,
        ended_at=ended_at,
        ended_by=ended_by,
        started=any(name in choreography.starts for name in shape.types),
        awaited=tuple(awaited),
        answered=answered,
        soonest=min([one.within for one in answered], default=timedelta(0)),
        before=before,
        after=after,
        spans=tuple(_spans(choreography, through)),
        passages=through,
    )


def _spans(choreography: Choreography, through: tuple[Passage, ...]) -> Iterator[Span]:
    for passage in through:
        part = passage.part
        if part.timeout is not None and passage.end is None:
            yield Span(f"{part.name}.timeout", part.timeout, passage.start, tuple(sorted(part.ends)))
    if choreography.timeout is not None:
        yield Span("timeout", choreography.timeout, 0, tuple(sorted(choreography.ends)))


def _awaited(
    paired: Paired, choreography: Choreography, end: int | None, through: tuple[Passage, ...]
) -> list[Awaited]:
    """What is awaited, joins that lack a trigger last. An end voids all but what survives it; so does a part's end
    with what its rules await."""
    unanswered = [
        o
        for o in paired.obligations
        if o.answer is None
        and not o.missing
        and not o.rule.optional
        and (o.rule.survives_end or (end is None and not _left_behind(o, through)))
    ]
    found = [_response(o, choreography) for o in unanswered]
    if end is None:
        expected = {name for entry in found for name in entry.expect}
        triggered = {o.rule.key for o in paired.obligations if not o.missing}
        for obligation in paired.obligations:
            if obligation.missing and not obligation.rule.optional and not _left_behind(obligation, through):
                found += _half_met(obligation, choreography, expected, triggered)
    return found


def _left_behind(obligation: Obligation, through: tuple[Passage, ...]) -> bool:
    """Whether its rule is of a part that has ended since."""
    if not obligation.rule.part:
        return False
    passage = passage_at(through, obligation.rule.part, obligation.base)
    return passage is not None and passage.end is not None


def _response(obligation: Obligation, choreography: Choreography) -> Awaited:
    rule = obligation.rule
    return Awaited(
        rule=rule.key,
        kind="compensation" if rule.compensates else "join" if len(rule.after) > 1 else "response",
        after=rule.after,
        expect=rule.expect,
        service=rule.service,
        triggers=obligation.triggers,
        base=obligation.base,
        within=rule.within,
        settled_by=choreography.settled_by[rule.key],
        learned=rule.learned,
    )


def _half_met(
    obligation: Obligation, choreography: Choreography, expected: set[str], triggered: set[str]
) -> list[Awaited]:
    """A join waiting for triggers, where nothing else here says so already.

    A trigger that is awaited by a pending response is shown there. One whose rule was answered by an alternative does
    not come any more. Else the service whose rule promises it owes it.
    """
    found = []
    for name in obligation.missing:
        promises = choreography.expected_by.get(name, [])
        if name in expected or any(rule.key in triggered for rule in promises):
            continue
        found.append(
            Awaited(
                rule=obligation.rule.key,
                kind="join",
                after=obligation.rule.after,
                expect=(name,),
                service=next((rule.service for rule in promises if rule.service), ""),
                triggers=obligation.triggers,
                base=obligation.base,
                within=None,
                settled_by=(),
            )
        )
    return found


def _phase(
    shape: Shape, choreography: Choreography, paired: Paired, end: int | None, *, waits: bool
) -> tuple[str, tuple[int, ...], str]:
    """The phase by events alone, the events of which the last ended it, and by what it ended."""
    undoing = [o for o in paired.obligations if o.rule.compensates]
    undone = tuple(o.answer for o in undoing if o.answer is not None)
    to_undo = any(o.answer is None and not o.rule.optional for o in undoing)
    if to_undo or (end is None and undoing and waits):
        return "compensating", (), ""
    if end is None:
        return ("compensated", undone, "compensation") if undone else ("running", (), "")
    if shape.types[end] in choreography.completes:
        return "completed", (end,), "event" if choreography.declared else "learned end"
    if undone:
        return "compensated", (end, *undone), "event"
    return "failed", (end,), "event"
