"""Where a transaction stands, told by stories: what happened, how far has been read, and what follows from it."""

from __future__ import annotations

import pytest

from collector.correlation.choreography import Limits
from collector.correlation.events import Skeleton
from collector.correlation.lifecycle import evaluate, oversized
from collector.correlation.state import Pending, State, StoredState
from tests.builders import at, choreography, happened, read_until, rule, rulebook, seconds, story

SHOP = choreography(
    rule("Placed", "Paid | Declined", 30, service="payment"),
    rule("Placed", "Reserved", 30, service="inventory"),
    rule("Paid + Reserved", "Shipped", 60, service="shipping"),
    rule("Shipped", "Completed", 20, service="order"),
    rule("Declined", "Released", 30, service="inventory", compensates="Reserved"),
    rule("Released", "Cancelled", 20, service="order"),
)


def judge(
    events: list[Skeleton] | str, read: float | None = None, *, by=SHOP, limits: Limits | None = None, abandoned=None
) -> State:
    """The state after these events, everything up to `read` seconds past noon having been read."""
    events = story(events) if isinstance(events, str) else events
    abandoned_at = None if abandoned is None else at(abandoned)
    return evaluate(events, rulebook(by, limits=limits), read_until(read), abandoned_at)


def awaited(state: State) -> list[str]:
    """What is awaited, in words: "Paid or Declined by 30", "Paid (overdue)", "Reserved some time"."""
    return [in_words(entry) for entry in state.pending]


def in_words(entry: Pending) -> str:
    if entry.overdue:
        return f"{entry.awaited} (overdue)"
    if entry.deadline is None:
        return f"{entry.awaited} some time"
    return f"{entry.awaited} by {(entry.deadline - at(0)).total_seconds():g}"


def deviations(state: State) -> list[str]:
    return [f"{found.kind}: {found.event[1] if found.event else ''}" for found in state.deviations]


@pytest.mark.parametrize(
    ("told", "phase", "waits_for"),
    [
        # On the way
        ("Placed@0", "running", ["Paid or Declined by 30", "Reserved by 30"]),
        ("Placed@0 Paid@3", "running", ["Reserved by 30"]),
        ("Placed@0 Reserved@3", "running", ["Paid or Declined by 30"]),
        # A join starts at its later trigger, whichever that is
        ("Placed@0 Paid@3 Reserved@8", "running", ["Shipped by 68"]),
        ("Placed@0 Reserved@3 Paid@8", "running", ["Shipped by 68"]),
        ("Placed@0 Paid@3 Reserved@8 Shipped@9", "running", ["Completed by 29"]),
        # The good end
        ("Placed@0 Paid@3 Reserved@8 Shipped@9 Completed@10", "completed", []),
        ("Placed@0 Completed@10", "completed", []),  # an end voids what is pending
        # Trouble: an alternative answers as well, and rules out the join that lacked the other one
        ("Placed@0 Declined@3", "running", ["Reserved by 30"]),
        # What was done has to be undone, from the later of its trigger and what it undoes
        ("Placed@0 Reserved@2 Declined@3", "compensating", ["Released by 33"]),
        ("Placed@0 Declined@3 Reserved@5", "compensating", ["Released by 35"]),
        ("Placed@0 Declined@3 Reserved@5 Released@6", "compensating", ["Cancelled by 26"]),
        ("Placed@0 Declined@3 Reserved@5 Released@6 Cancelled@7", "compensated", []),
        # The bad end; where nothing was done, nothing has to be undone
        ("Placed@0 Declined@3 Cancelled@7", "failed", []),
        ("Placed@0 Cancelled@7", "failed", []),
        # The end does not void a compensation
        ("Placed@0 Reserved@2 Declined@3 Cancelled@7", "compensating", ["Released by 33"]),
        ("Placed@0 Reserved@2 Declined@3 Cancelled@7 Released@9", "compensated", []),
        # Stock reserved after the end has to be released all the same
        ("Placed@0 Declined@3 Cancelled@7 Reserved@9", "compensating", ["Released by 39"]),
        ("Placed@0 Declined@3 Cancelled@7 Reserved@9 Released@11", "compensated", []),
        # Of two ends the earlier counts
        ("Placed@0 Completed@5 Cancelled@6", "completed", []),
        ("Placed@0 Cancelled@5 Completed@6", "failed", []),
        # What is triggered after the end is void as well
        ("Placed@0 Completed@5 Shipped@6", "completed", []),
        # Once for each time: two orders of payment, one answered
        ("Placed@0 Placed@10 Paid@11", "running", ["Paid or Declined by 40", "Reserved by 30", "Reserved by 40"]),
    ],
)
def test_the_phase_and_what_is_awaited(told: str, phase: str, waits_for: list[str]) -> None:
    state = judge(told)
    assert (state.phase, awaited(state)) == (phase, waits_for)


