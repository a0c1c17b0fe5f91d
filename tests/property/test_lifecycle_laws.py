"""Laws that hold for every choreography and everything that can happen in it."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.correlation.causality import causality
from collector.correlation.choreography import RuleBook
from collector.correlation.events import Skeleton, in_order
from collector.correlation.lifecycle import OPEN, evaluate
from collector.correlation.pairing import pair
from collector.correlation.reading import Reading
from collector.correlation.shape import Clocks, course_of
from tests.builders import at, happened
from tests.property.dances import TYPES, Happening, books_with_parts, happenings, moments, rule_books
from tests.property.reference import judge, pairs


def skeletons(found: list[Happening]) -> list[Skeleton]:
    return [
        happened(
            event.kind,
            event.time,
            event.name,
            stamped=event.stamped,
            source=event.source,
            topic=f"topic-{event.topic}",
            offset=offset,
            causes=event.causes,
        )
        for offset, event in enumerate(found)
    ]


events = happenings(copies=0).map(skeletons)
marks = st.dictionaries(st.integers(0, 2), st.none() | moments.map(lambda when: at(2 * when)), min_size=1)
readings = st.builds(
    Reading, marks, st.dictionaries(st.sampled_from(TYPES), st.frozensets(st.integers(0, 2))), st.booleans()
)
abandonments = st.none() | moments.map(at)


@given(events, rule_books(), readings, abandonments, st.randoms())
@settings(max_examples=150)
def test_the_order_of_arrival_makes_no_difference(
    found: list[Skeleton], book: RuleBook, reading: Reading, abandoned: object, chance: object
) -> None:
    shuffled = list(found)
    chance.shuffle(shuffled)
    assert evaluate(found, book, reading, abandoned) == evaluate(shuffled, book, reading, abandoned)
    choreography = book.choose(event.type for event in in_order(found))
    assert causality(found, choreography) == causality(shuffled, choreography)


@given(events, rule_books(), readings)
@settings(max_examples=150)
def test_answers_are_paired_as_the_obvious_way_pairs_them(
    found: list[Skeleton], book: RuleBook, reading: Reading
) -> None:
    ordered, shape = course_of(found)
    choreography = book.choose(shape.types)
    paired = pair(shape, choreography.rules, Clocks(ordered, book.limits.skew))
    keys = [event.key for event in ordered]
    quick = [
        (o.rule.key, tuple(keys[trigger] for trigger in o.triggers), None if o.answer is None else keys[o.answer])
        for o in paired.obligations
        if not o.missing
    ]
    slow = [
        (rule.key, tuple(trigger.key for trigger in triggers), answer and answer.key)
        for rule, triggers, answer in pairs(ordered, choreography, book.limits.skew)
    ]
    assert sorted(quick, key=repr) == sorted(slow, key=repr)


@given(events, rule_books() | books_with_parts(), readings, abandonments)
@settings(max_examples=500)
def test_a_state_is_what_the_obvious_way_comes_to(
    found: list[Skeleton], book: RuleBook, reading: Reading, abandoned: object
) -> None:
    state = evaluate(found, book, reading, abandoned)
    expected = judge(in_order(found), book, reading, abandoned)
    assert (state.phase, state.ended_at, state.ended_by) == (expected.phase, expected.ended_at, expected.ended_by)
    pending = [(entry.rule, entry.triggers, entry.expect, entry.deadline, entry.overdue) for entry in state.pending]
    assert sorted(pending, key=repr) == expected.pending
    assert sorted((deviation.kind, deviation.event) for deviation in state.deviations) == expected.deviations
    assert [(part.name, part.phase, part.started_at, part.ended_at) for part in state.parts] == expected.parts


@given(events, rule_books(), marks, moments)
@settings(max_examples=100)
def test_reading_further_only_ever_makes_more_overdue(
    found: list[Skeleton], book: RuleBook, marks: dict, further: float
) -> None:
    now = Reading(marks)
    later = Reading({topic: max(mark, at(2 * further)) if mark else mark for topic, mark in marks.items()})
    before, after = evaluate(found, book, now), evaluate(found, book, later)
    if after.ended_by == "silence":
        return
    overdue = {(entry.rule, entry.triggers) for entry in before.pending if entry.overdue and entry.kind != "timeout"}
    assert overdue <= {(entry.rule, entry.triggers) for entry in after.pending if entry.overdue}


@given(events, rule_books(), readings)
@settings(max_examples=100)
def test_a_state_changes_by_itself_only_at_its_next_check(
    found: list[Skeleton], book: RuleBook, reading: Reading
) -> None:
    """The sweep may rely on it: until a watermark passes `next_check`, judging again comes to the same."""
    state = evaluate(found, book, reading)
    bound = state.next_check
    later = Reading(
        {
            topic: mark if mark is None else (at(10_000) if bound is None else max(mark, _just_before(bound)))
            for topic, mark in reading.watermarks.items()
        },
        reading.topics_of,
        reading.from_start,
    )
    assert evaluate(found, book, later) == state


def _just_before(moment):
    return moment - (at(0.000001) - at(0))


@given(events, rule_books(), readings, abandonments)
@settings(max_examples=100)
def test_a_state_is_of_one_piece(found: list[Skeleton], book: RuleBook, reading: Reading, abandoned: object) -> None:
    state = evaluate(found, book, reading, abandoned)
    overdue = [entry.deadline for entry in state.pending if entry.overdue]
    assert state.overdue_since == min(overdue, default=None)
    assert (state.ended_at is None) == (state.phase in OPEN)
    assert (state.ended_by == "") == (state.phase in OPEN)
    assert state.started_at <= state.last_event_at
    assert state.phase not in ("abandoned", "failed") or not [e for e in state.pending if e.kind == "compensation"]
    rules = {rule.key: rule for rule in book.named(state.choreography).rules}
    if state.phase not in OPEN:
        assert all(rules[entry.rule].survives_end for entry in state.pending)


@given(st.lists(events, min_size=2, max_size=4), rule_books(), readings)
@settings(max_examples=150)
def test_what_was_found_for_other_transactions_makes_no_difference(
    several: list[list[Skeleton]], book: RuleBook, reading: Reading
) -> None:
    """What follows from the shape alone is remembered: nothing that depends on moments or ids may slip in."""
    later = [event_moved for found in several for event_moved in (found, [_elsewhere(event) for event in found])]
    for found in later:
        evaluate(found, book, reading)
        causality(found, book.named(evaluate(found, book, reading).choreography))
    for found in later:
        afresh = RuleBook(tuple(msgspec.structs.replace(c) for c in book.choreographies), book.limits)
        state = evaluate(found, afresh, reading)
        assert evaluate(found, book, reading) == state
        assert causality(found, book.named(state.choreography)) == causality(found, afresh.named(state.choreography))


def _elsewhere(event: Skeleton) -> Skeleton:
    """The same event ten times as late, so that clocks that just agreed disagree."""
    return msgspec.structs.replace(event, time=at(0) + 10 * (event.time - at(0)))
