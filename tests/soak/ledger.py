"""What the topics hold, beside what the database holds."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition
from django.db import connection
from django.db.models import Sum

from collector.config import Config
from collector.correlation.lifecycle import evaluate
from collector.models import (
    Event,
    Payload,
    Progress,
    Topic,
    Transaction,
    Transition,
    Uncorrelated,
    Undecodable,
    Waiting,
)
from collector.storage import context, judgement
from tests.soak.load import PARTITIONS
from tests.stack.brokers import Broker
from tests.stack.waiting import poll_until

Place = tuple[str, int, int]
"""Topic, partition, offset."""
Key = tuple[str, str]
"""Transaction id and event id."""
COORDINATES = ("topic__name", "partition", "offset")
AT_ONCE = 5_000


@dataclass
class Log:
    """All records of the topics, by where they belong."""

    events: dict[Key, set[Place]] = field(default_factory=dict)
    uncorrelated: set[Place] = field(default_factory=set)
    undecodable: set[Place] = field(default_factory=set)
    ends: dict[tuple[str, int], int] = field(default_factory=dict)

    @property
    def places(self) -> set[Place]:
        return self.uncorrelated.union(self.undecodable, *self.events.values())

    def add(self, message: Message) -> None:
        place = (message.topic(), message.partition(), message.offset())
        headers = {name: value.decode() for name, value in message.headers() or []}
        if not headers:
            self.undecodable.add(place)
        elif "ce_correlationid" not in headers:
            self.uncorrelated.add(place)
        else:
            self.events.setdefault((headers["ce_correlationid"], headers["ce_id"]), set()).add(place)


def read(broker: Broker, topics: Iterable[str]) -> Log:
    """The topics as they are, read afresh."""
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap, "group.id": f"{broker.prefix}check", "enable.auto.commit": False}
    )
    places = [TopicPartition(name, i, OFFSET_BEGINNING) for name in topics for i in range(PARTITIONS)]
    consumer.assign(places)
    log = Log()
    for place in places:
        log.ends[place.topic, place.partition] = consumer.get_watermark_offsets(place, timeout=10)[1]
    left = sum(log.ends.values())

    def read_all() -> bool:
        nonlocal left
        for message in consumer.consume(AT_ONCE, 1):
            assert message.error() is None
            log.add(message)
            left -= 1
        return not left

    poll_until(read_all, 120, "all records")
    consumer.close()
    return log


@dataclass(frozen=True)
class Balance:
    """Records of the topics that are not in the database, and those that are there more than once."""

    lost: set[Place]
    twice: set[Place]


def balance(log: Log) -> Balance:
    """Every record is either in Payload or in Undecodable."""
    stored = Counter(itertools.chain(*(table.objects.values_list(*COORDINATES) for table in (Payload, Undecodable))))
    assert stored.keys() <= log.places
    return Balance(log.places - stored.keys(), {place for place, count in stored.items() if count > 1})


def equals(log: Log) -> None:
    """Each record is in the table where it belongs; of an event's copies one is stored, and the others are counted."""
    assert {
        (row.topic.name, row.partition): row.next_offset for row in Progress.objects.select_related("topic")
    } == log.ends
    assert sorted(Undecodable.objects.values_list(*COORDINATES)) == sorted(log.undecodable)
    assert sorted(Uncorrelated.objects.values_list(*COORDINATES)) == sorted(log.uncorrelated)
    topics = dict(Topic.objects.values_list("id", "name"))
    names = dict(Transaction.objects.values_list("id", "transaction_id"))
    columns = ("transaction", "event_id", "topic_id", "partition", "offset", "redeliveries")
    rows = Event.objects.values_list(*columns)
    stored = {(names[row], event): ((topics[topic], *place), again) for row, event, topic, *place, again in rows}
    assert len(rows) == len(stored)
    assert {key: again + 1 for key, (_, again) in stored.items()} == {key: len(at) for key, at in log.events.items()}
    assert all(place in log.events[key] for key, (place, _) in stored.items())
    copies = Counter[str]()
    for (transaction, _), places in log.events.items():
        copies[transaction] += len(places) - 1
    assert dict(Transaction.objects.values_list("transaction_id", "redelivery_count")) == copies


def judged_afresh(config: Config, phases: dict[str, str]) -> int:
    """Every transaction's stored state is that of a fresh judgement, and what its events were meant to lead to.

    Returns how many have been compared.
    """
    last = Transition.objects.order_by("transaction", "-id").distinct("transaction")
    told = dict(last.values_list("transaction", "phase"))
    compared = 0
    names = iter(phases)
    with connection.cursor() as cursor:
        ctx = context.load(cursor, config.rulebook)
        while part := list(itertools.islice(names, AT_ONCE)):
            rows = judgement.lock_by_name(cursor, part)
            events = judgement.skeletons(cursor, rows, ctx.topic_names)
            for row in rows:
                fresh = evaluate(events[row.id], config.rulebook, ctx.reading)
                assert (row.choreography, row.phase, row.event_count) == (
                    fresh.choreography,
                    fresh.phase,
                    len(events[row.id]),
                )
                assert (row.started_at, row.last_event_at, row.ended_at) == (
                    fresh.started_at,
                    fresh.last_event_at,
                    fresh.ended_at,
                )
                assert (_due(row.stored.pending), row.stored.deviations) == (_due(fresh.pending), fresh.deviations)
                assert row.phase == told[row.id] == phases[row.transaction_id]
            compared += len(rows)
    assert compared == Transaction.objects.count()
    assert not Waiting.objects.values("choreography", "rule").annotate(n=Sum("count")).exclude(n=0).exists()
    return compared


def _due(pending: Iterable[judgement.Pending]) -> list[judgement.Pending]:
    """What is pending; whether it is overdue is the sweep's to find, which does not run here."""
    return [msgspec.structs.replace(entry, overdue=False) for entry in pending]