@pytest.mark.parametrize(
    ("told", "ended", "by"),
    [
        ("Placed@0", None, ""),
        ("Placed@0 Completed@10", 10, "event"),
        ("Placed@0 Cancelled@7 Completed@10", 7, "event"),
        ("Placed@0 Reserved@2 Declined@3 Cancelled@7", None, ""),
        ("Placed@0 Reserved@2 Declined@3 Cancelled@7 Released@9", 9, "event"),
        ("Placed@0 Reserved@2 Declined@3 Released@5 Cancelled@7", 7, "event"),
    ],
)
def test_when_it_ended_and_by_what(told: str, ended: float | None, by: str) -> None:
    state = judge(told)
    assert (state.ended_at, state.ended_by) == (None if ended is None else at(ended), by)
    assert (state.started_at, state.last_event_at) == (at(0), story(told)[-1].time)


def test_a_transaction_whose_last_step_was_undone_ends_without_an_end_event() -> None:
    undoing = choreography(rule("Declined", "Released", 30, compensates="Reserved"))
    state = judge("Placed@0 Reserved@1 Declined@2 Released@5", by=undoing)
    assert (state.phase, state.ended_at, state.ended_by) == ("compensated", at(5), "compensation")


def test_a_late_compensation_reopens_what_had_failed() -> None:
    assert judge("Placed@0 Declined@3 Cancelled@7").phase == "failed"
    reopened = judge("Placed@0 Declined@3 Cancelled@7 Reserved@9", 39.5)
    assert (reopened.phase, reopened.ended_at, reopened.overdue_since) == ("compensating", None, at(39))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("Placed@0 Paid@1 Reserved@2 Shipped@3 Completed@4", []),
        ("Placed@0 Paid@1 Invoiced@2", ["unexpected: Invoiced@2"]),
        ("Placed@0 Paid@1 Paid@2", ["repeated: Paid@2"]),
        ("Placed@0 Paid@1 Declined@2", ["repeated: Declined@2"]),
        ("Placed@0 Shipped@1", ["out of order: Shipped@1"]),
        ("Placed@0 Paid@31", ["late: Paid@31"]),
        ("Placed@0 Paid@30.4", []),  # within the grace
        ("Placed@0 Paid@1 Completed@2", ["out of order: Completed@2", "missing: Placed@0"]),
        ("Placed@0 Cancelled@2", ["out of order: Cancelled@2"]),  # a failure leaves things undone: nothing is missing
        (
            "Placed@0 Paid@1 Reserved@2 Shipped@3 Completed@4 Completed@5",
            ["repeated: Completed@5", "second end: Completed@5"],
        ),
        (
            "Placed@0 Paid@1 Reserved@2 Shipped@3 Completed@4 Invoiced@5",
            ["unexpected: Invoiced@5", "after end: Invoiced@5"],
        ),
        # what may follow an end is no deviation
        ("Placed@0 Declined@3 Reserved@4 Released@5 Cancelled@6", []),
        ("Placed@0 Declined@3 Reserved@4 Cancelled@5 Released@20", ["out of order: Cancelled@5"]),
    ],
)
def test_what_deviates_from_the_choreography(told: str, expected: list[str]) -> None:
    assert deviations(judge(told)) == expected


