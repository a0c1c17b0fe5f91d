"""How far reading has certainly come: by snapshots of the ends, and never by the records' own timestamps."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime

import pytest

from collector.correlation.reading import Reading
from collector.intake.watermarks import Snapshot, reached
from tests.builders import at

Ends = Mapping[int, int | None]


def snapshots(*taken: tuple[float, Ends]) -> deque[Snapshot]:
    """Snapshots of the topic `orders`: when, and each partition's end (None: it did not answer)."""
    return deque(
        Snapshot(at(when), {("orders", number): end for number, end in ends.items() if end is not None})
        for when, ends in taken
    )


def watermark(stored: Mapping[int, int], *taken: tuple[float, Ends], partitions: int = 2) -> datetime | None:
    progress = {("orders", number): offset for number, offset in stored.items()}
    return reached(snapshots(*taken), progress, {"orders": list(range(partitions))}).get("orders")


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ({0: 10, 1: 20}, 5),
        ({0: 11, 1: 21}, 5),  # further than the ends were: more has come since
        ({0: 9, 1: 20}, None),
        ({0: 10, 1: 19}, None),
        ({0: 10}, None),  # a partition without progress has not been read at all
    ],
)
def test_a_snapshot_is_reached_when_all_its_ends_are_within_progress(
    stored: dict[int, int], expected: float | None
) -> None:
    assert watermark(stored, (5, {0: 10, 1: 20})) == (None if expected is None else at(expected))


def test_the_latest_snapshot_that_is_reached_counts() -> None:
    taken = [(5, {0: 10, 1: 10}), (6, {0: 11, 1: 10}), (7, {0: 11, 1: 12})]
    assert watermark({0: 10, 1: 10}, *taken) == at(5)
    assert watermark({0: 11, 1: 11}, *taken) == at(6)
    assert watermark({0: 11, 1: 12}, *taken) == at(7)
    assert watermark({0: 0, 1: 99}, *taken) is None


def test_an_empty_partition_holds_nothing_up() -> None:
    assert watermark({0: 10}, (5, {0: 10, 1: 0})) == at(5)


def test_a_partition_that_does_not_answer_holds_its_topic() -> None:
    assert watermark({0: 10, 1: 10}, (5, {0: 10, 1: None})) is None
    assert watermark({0: 10, 1: 10}, (4, {0: 9, 1: 9}), (5, {0: 10, 1: None})) == at(4)


def test_a_new_partition_holds_its_topic_until_a_snapshot_knows_it() -> None:
    assert watermark({0: 10, 1: 10}, (5, {0: 10, 1: 10}), partitions=3) is None


def test_topics_are_judged_one_by_one() -> None:
    ends = {("orders", 0): 10, ("payments", 0): 10}
    found = reached(
        deque([Snapshot(at(5), ends)]), {("orders", 0): 10, ("payments", 0): 9}, {"orders": [0], "payments": [0]}
    )
    assert found == {"orders": at(5)}


def test_without_a_snapshot_nothing_is_known() -> None:
    assert watermark({0: 10, 1: 10}) is None


# --- what judgement makes of the topics' watermarks -----------------------------------------------------------------

ORDERS, PAYMENTS, STOCK = 1, 2, 3


def reading(marks: dict[int, float | None], **topics_of: set[int]) -> Reading:
    return Reading(
        {topic: None if mark is None else at(mark) for topic, mark in marks.items()},
        {name: frozenset(topics) for name, topics in topics_of.items()},
    )


def test_an_awaited_event_needs_the_topics_that_it_occurs_on() -> None:
    found = reading({ORDERS: 9, PAYMENTS: 5, STOCK: 1}, Paid={PAYMENTS}, Declined={PAYMENTS, ORDERS}, Reserved={STOCK})
    assert found.through(("Paid",)) == at(5)
    assert found.through(("Declined",)) == at(5)
    assert found.through(("Paid", "Reserved")) == at(1)


def test_an_event_that_was_never_seen_may_come_on_any_topic() -> None:
    found = reading({ORDERS: 9, PAYMENTS: 5, STOCK: 1}, Paid={PAYMENTS})
    assert found.through(("Refunded",)) == at(1)
    assert found.through(("Paid", "Refunded")) == at(1)
    assert found.through(()) == at(1)


def test_one_topic_of_which_nothing_is_known_makes_the_whole_unknown() -> None:
    found = reading({ORDERS: 9, PAYMENTS: None}, Placed={ORDERS}, Paid={PAYMENTS})
    assert found.through(("Placed",)) == at(9)
    assert found.through(("Paid",)) is None
    assert found.through_all() is None


def test_a_topic_that_vanished_holds_nothing_up() -> None:
    found = reading({ORDERS: 9}, Paid={ORDERS, PAYMENTS})
    assert found.through(("Paid",)) == at(9)


def test_where_there_are_no_topics_nothing_is_known() -> None:
    assert reading({}).through_all() is None
