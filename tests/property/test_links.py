"""Several ids of one transaction: whatever comes first, however it is divided, the same events are one transaction."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
import pytest
from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector import config
from collector.correlation.choreography import RuleBook
from collector.correlation.events import Skeleton
from collector.correlation.lifecycle import OPEN, evaluate
from collector.correlation.reading import Reading
from collector.decoding import Event, configured
from collector.kafka import Span
from collector.models import Deadline, EventType, Key, Overdue, Progress, Topic, Transaction, Transition, Waiting
from collector.models import Event as StoredEvent
from collector.records import Record, TopicRef
from collector.storage import store
from collector.storage.arriving import skeleton_of
from collector.storage.memory import Memory
from tests.builders import cloud_event, record
from tests.property.dances import SERVICES, TYPES, moments, rule_books
from tests.property.test_store_laws import divisions

POLICY = config.parse(
    "choreoscope.yaml",
    """
correlation: [{transaction_id: ["header:x-order", "header:x-shipment", "header:x-parcel"]}]
links: [{topics: "-0$", ids: ["header:x-order", "header:x-shipment", "header:x-parcel"]}]
keys: ["header:x-order", "header:x-shipment"]
impact: "header:x-weight"
""",
).policy
IDS = {"x-order": ("o-1", "o-2"), "x-shipment": ("s-1", "s-2", "s-3"), "x-parcel": ("a-1", "a-2")}

in_database = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Told(NamedTuple):
    """An event with some of its transaction's ids, on a topic (0: there they are linked); `copies` follow, later by
    so many seconds."""

    kind: str
    source: str
    time: float
    ids: tuple[tuple[str, str], ...]
    copies: tuple[float, ...] = ()
    topic: int = 0


def ids() -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    """At least one id; often two or three."""
    optional = {name: st.none() | st.sampled_from(values) for name, values in IDS.items()}
    picked = st.fixed_dictionaries(optional).map(lambda of: tuple((n, v) for n, v in of.items() if v is not None))
    return picked.filter(bool)


told = st.lists(
    st.builds(
        Told, st.sampled_from(TYPES), st.sampled_from(SERVICES), moments, ids(),
        st.lists(st.sampled_from([0.0, 1.0, 5.0]), max_size=2).map(tuple), st.sampled_from([0, 0, 1]),
    ),
    min_size=1,
    max_size=8,
)  # fmt: skip


class World:
    """Records of these events, one to a partition, on two topics of which all is read up to a moment."""

    def __init__(self, events: Sequence[Told], book: RuleBook) -> None:
        self.began = timezone.now() + timedelta(hours=1)
        self.book, self.memories = book, (Memory(), Memory())
        self.topics = [self._topic(number) for number in range(2)]
        self.records: list[Record] = []
        for number, event in enumerate(events):
            for later in (0.0, *event.copies):
                self.records.append(self._record(number, event, later))
        Progress.objects.bulk_create(
            Progress(topic_id=r.topic.row, partition=r.partition, next_offset=0, first_offset=0, from_start=True)
            for r in self.records
        )
        seen = {(event.type, event.service, found.topic.row) for found, event in map(self.decode, self.records)}
        EventType.objects.bulk_create(EventType(type=t, service=s, topic_id=row) for t, s, row in sorted(seen))

    def moment(self, seconds: float) -> datetime:
        return self.began + timedelta(seconds=seconds)

    def _topic(self, number: int) -> TopicRef:
        row = Topic.objects.create(cluster="c", uid=f"u-{number}", name=f"topic-{number}", watermark=self.moment(60))
        return TopicRef(row.pk, row.cluster, row.uid, row.name)

    def _record(self, number: int, event: Told, later: float) -> Record:
        headers = cloud_event(event.kind, None, f"e-{number}", event.source, self.moment(event.time))
        named = [(name, value.encode()) for name, value in event.ids]
        return record(
            *headers, *named, ("x-weight", b"%d" % number), topic=self.topics[event.topic], partition=len(self.records),
            offset=0, timestamp=self.moment(event.time + later),
        )  # fmt: skip

    @staticmethod
    def decode(found: Record) -> tuple[Record, Event]:
        kept, event = configured.read(found, POLICY.of(found.topic.name))
        assert isinstance(event, Event)
        return kept, event

    def read(self, numbers: Iterable[int], collector: int = 0) -> store.Written:
        found = [self.records[number] for number in numbers]
        spans = [Span(r.topic, r.partition, 0, 1, [r]) for r in found]
        return store.write(spans, [self.decode(r) for r in found], self.book, "writer", self.memories[collector])

    def components(self) -> list[set[str]]:
        """Ids that name the same transaction, by the records alone. On the second topic, a record that names several
        belongs to each, and says nothing of their being one."""
        found: list[set[str]] = []
        events = [event for _, event in map(self.decode, self.records)]
        groups = [{name for _, name in group} for event in events for group in event.links]
        for names in [*groups, *({name} for event in events for name in event.transaction_ids)]:
            joined = [group for group in found if group & names]
            found = [group for group in found if not group & names] + [names.union(*joined)]
        return found


def agree(world: World) -> None:
    components = world.components()
    assert set(Transaction.objects.values_list("transaction_id", flat=True)) <= set().union(*components)
    waiting: Counter[tuple[str, ...]] = Counter()
    assert Transaction.objects.count() == len(components)
    reading = Reading(
        dict(Topic.objects.values_list("id", "watermark")),
        {
            kind: frozenset({t for k, t in EventType.objects.values_list("type", "topic_id") if k == kind})
            for kind in TYPES
        },
    )
    total = 0
    for names in components:
        rows = [row for row in Transaction.objects.all() if row.transaction_id in names]
        assert len(rows) == 1
        row = rows[0]
        for name in names:
            assert _root(name) == row.pk
        copies: dict[tuple[str, str], list[Skeleton]] = {}
        for found, event in map(world.decode, world.records):
            if set(event.transaction_ids) & names:
                copies.setdefault((event.source, event.id), []).append(skeleton_of(found, event, world.began))
        events = [min(some, key=lambda event: event.copy_order) for some in copies.values()]
        state = evaluate(events, world.book, reading)
        again = sum(len(some) - 1 for some in copies.values())
        total += len(events)
        assert (row.event_count, row.redelivery_count) == (len(events), again)
        assert (row.phase, row.overdue_since, row.ended_by) == (state.phase, state.overdue_since, state.ended_by)
        assert row.state == msgspec.json.decode(msgspec.json.encode(state.to_json()))
        stored = list(StoredEvent.objects.filter(transaction=row.pk, day=row.day))
        assert {(e.source, e.event_id): (e.topic_id, e.partition) for e in stored} == {
            event.key: (next(t.row for t in world.topics if t.name == event.topic), event.partition) for event in events
        }
        assert sum(event.redeliveries for event in stored) == again
        last = Transition.objects.filter(transaction=row.pk).order_by("-id")[0]
        assert (last.phase, last.overdue_since) == (row.phase, row.overdue_since)
        assert Deadline.objects.filter(transaction=row.pk).exists() == (state.next_check is not None)
        assert row.impact == max(int(e.event_id.removeprefix("e-")) for e in stored)
        named = {name for _, event in map(world.decode, world.records) if set(event.transaction_ids) & names
                 for name in event.transaction_ids}  # fmt: skip
        assert {key.value for key in Key.objects.filter(transaction=row.pk)} == {n for n in named if n[0] in "os"}
        if state.phase in OPEN:
            waiting[state.choreography, "", "", "", ""] += 1
        for entry in state.pending:
            waiting[state.choreography, entry.rule, " + ".join(entry.after), entry.awaited, entry.service] += 1
    assert StoredEvent.objects.count() == total
    counted = Waiting.objects.values_list("choreography", "rule", "after", "awaited", "service")
    assert {key: n for *key_, n in counted.annotate(n=Sum("count")) if (key := tuple(key_)) and n} == dict(waiting)
    alive = set(Transaction.objects.values_list("pk", flat=True))
    assert set(Overdue.objects.values_list("transaction", flat=True)) <= alive
    assert set(Deadline.objects.values_list("transaction", flat=True)) <= alive
    assert set(Transition.objects.values_list("transaction", flat=True)) <= alive


def _root(name: str) -> int:
    row = Transaction.every.get(transaction_id=name)
    while row.merged_into is not None:
        row = Transaction.every.get(pk=row.merged_into)
    return row.pk


@pytest.mark.django_db
@pytest.mark.usefixtures("day_tables")
@given(told, rule_books(), st.data())
@in_database
def test_whatever_comes_first_the_same_events_are_one_transaction(
    events: list[Told], book: RuleBook, data: st.DataObject
) -> None:
    with transaction.atomic():
        world = World(events, book)
        for batch in data.draw(divisions(len(world.records))):
            # two collectors, of which neither knows what the other has joined
            world.read(batch, data.draw(st.sampled_from([0, 1])))
        agree(world)
        transaction.set_rollback(True)


@pytest.mark.django_db
@pytest.mark.usefixtures("day_tables")
@given(st.permutations(range(4)))
@in_database
def test_it_goes_by_the_id_that_the_link_names_first(order: list[int]) -> None:
    told = [
        (("x-parcel", "a-1"), ("x-shipment", "s-1")),
        (("x-shipment", "s-1"), ("x-order", "o-2")),
        (("x-shipment", "s-1"), ("x-order", "o-1")),
        (("x-parcel", "a-1"),),
    ]
    with transaction.atomic():
        world = World([Told("A", "/s/a", n, ids) for n, ids in enumerate(told)], RuleBook())
        for number in order:
            world.read([number])
        assert [row.transaction_id for row in Transaction.objects.all()] == ["o-1"]
        transaction.set_rollback(True)


@pytest.mark.usefixtures("empty_database")
def test_many_collectors_at_once_join_them_exactly_once() -> None:
    """Threads with sessions of their own store a chain of links, each in another order."""
    chain = [(("x-order", "o-1"), ("x-shipment", f"s-{n}")) for n in range(12)]
    chain += [(("x-shipment", f"s-{n}"), ("x-parcel", f"a-{n}")) for n in range(12)]
    chain += [(("x-parcel", f"a-{n}"),) for n in range(12)]
    world = World([Told("A", "/s/a", n, ids, (1.0,)) for n, ids in enumerate(chain)], RuleBook())
    shares = [list(range(start, len(world.records), 4)) for start in range(4)]
    shares = [share[turn:] + share[:turn] for turn, share in zip((0, 5, 9, 13), shares, strict=True)]
    failures: list[BaseException] = []

    def collect(share: list[int]) -> None:
        memory = Memory()
        try:
            for at in range(0, len(share), 3):
                found = [world.records[number] for number in share[at : at + 3]]
                spans = [Span(r.topic, r.partition, 0, 1, [r]) for r in found]
                store.write(spans, [world.decode(r) for r in found], world.book, "writer", memory)
        except BaseException as error:  # noqa: BLE001 - told below, in the thread that can fail the test
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=collect, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    agree(world)