def test_a_deviation_is_told_in_a_sentence() -> None:
    state = judge("Placed@0 Paid@42 Completed@43")
    assert [found.sentence for found in state.deviations] == [
        "Completed came without Shipped before it.",
        "Paid came 12.0 s after its deadline.",
        "Reserved never came after Placed.",
    ]


# --- deadlines -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("read", "waits_for", "since"),
    [
        (None, ["Paid or Declined by 30", "Reserved by 30"], None),
        (0, ["Paid or Declined by 30", "Reserved by 30"], None),
        (30, ["Paid or Declined by 30", "Reserved by 30"], None),
        (30.499, ["Paid or Declined by 30", "Reserved by 30"], None),
        (30.5, ["Paid or Declined (overdue)", "Reserved (overdue)"], 30),
        (999, ["Paid or Declined (overdue)", "Reserved (overdue)"], 30),
    ],
)
def test_a_response_is_overdue_once_everything_up_to_deadline_and_grace_was_read(
    read: float | None, waits_for: list[str], since: float | None
) -> None:
    state = judge("Placed@0", read)
    assert awaited(state) == waits_for
    assert state.overdue_since == (None if since is None else at(since))
    assert state.next_check == (at(30.5) if since is None else None)
    assert state.phase == "running", "stuck is a status: the phase stays beneath"


def test_it_is_overdue_since_the_earliest_deadline_that_passed() -> None:
    state = judge("Placed@0 Placed@10", 41)
    assert (state.overdue_since, state.next_check) == (at(30), None)
    earlier = judge("Placed@0 Placed@10", 35)
    assert (earlier.overdue_since, earlier.next_check) == (at(30), at(40.5))


def test_a_late_answer_takes_the_stuck_away() -> None:
    state = judge("Placed@0 Paid@100 Reserved@101", 120)
    assert (state.overdue_since, awaited(state)) == (None, ["Shipped by 161"])
    assert deviations(state) == ["late: Paid@100", "late: Reserved@101"]


def test_an_answer_is_paired_with_the_earliest_trigger_that_waits() -> None:
    assert awaited(judge("Placed@0 Paid@5 Placed@10 Paid@15 Placed@20 Paid@25"))[0] == "Reserved by 30"
    assert awaited(judge("Placed@0 Placed@10 Placed@20 Paid@25"))[:2] == [
        "Paid or Declined by 40",
        "Paid or Declined by 50",
    ]


def test_an_answer_that_names_its_cause_is_paired_with_that_trigger() -> None:
    events = [*story("Placed@0 Placed@10"), happened("Paid", 12, causes=("Placed@10",))]
    assert awaited(judge(events))[0] == "Paid or Declined by 30"


def test_an_answer_that_names_its_cause_leaves_the_order_to_the_others() -> None:
    events = [*story("Placed@0 Placed@10"), happened("Paid", 12, causes=("Placed@10",)), happened("Paid", 11)]
    assert not [words for words in awaited(judge(events)) if "Paid" in words]


@pytest.mark.parametrize(
    ("answered", "waits"), [(-5, False), (-4.9, False), (-5.1, True)], ids=["at the bound", "within", "beyond"]
)
def test_clocks_that_disagree_by_less_than_the_skew_do_not_part_trigger_and_answer(
    answered: float, waits: bool
) -> None:
    simple = choreography(rule("Placed", "Paid"))
    assert bool(judge([happened("Placed", 0), happened("Paid", answered)], by=simple).pending) is waits


def test_a_trigger_whose_clock_is_off_is_timed_by_its_record_and_marked() -> None:
    simple = choreography(rule("Placed", "Paid", 30))
    believed = judge([happened("Placed", 5, stamped=0)], by=simple)
    assert (awaited(believed), believed.pending[0].marks) == (["Paid by 35"], ())
    doubted = judge([happened("Placed", 5.1, stamped=0)], by=simple)
    assert (awaited(doubted), doubted.pending[0].marks) == (["Paid by 30"], ("skewed clock",))
    slow = judge([happened("Placed", -5.1, stamped=0)], by=simple)
    assert (awaited(slow), slow.pending[0].marks) == (["Paid by 30"], ("skewed clock",))


