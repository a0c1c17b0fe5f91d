"""What a batch costs: a number of statements that does not depend on what is in it."""

from __future__ import annotations

import signal
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from collector import deadlines
from collector.config import parse
from collector.config.rules import registered
from collector.decoding import decode
from collector.kafka import Span
from collector.models import EventType, Progress, Topic, Transaction
from collector.records import TopicRef
from collector.storage import context, store
from collector.storage.sql import binary_cursor, pipelined
from tests.builders import cloud_event, record
from tests.collecting import CONFIG

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("day_tables")]

PARTITIONS = 4


@pytest.fixture
def topics() -> list[TopicRef]:
    rows = [Topic.objects.create(cluster="c", uid=f"uid-{i}", name=f"topic-{i}") for i in range(3)]
    Progress.objects.bulk_create(
        Progress(topic=row, partition=p, next_offset=0, first_offset=0, from_start=True)
        for row in rows
        for p in range(PARTITIONS)
    )
    return [TopicRef(row.pk, row.cluster, row.uid, row.name) for row in rows]


def batch(topics: list[TopicRef], size: int, mark: str) -> tuple[list[Span], list[store.Decoded]]:
    """Records of every kind, all with keys of their own, over all partitions: new transactions and known ones, answers,
    copies, events without a transaction, and what nothing can read."""
    offsets = {(row.topic_id, row.partition): row.next_offset for row in Progress.objects.all()}
    spans = {
        key: Span(topic, key[1], offsets[key], offsets[key], [])
        for topic in topics
        for key in ((topic.row, partition) for partition in range(PARTITIONS))
    }
    now = timezone.now().isoformat()
    for i in range(size):
        headers = {
            0: cloud_event("OrderPlaced", f"{mark}-{i}", f"{mark}-{i}", time=now),
            1: cloud_event("Paid", f"{mark}-{i - 1}", f"{mark}-paid-{i}", "/services/payment", now),
            2: cloud_event("OrderPlaced", f"known-{i}", f"{mark}-{i}", time=now),
            3: cloud_event("OrderPlaced", f"known-{i - 1}", f"copy-{i - 1}", time=now),
            4: cloud_event("Lonely", None, f"{mark}-{i}", time=now),
            5: (),
        }[i % 6]
        span = spans[topics[i % 3].row, i % PARTITIONS]
        made = record(*headers, topic=span.topic, partition=span.partition, offset=span.next_offset)
        span.records.append(made)
        span.next_offset += 1
    read = [span for span in spans.values() if span.records]
    return read, [(found, decode(found)) for span in read for found in span.records]


def statements(topics: list[TopicRef], size: int, mark: str) -> list[str]:
    rulebook = registered(parse("choreoscope.yaml", CONFIG).rulebook)
    spans, decoded = batch(topics, size, mark)
    with CaptureQueriesContext(connection) as captured:
        written = store.write(spans, decoded, rulebook, "writer")
    assert written.events + written.redeliveries + written.undecodable + written.uncorrelated == size
    assert min(written.events, written.redeliveries, written.undecodable, written.uncorrelated) > 0
    return shapes(captured)


def shapes(captured: CaptureQueriesContext) -> list[str]:
    """How each statement begins; savepoints have names of their own and stand for the test's own transaction."""
    found = (query["sql"].split("(")[0].strip()[:60] for query in captured)
    return [shape for shape in found if "SAVEPOINT" not in shape]


def test_a_batch_takes_the_same_statements_whatever_its_size(topics: list[TopicRef]) -> None:
    rulebook = registered(parse("choreoscope.yaml", CONFIG).rulebook)
    known = [
        record(*cloud_event("OrderPlaced", f"known-{i}", f"copy-{i}"), topic=topics[0], offset=offset)
        for offset, i in enumerate(range(2, 300, 6))
    ]
    store.write([Span(topics[0], 0, 0, len(known), known)], [(r, decode(r)) for r in known], rulebook, "writer")
    statements(topics, 60, "first")  # after it, every type has been seen on every topic
    few = statements(topics, 12, "few")
    assert statements(topics, 240, "many") == few
    assert len(few) < 30


def test_a_sweep_takes_the_same_statements_whatever_is_due(topics: list[TopicRef]) -> None:
    rulebook = registered(parse("choreoscope.yaml", CONFIG).rulebook)
    deadlines.sweep(rulebook)  # its first sign of life is a new row
    taken = []
    for start, size in ((0, 10), (10, 200)):
        Topic.objects.update(watermark=None)
        now = timezone.now()
        records = [
            record(
                *cloud_event("OrderPlaced", f"order-{i}", f"e{i}", time=now), topic=topics[0], offset=i, timestamp=now
            )
            for i in range(start, start + size)
        ]
        span = Span(topics[0], 0, start, start + size, records)
        store.write([span], [(r, decode(r)) for r in records], rulebook, "writer")
        Topic.objects.update(watermark=now + timedelta(minutes=1))
        with CaptureQueriesContext(connection) as captured:
            assert len(deadlines.sweep(rulebook).changed) == size
        taken.append(shapes(captured))
    assert taken[0] == taken[1]
    assert Transaction.objects.exclude(overdue_since=None).count() == 210


def test_types_without_end_are_not_all_noted_and_their_topic_may_then_hold_any(
    topics: list[TopicRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "MOST_TYPES", 3)
    rules = registered(parse("choreoscope.yaml", CONFIG).rulebook)
    for topic, names in ((topics[0], ["Known"]), (topics[1], [f"Type-{number}" for number in range(5)])):
        now = timezone.now()
        records = [
            record(*cloud_event(name, "t-1", name, time=now), topic=topic, offset=offset, timestamp=now)
            for offset, name in enumerate(names)
        ]
        span = Span(topic, 0, 0, len(records), records)
        store.write([span], [(found, decode(found)) for found in records], rules, "writer")
    assert EventType.objects.count() == 4
    with binary_cursor() as cursor:
        found = context.load(cursor, rules).reading
    assert found.topics_of["Known"] == {topics[0].row, topics[1].row}
    assert found.topics_of["Type-0"] == {topics[1].row}


def test_a_large_statement_that_returns_nothing_does_not_wait_for_ever() -> None:
    """The database takes in what a socket's buffers cannot hold, though nobody waits for its answer."""

    def too_long(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(20)
    try:
        with binary_cursor() as cursor, pipelined():
            cursor.execute("DELETE FROM collector_mined WHERE body = %s::bytea", [b"x" * 5_000_000])
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
