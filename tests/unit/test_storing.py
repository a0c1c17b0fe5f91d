"""What of a record is stored, and in what form."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from collector.correlation.lifecycle import evaluate
from collector.correlation.shape import course_of
from collector.correlation.state import State, StoredState
from collector.publish import MOST_IDS, digest, message
from collector.records import pack_headers, unpack_headers
from collector.storage.judgement import Change, Row, waiting_differences
from collector.storage.storing import CUT_BYTES, PAYLOAD_BYTES, _kept
from collector.storage.tally import Tally, bucket_of
from tests.builders import NOON, at, choreography, read_until, record, rule, rulebook, story

SHOP = choreography(rule("Placed", "Paid", 30, service="payment"), rule("Placed", "Reserved", 30, service="stock"))


def test_headers_are_stored_as_they_came() -> None:
    headers = [("a", b"x"), ("a", "ä".encode()), ("b", None), ("c", b"\xff"), ("d\x00", b"\x00")]
    assert unpack_headers(pack_headers(headers)) == headers


@pytest.mark.parametrize("size", [0, PAYLOAD_BYTES, PAYLOAD_BYTES + 1])
def test_a_value_is_stored_whole_up_to_a_bound_and_its_beginning_beyond(size: int) -> None:
    value, whole = _kept(record(value=b"x" * size))
    assert whole == size
    assert value == b"x" * (size if size <= PAYLOAD_BYTES else CUT_BYTES)


def test_a_null_value_stays_null() -> None:
    assert _kept(record(value=None)) == (None, 0)


def row(state: State | None = None, **given: Any) -> Row:
    """A transaction's row as it would be after this state; without one, a row that is new."""
    fields: dict[str, Any] = {
        "id": 1,
        "transaction_id": "order-1",
        "day": NOON.date(),
        "choreography": state.choreography if state else "",
        "phase": state.phase if state else "running",
        "overdue_since": state.overdue_since if state else None,
        "started_at": NOON,
        "last_event_at": NOON,
        "ended_at": state.ended_at if state else None,
        "event_count": 1,
        "redelivery_count": 0,
        "partial": state.partial if state else False,
        "oversized": False,
        "historic": state.historic if state else False,
        "rules": 1,
        "version": 1 if state else 0,
        "abandoned_at": None,
        "merged_into": None,
        "link_rank": None,
        "stored": StoredState(state.pending, state.deviations) if state else StoredState(),
    }
    return Row(**(fields | given))


def state_of(told: str, read: float | None = None) -> State:
    return evaluate(story(told), rulebook(SHOP), read_until(read))


def change(before: State | None, after: State) -> Change:
    return Change(row(before), after, 1, 0)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (None, state_of("Placed@0"), "started"),
        (None, state_of("Placed@0", 99), "stuck"),
        (None, state_of("Placed@0 Completed@1"), "completed"),
        (state_of("Placed@0"), state_of("Placed@0 Paid@1"), None),
        (state_of("Placed@0"), state_of("Placed@0", 99), "stuck"),
        (state_of("Placed@0", 99), state_of("Placed@0 Paid@50", 99), "stuck"),  # one cause fewer
        (state_of("Placed@0", 99), state_of("Placed@0 Paid@50 Reserved@50", 99), "recovered"),
        (state_of("Placed@0", 99), state_of("Placed@0 Cancelled@50", 99), "failed"),
        (state_of("Placed@0 Completed@9"), state_of("Placed@0"), "reopened"),
    ],
)
def test_the_log_says_what_happened(before: State | None, after: State, kind: str | None) -> None:
    assert change(before, after).kind == kind


def test_a_transition_is_dated_by_when_it_happened() -> None:
    assert change(None, state_of("Placed@0", 99)).effective_at == at(30)
    assert change(None, state_of("Placed@0 Completed@9", 99)).effective_at == at(9)
    assert change(None, state_of("Placed@0 Paid@5")).effective_at == at(5)


def test_causes_are_what_is_overdue_and_history_has_none() -> None:
    stuck = change(None, state_of("Placed@0", 99))
    assert stuck.causes == [("Paid", "payment", False, at(30), False), ("Reserved", "stock", False, at(30), False)]
    historic = msgspec.structs.replace(state_of("Placed@0", 99), historic=True)
    assert change(None, historic).causes == []


def test_counts_of_what_is_awaited_change_by_the_difference() -> None:
    opened = waiting_differences([change(None, state_of("Placed@0"))])
    paid = ("order", "Placed -> Paid", "Placed", "Paid", "payment")
    reserved = ("order", "Placed -> Reserved", "Placed", "Reserved", "stock")
    in_flight = ("order", "", "", "", "")
    assert opened == {in_flight: 1, paid: 1, reserved: 1}
    assert waiting_differences([change(state_of("Placed@0"), state_of("Placed@0 Paid@1"))]) == {paid: -1}
    assert waiting_differences([change(state_of("Placed@0 Paid@1"), state_of("Placed@0 Completed@2"))]) == {
        in_flight: -1,
        reserved: -1,
    }
    assert waiting_differences([change(state_of("Placed@0"), state_of("Placed@0", 99))]) == {}


def test_only_what_pages_would_show_differently_is_a_change() -> None:
    placed = state_of("Placed@0")
    assert not change(placed, placed).changed
    assert change(None, placed).changed
    assert change(placed, state_of("Placed@0", 99)).changed
    assert Change(row(placed), placed, 2, 0).changed
    assert Change(row(placed), placed, 1, 1).changed


def test_what_is_counted_is_counted_by_ten_seconds() -> None:
    assert bucket_of(at(0)) == bucket_of(at(9.999999)) == NOON
    assert bucket_of(at(10)) == at(10)


def test_edges_are_counted_when_their_second_end_arrives() -> None:
    events = story("Placed@0 Paid@3 Reserved@4")
    tally = Tally(NOON)
    judged = Change(row(), state_of("Placed@0 Paid@3 Reserved@4"), 3, 0, course_of(events))
    tally.count_events(judged.state.choreography, judged.course, [False, True, False], rulebook(SHOP))
    assert {key: sum(counts.values()) for key, counts in tally.flows.items()} == {
        ("order", "", "", "Paid", "any", "orders"): 1,
        ("order", "Placed", "any", "Paid", "any", "orders"): 1,
    }


def test_outcomes_are_counted_once_and_history_is_not_now() -> None:
    tally = Tally(NOON)
    tally.count_outcome(change(None, state_of("Placed@0")))
    tally.count_outcome(change(state_of("Placed@0"), state_of("Placed@0", 99)))
    tally.count_outcome(change(state_of("Placed@0", 99), state_of("Placed@0 Completed@100", 99)))
    tally.count_outcome(change(state_of("Placed@0 Completed@1"), state_of("Placed@0 Completed@1 Paid@2")))
    assert {outcome: sum(counts.values()) for (_, outcome), counts in tally.outcomes.items()} == {
        "started": 1,
        "stuck": 1,
        "completed": 1,
        "deviating": 1,
    }


def test_browsers_are_told_of_digests_and_of_no_more_than_they_can_use() -> None:
    told = message(["order-1", "order-1", "order-2"], alerts=False, at=1.5)
    assert told["transactions"] == sorted([digest("order-1"), digest("order-2")])
    assert (told["many"], told["alerts"], told["at"]) == (False, False, 1.5)
    many = message((f"order-{i}" for i in range(MOST_IDS + 1)), alerts=True, at=1.5)
    assert (len(many["transactions"]), many["many"]) == (MOST_IDS, True)