def test_a_rule_without_a_time_waits_for_ever() -> None:
    patient = choreography(rule("Placed", "Paid", None))
    state = judge("Placed@0", 1e6, by=patient)
    assert (awaited(state), state.next_check, state.overdue_since) == (["Paid some time"], None, None)


def test_a_deadline_waits_for_the_topics_that_its_answer_occurs_on() -> None:
    simple = rulebook(choreography(rule("Placed", "Paid", 30), completes=(), fails=()))
    reading = read_until(100)
    elsewhere = type(reading)({1: at(100), 2: at(10), 3: None}, {"Paid": frozenset({1}), "Placed": frozenset({2})})
    assert evaluate(story("Placed@0"), simple, elsewhere).overdue_since == at(30)
    behind = type(reading)({1: at(100), 2: at(10)}, {"Paid": frozenset({1, 2})})
    assert evaluate(story("Placed@0"), simple, behind).overdue_since is None
    nowhere_yet = type(reading)({1: at(100), 2: at(10)}, {})
    assert evaluate(story("Placed@0"), simple, nowhere_yet).overdue_since is None


def test_a_deadline_waits_for_the_topics_that_could_end_the_transaction() -> None:
    reading = read_until(100)
    behind = type(reading)({1: at(100), 2: at(10)}, {"Paid": frozenset({1}), "Completed": frozenset({2})})
    simple = rulebook(choreography(rule("Placed", "Paid", 30), fails=()))
    assert evaluate(story("Placed@0"), simple, behind).overdue_since is None


# --- joins -----------------------------------------------------------------------------------------------------------


def test_a_half_met_join_waits_for_its_missing_trigger_from_the_service_that_owes_it() -> None:
    # the payment's own rule is not triggered here: nothing but the join says that it is awaited
    by = choreography(
        rule("Invoiced", "Paid", service="payment"), rule("Paid + Reserved", "Shipped", service="shipping")
    )
    (entry,) = judge("Placed@0 Reserved@3", by=by).pending
    assert (entry.kind, entry.expect, entry.service, entry.deadline) == ("join", ("Paid",), "payment", None)
    assert entry.triggers == (("/services/any", "Reserved@3"),)


def test_a_join_that_starts_twice_is_awaited_twice() -> None:
    state = judge("Placed@0 Placed@1 Paid@2 Paid@3 Reserved@4 Reserved@5")
    assert awaited(state) == ["Shipped by 64", "Shipped by 65"]
    (first, second) = state.pending
    assert (first.kind, first.triggers) == ("join", (("/services/any", "Paid@2"), ("/services/any", "Reserved@4")))
    assert second.triggers == (("/services/any", "Paid@3"), ("/services/any", "Reserved@5"))


# --- ends ------------------------------------------------------------------------------------------------------------


def test_a_rule_may_hold_even_after_the_end() -> None:
    thorough = choreography(rule("Placed", "Archived", 30, even_after_end=True), rule("Placed", "Paid", 30))
    state = judge("Placed@0 Completed@5", 31, by=thorough)
    assert (state.phase, awaited(state), state.overdue_since) == ("completed", ["Archived (overdue)"], at(30))
    assert judge("Placed@0 Completed@5 Archived@9", 31, by=thorough).pending == ()
    assert deviations(judge("Placed@0 Paid@1 Completed@5 Archived@9", by=thorough)) == []


def test_the_whole_transaction_may_take_too_long() -> None:
    hurried = choreography(timeout=60, name="order")
    state = judge("Placed@0 Paid@50", 60.4, by=hurried)
    assert (state.pending, state.next_check) == ((), at(60.5))
    state = judge("Placed@0 Paid@50", 60.5, by=hurried)
    assert (state.phase, state.overdue_since, awaited(state)) == (
        "running",
        at(60),
        ["Cancelled or Completed (overdue)"],
    )
    assert (state.pending[0].kind, state.pending[0].rule) == ("timeout", "timeout")
    assert judge("Placed@0 Completed@50", 100, by=hurried).overdue_since is None


