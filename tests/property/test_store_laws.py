"""What the store comes to is the same for every order, repetition and division of the same records, and is what a fresh
judgement of all events says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
import pytest
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector import deadlines
from collector.correlation.choreography import RuleBook
from collector.correlation.events import Skeleton
from collector.correlation.lifecycle import OPEN, evaluate
from collector.correlation.reading import Reading
from collector.correlation.state import State
from collector.decoding import Event, decode
from collector.kafka import Span
from collector.models import (
    Deadline,
    EventType,
    Outcome,
    Overdue,
    Payload,
    Progress,
    Topic,
    Transaction,
    Transition,
    Waiting,
)
from collector.models import Event as StoredEvent
from collector.records import Record, TopicRef
from collector.storage import store
from collector.storage.arriving import skeleton_of
from collector.storage.memory import Memory
from tests.builders import cloud_event, record
from tests.property.dances import SERVICES, TYPES, Happening, happenings, moments, rule_books

TRANSACTIONS = ("tx-1", "tx-2")
TOPICS = 3

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("day_tables")]

# every example is rolled back, so that the test's own database may serve them all
in_database = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


class World:
    """Some topics that were read up to some moments, and the records that are on them: one to a partition, so that they
    may be read in any order."""

    def __init__(self, found: Sequence[Happening], marks: Sequence[float | None], book: RuleBook) -> None:
        # ahead of the clock, so that the sweep need not wait for the clock to catch up with what it postpones
        self.began = timezone.now() + timedelta(hours=1)
        self.book = book
        self.memory = Memory()
        self.topics = [self._topic(number, mark) for number, mark in enumerate(marks)]
        self.records = [self._record(number, event) for number, event in enumerate(found)]
        Progress.objects.bulk_create(
            Progress(topic_id=r.topic.row, partition=r.partition, next_offset=0, first_offset=0, from_start=True)
            for r in self.records
        )

    def moment(self, seconds: float) -> datetime:
        return self.began + timedelta(seconds=seconds)

    def _topic(self, number: int, mark: float | None) -> TopicRef:
        watermark = None if mark is None else self.moment(mark)
        row = Topic.objects.create(cluster="c", uid=f"uid-{number}", name=f"topic-{number}", watermark=watermark)
        return TopicRef(row.pk, row.cluster, row.uid, row.name)

    def _record(self, number: int, event: Happening) -> Record:
        headers = cloud_event(
            event.kind, event.transaction, event.name, event.source, self.moment(event.time), event.causes
        )
        return record(
            *headers,
            topic=self.topics[event.topic],
            partition=number,
            offset=0,
            timestamp=self.moment(event.stamped),
        )

    def know_types(self) -> None:
        """On which topics each type occurs, as if that had long been known."""
        decoded = [(found, decode(found)) for found in self.records]
        seen = {(event.type, event.service, found.topic.row) for found, event in decoded}
        EventType.objects.bulk_create(EventType(type=t, service=s, topic_id=row) for t, s, row in sorted(seen))

    def read(self, numbers: Iterable[int]) -> store.Written:
        found = [self.records[number] for number in numbers]
        spans = [Span(r.topic, r.partition, 0, 1, [r]) for r in found]
        return store.write(spans, [(r, decode(r)) for r in found], self.book, "writer", self.memory)

    def read_further(self, seconds: float) -> None:
        Topic.objects.update(watermark=self.moment(seconds))

    @property
    def reading(self) -> Reading:
        topics_of: dict[str, set[int]] = {}
        for kind, topic in EventType.objects.values_list("type", "topic_id"):
            topics_of.setdefault(kind, set()).add(topic)
        marks = dict(Topic.objects.values_list("id", "watermark"))
        return Reading(marks, {kind: frozenset(topics) for kind, topics in topics_of.items()})

    def expected(self, transaction: str) -> tuple[list[Skeleton], State, int]:
        """The events of a transaction, its state, and how many records were copies, from the records alone."""
        copies: dict[tuple[str, str], list[Skeleton]] = {}
        for found in self.records:
            event = decode(found)
            assert isinstance(event, Event)
            if event.transaction_ids == (transaction,):
                shape = skeleton_of(found, event, self.began)
                copies.setdefault(shape.key, []).append(shape)
        events = [min(some, key=lambda event: event.copy_order) for some in copies.values()]
        return events, evaluate(events, self.book, self.reading), sum(len(some) - 1 for some in copies.values())


def agree(world: World) -> None:
    """Everything that is stored is what the records alone say."""
    waiting: Counter[tuple[str, ...]] = Counter()
    overdue = []
    names = sorted({event.transaction_ids[0] for event in map(decode, world.records) if isinstance(event, Event)})
    assert sorted(Transaction.objects.values_list("transaction_id", flat=True)) == names
    for name in names:
        row = Transaction.objects.get(transaction_id=name)
        events, state, redeliveries = world.expected(name)
        assert (row.choreography, row.phase, row.ended_by) == (state.choreography, state.phase, state.ended_by)
        assert (row.overdue_since, row.ended_at) == (state.overdue_since, state.ended_at)
        assert (row.started_at, row.last_event_at) == (state.started_at, state.last_event_at)
        assert row.state == msgspec.json.decode(msgspec.json.encode(state.to_json()))
        assert (row.event_count, row.redelivery_count) == (len(events), redeliveries)
        _agree_events(row, events, redeliveries)
        last = Transition.objects.filter(transaction=row.pk).order_by("-id")[0]
        assert (last.phase, last.overdue_since) == (row.phase, row.overdue_since)
        due = Deadline.objects.filter(transaction=row.pk).values_list("due_at", flat=True).first()
        assert (due is None) == (state.next_check is None)
        assert due is None or due <= state.next_check
        if state.phase in OPEN:
            waiting[state.choreography, "", "", "", ""] += 1
        for entry in state.pending:
            waiting[state.choreography, entry.rule, " + ".join(entry.after), entry.awaited, entry.service] += 1
            if entry.overdue:
                overdue.append((row.pk, state.choreography, entry.awaited, entry.service, entry.deadline))
    counted = Waiting.objects.values_list("choreography", "rule", "after", "awaited", "service")
    assert {key: n for *key_, n in counted.annotate(n=Sum("count")) if (key := tuple(key_)) and n} == dict(waiting)
    stored = Overdue.objects.values_list("transaction", "choreography", "awaited", "service", "since")
    assert sorted(stored) == sorted(overdue)
    assert Payload.objects.count() == len(world.records)
    assert Outcome.objects.filter(outcome="started").aggregate(n=Sum("count"))["n"] == len(names)


def _agree_events(row: Transaction, events: list[Skeleton], redeliveries: int) -> None:
    stored = StoredEvent.objects.filter(transaction=row.pk)
    assert {(e.source, e.event_id): (e.type, e.time, e.record_time, e.topic.name, e.partition) for e in stored} == {
        event.key: (event.type, event.time, event.record_time, event.topic, event.partition) for event in events
    }
    assert sum(event.redeliveries for event in stored) == redeliveries


@st.composite
def divisions(draw: st.DrawFn, size: int) -> list[list[int]]:
    """An order of so many records, divided into batches."""
    order = draw(st.permutations(range(size)))
    cuts = sorted(draw(st.sets(st.integers(1, size - 1)))) if size > 1 else []
    return [list(order[start:end]) for start, end in zip([0, *cuts], [*cuts, size], strict=True)]


found = happenings(TRANSACTIONS, copies=5)
marks = st.lists(st.none() | moments, min_size=TOPICS, max_size=TOPICS)


@given(found, marks, rule_books(), st.data())
@in_database
def test_order_repetition_and_division_do_not_matter(
    found: list[Happening], marks: list[float | None], book: RuleBook, data: st.DataObject
) -> None:
    with transaction.atomic():
        world = World(found, marks, book)
        world.know_types()
        for batch in data.draw(divisions(len(found))):
            written = world.read(batch)
            assert written.events + written.redeliveries == len(batch)
        agree(world)
        transaction.set_rollback(True)


@given(found, marks, rule_books(), moments, st.data())
@in_database
def test_the_sweep_brings_everything_to_where_reading_has_come(
    found: list[Happening], marks: list[float | None], book: RuleBook, further: float, data: st.DataObject
) -> None:
    with transaction.atomic():
        world = World(found, marks, book)
        for batch in data.draw(divisions(len(found))):
            world.read(batch)
            if data.draw(st.booleans()):
                deadlines.sweep(world.book)
        world.read_further(100 + further)
        deadlines.sweep(world.book)
        agree(world)
        assert deadlines.sweep(world.book).changed == ()
        transaction.set_rollback(True)


@given(found, marks, rule_books(), st.data())
@in_database
def test_what_is_read_again_changes_nothing(
    found: list[Happening], marks: list[float | None], book: RuleBook, data: st.DataObject
) -> None:
    with transaction.atomic():
        world = World(found, marks, book)
        world.know_types()
        read: list[int] = []
        for batch in data.draw(divisions(len(found))):
            again = data.draw(st.lists(st.sampled_from(read), unique=True)) if read else []
            written = world.read([*again, *batch])
            assert written.dropped == len(again)
            read += batch
        agree(world)
        transaction.set_rollback(True)


@given(
    st.lists(st.tuples(st.sampled_from(TYPES), st.sampled_from(SERVICES), moments), min_size=2, max_size=6),
    rule_books(),
)
@in_database
def test_nothing_is_called_stuck_whose_answers_were_stored_before_the_watermark_passed(
    told: list[tuple[str, str, float]], book: RuleBook
) -> None:
    """However far the batches lag behind: watermarks move only when all is stored."""
    events = [
        Happening("tx", kind, f"e{i}", source, when, when, i % TOPICS) for i, (kind, source, when) in enumerate(told)
    ]
    with transaction.atomic():
        world = World(events, [None, None, None], book)
        for number in range(len(events)):
            world.read([number])
            deadlines.sweep(world.book)
        world.read_further(500)
        deadlines.sweep(world.book)
        (row,) = Transaction.objects.all()
        ever_stuck = Transition.objects.filter(transaction=row.pk, kind="stuck").exists()
        assert ever_stuck == (world.expected("tx")[1].overdue_since is not None)
        transaction.set_rollback(True)
