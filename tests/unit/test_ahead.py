"""Batches that keep the events of a transaction together, however unevenly brokers send its partitions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from collector.decoding import decode
from collector.intake import ahead
from collector.intake.ahead import BEYOND, RECORDS, Ahead
from collector.kafka import Span
from collector.records import Header, Record, TopicRef
from collector.storage.store import Decoded

START = datetime(2026, 11, 20, tzinfo=UTC)
TOPIC = TopicRef(1, "cluster", "uid", "orders")
FAR = {("orders", partition): 100_000 for partition in range(3)}


def decoded(_: str, records: Sequence[Record], __: Sequence[Sequence[Header]]) -> list[Decoded]:
    return [(record, decode(record)) for record in records]


def span(partition: int, first: int, count: int, per_second: float) -> Span:
    records = [
        Record(TOPIC, partition, offset, START + timedelta(seconds=offset / per_second), None, b"x")
        for offset in range(first, first + count)
    ]
    return Span(TOPIC, partition, first, first + count, records)


def offsets(spans: list[Span]) -> dict[int, tuple[int, int, int]]:
    return {span.partition: (span.start, span.next_offset, len(span.records)) for span in spans}


def test_what_is_nearly_up_to_date_is_handed_over_at_once() -> None:
    read = Ahead(decoded)
    read.add([span(0, 0, 10, 1.0), span(1, 0, 10, 100.0)])
    assert read.align({("orders", 0): 5, ("orders", 1): 5}) == set()
    spans, pairs = read.take()
    assert offsets(spans) == {0: (0, 10, 10), 1: (0, 10, 10)}
    assert len(pairs) == 20


def test_far_behind_nothing_later_than_the_slowest_partition_is_handed_over() -> None:
    """Partition 0 has one record a second, partition 1 ten: so many of it reach as far as a tenth as many of 0."""
    read = Ahead(decoded)
    read.add([span(0, 0, RECORDS, 1.0), span(1, 0, RECORDS, 10.0)])
    read.align(FAR)
    spans, pairs = read.take()
    early = RECORDS // 10
    assert offsets(spans) == {0: (0, early, early), 1: (0, RECORDS, RECORDS)}
    assert [record.offset for record, _ in pairs if record.partition == 0] == list(range(early))

    read.add([span(1, RECORDS, 1_000, 10.0)])
    read.align({})
    assert offsets(read.take()[0]) == {0: (early, RECORDS, RECORDS - early), 1: (RECORDS, RECORDS + 1_000, 1_000)}


def test_a_partition_that_leads_rests_until_others_have_caught_up() -> None:
    read = Ahead(decoded)
    read.add([span(0, 0, BEYOND, 1.0), span(1, 0, 100, 1.0)])
    assert read.align(FAR) == {("orders", 0)}
    read.add([span(1, 100, BEYOND // 2, 1.0)])
    assert read.align(FAR) == {("orders", 0)}, "it has to fall to half of what made it rest"
    read.add([span(1, 100 + BEYOND // 2, BEYOND // 2, 1.0)])
    assert read.align(FAR) == set()


def test_batches_are_full_ones_while_far_behind() -> None:
    read = Ahead(decoded)
    read.add([span(0, 0, 500, 1.0), span(1, 0, 500, 1.0)])
    read.align(FAR)
    assert read.take() == ([], [])
    read.add([span(0, 500, RECORDS, 1.0), span(1, 500, RECORDS, 1.0)])
    read.align(FAR)
    assert sum(len(found.records) for found in read.take()[0]) >= RECORDS


def test_a_full_buffer_is_handed_over_even_where_one_partition_is_stuck_in_the_past() -> None:
    read = Ahead(decoded)
    read.add([span(0, 0, 10, 1.0), span(1, 10, RECORDS + BEYOND, 1.0)])
    read.align(FAR)
    assert offsets(read.take()[0]) == {0: (0, 10, 10), 1: (10, 10 + RECORDS + BEYOND, RECORDS + BEYOND)}


def test_a_partition_that_falls_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    read = Ahead(decoded)
    read.add([span(0, 0, 100, 1.0), span(1, 0, 10, 1.0)])
    monkeypatch.setattr(ahead, "SILENCE", 0.0)
    read.align(FAR)
    assert offsets(read.take()[0]) == {0: (0, 100, 100), 1: (0, 10, 10)}


def test_nothing_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    read = Ahead(decoded)
    read.add([span(0, 0, 100, 1.0), span(1, 0, 10, 1.0)])
    read.align(FAR)
    assert read.take() == ([], [])
    monkeypatch.setattr(ahead, "HOLD", 0.0)
    read.align(FAR)
    assert offsets(read.take()[0]) == {0: (0, 100, 100), 1: (0, 10, 10)}


def test_what_was_read_of_a_partition_is_forgotten_with_its_share_of_the_room() -> None:
    read = Ahead(decoded)
    room = read.room
    read.add([span(0, 0, 100, 1.0), span(1, 0, 10, 1.0)])
    read.forget({("orders", 0)})
    assert read.room == room - 10
    read.align({})
    assert offsets(read.take()[0]) == {1: (0, 10, 10)}
    assert read.room == room


def test_the_end_of_a_partition_is_handed_over_though_it_holds_only_markers() -> None:
    read = Ahead(decoded)
    read.add([Span(TOPIC, 0, 5, 9, [])])
    read.align({})
    assert offsets(read.take()[0]) == {0: (5, 9, 0)}


def test_markers_at_the_end_of_a_partition_do_not_wait_for_another_that_is_far_behind() -> None:
    read = Ahead(decoded)
    read.add([Span(TOPIC, 0, 5, 9, []), span(1, 0, RECORDS, 1.0)])
    read.align({("orders", 1): 100_000})
    assert offsets(read.take()[0]) == {0: (5, 9, 0), 1: (0, RECORDS, RECORDS)}