def test_a_timeout_is_not_added_where_a_response_explains_it() -> None:
    hurried = choreography(rule("Placed", "Paid", 30), timeout=60)
    assert awaited(judge("Placed@0", 100, by=hurried)) == ["Paid (overdue)"]


def test_silence_ends_a_transaction_with_nothing_pending() -> None:
    quiet = choreography(rule("Placed", "Paid", 30), idle_timeout=600, completes=(), fails=())
    waiting = judge("Placed@0 Paid@5", 605.4, by=quiet)
    assert (waiting.phase, waiting.next_check) == ("running", at(605.5))
    state = judge("Placed@0 Paid@5", 605.5, by=quiet)
    assert (state.phase, state.ended_at, state.ended_by) == ("completed", at(5), "silence")
    assert judge("Placed@0", 9999, by=quiet).phase == "running"


def test_a_transaction_of_no_declared_choreography_is_named_by_its_first_event_and_ends_in_silence() -> None:
    state = judge("Viewed@5 Clicked@7", by=choreography())
    assert (state.choreography, state.phase, state.next_check) == ("Viewed", "running", at(3607.5))
    assert state.deviations == ()
    assert judge("Viewed@5 Clicked@7", 4000, by=choreography()).ended_by == "silence"


def test_the_earliest_start_event_decides_the_choreography_else_the_first_that_mentions_an_event() -> None:
    returns = choreography(rule("Returned", "Refunded"), name="return", starts=("Returned",))
    both = rulebook(SHOP, returns)

    def name(told: str) -> str:
        return evaluate(story(told), both, read_until(None)).choreography

    assert name("Placed@0 Returned@1") == "order"
    assert name("Returned@0 Placed@1") == "return"
    assert name("Paid@0 Returned@1") == "return"
    assert name("Refunded@0 Paid@1") == "return"
    assert name("Paid@0 Refunded@1") == "order"


def test_a_person_closes_a_transaction_until_its_events_end_it() -> None:
    state = judge("Placed@0", 100, abandoned=90)
    assert (state.phase, state.ended_at, state.ended_by) == ("abandoned", at(90), "person")
    assert (state.pending, state.overdue_since, state.next_check) == ((), None, None)
    assert judge("Placed@0 Completed@95", 100, abandoned=90).phase == "completed"


# --- what is not known -----------------------------------------------------------------------------------------------


def test_history_is_stated_and_marked() -> None:
    fresh = judge([happened("Placed", 0, arrived=3600)], 5000)
    assert (fresh.historic, fresh.overdue_since) == (False, at(30))
    old = judge([happened("Placed", 0, arrived=3601)], 5000)
    assert (old.historic, old.overdue_since) == (True, at(30))


def test_a_transaction_without_its_beginning_is_partial_where_reading_began_later() -> None:
    def partial(told: str, *, from_start: bool) -> bool:
        return evaluate(story(told), rulebook(SHOP), read_until(0, from_start=from_start)).partial

    assert partial("Paid@0", from_start=False)
    assert not partial("Placed@0", from_start=False)
    assert not partial("Paid@0", from_start=True)
    assert not partial("Viewed@0", from_start=False), "nobody declared how those begin"


def test_limits_are_the_rule_books() -> None:
    limits = Limits(skew=seconds(1), grace=seconds(10), history_age=seconds(60))
    state = judge([happened("Placed", 2, stamped=0, arrived=100)], 39.9, limits=limits)
    assert (state.overdue_since, state.historic, state.next_check) == (None, True, at(40))
    assert judge([happened("Placed", 2, stamped=0)], 40, limits=limits).overdue_since == at(30)


def test_a_transaction_that_grew_too_large_is_stated_without_being_judged() -> None:
    state = oversized("order", at(0), at(9))
    assert (state.phase, state.oversized, state.pending, state.next_check) == ("running", True, (), None)


def test_a_state_survives_its_storage() -> None:
    state = judge([happened("Placed", 9, stamped=0), happened("Invoiced", 10)], 45)
    assert state.pending
    assert state.deviations
    stored = StoredState.from_json(state.to_json())
    assert (stored.pending, stored.deviations) == (state.pending, state.deviations)
    assert StoredState.from_json({}) == StoredState()
