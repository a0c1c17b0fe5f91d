"""The collector is killed, over and over, while events pour in: afterwards the database equals the topics, event by
event, and every transaction stands where its events say."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from collector.config import load
from collector.correlation.lifecycle import OPEN, evaluate
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
from tests.builders import cloud_event
from tests.stack.brokers import Broker
from tests.stack.place import ROOT
from tests.stack.waiting import poll_until

TOPICS = ("orders", "payments", "stock")
EVENTS = 3_000
KILLS = 4
CONFIG = """
topics: {{include: ["^{prefix}"]}}
choreographies:
  order:
    starts: [OrderPlaced]
    completes: [OrderCompleted]
    rules:
      - {{after: OrderPlaced, expect: [Paid, Declined], from: payment, within: 5s}}
      - {{after: [OrderPlaced, Reserved], expect: Shipped, from: shipping, within: 5s}}
"""
KINDS = (("orders", "OrderPlaced"), ("payments", "Paid"), ("stock", "Reserved"), ("orders", "OrderCompleted"))

pytestmark = [pytest.mark.usefixtures("empty_database"), pytest.mark.slow]


def environment(broker: Broker, config: Path) -> dict[str, str]:
    """What the real command is told: the test's database and broker."""
    found = connection.get_connection_params()
    url = f"postgresql:///{found['dbname']}?host={found['host']}&user={found['user']}"
    if port := found.get("port"):
        url += f"&port={port}"
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        "DATABASE_URL": url,
        "PGPASSWORD": str(found.get("password") or ""),
        "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap,
        # the group gives a killed member up soon
        "KAFKA_CONFIG_SESSION_TIMEOUT_MS": "1500" if broker.is_real else "10000",
        "KAFKA_CONFIG_HEARTBEAT_INTERVAL_MS": "300",
        "CHOREOSCOPE_CONFIG": str(config),
    }


@contextmanager
def collecting(broker: Broker, config: Path, attempt: int) -> Iterator[subprocess.Popen[bytes]]:
    """The real command. The embedded broker takes long over a group with a dead member: there, each has its own."""
    group = f"{broker.prefix}collector" if broker.is_real else f"{broker.prefix}collector-{attempt}"
    command = [sys.executable, str(ROOT / "manage.py"), "collect", "--group", group]
    with (config.parent / "collector.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment(broker, config), cwd=ROOT, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


class Load:
    """Publishes events as fast as they can be stored twice over, some of them more than once, until all are sent."""

    def __init__(self, broker: Broker) -> None:
        self._topics = {name: broker.topic(name) for name in TOPICS}
        self._producer = Producer({"bootstrap.servers": broker.bootstrap, "enable.idempotence": broker.is_real})
        self._random = random.Random(7)
        self._thread = threading.Thread(target=self._run)
        self.sent = 0
        self.allowed = threading.Semaphore(0)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.allowed.release(EVENTS)
        self._thread.join(60)

    def allow(self, count: int) -> None:
        """Lets so many more events go."""
        self.allowed.release(count)

    def _run(self) -> None:
        for i in range(EVENTS):
            self.allowed.acquire()
            topic, kind = KINDS[i % len(KINDS)]
            name = f"e{i if i % 10 else max(0, i - 40)}"  # each tenth is a copy of an earlier one
            headers = cloud_event(kind, f"order-{i // 12}", name, time=timezone.now())
            if i % 50 == 7:
                headers = ()
            elif i % 50 == 9:
                headers = cloud_event(kind, None, name, time=timezone.now())
            self._producer.produce(
                self._topics[topic], b"%d" % i, headers=list(headers), partition=self._random.randrange(4)
            )
            self._producer.poll(0)
            self.sent = i + 1
            if i % 100 == 99:
                self._producer.flush(30)
        self._producer.flush(30)


def content(broker: Broker) -> list[tuple[str, int, int, dict[str, str]]]:
    """Everything that the topics hold: topic, partition, offset, headers."""
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap, "group.id": f"{broker.prefix}check", "enable.auto.commit": False}
    )
    places = [TopicPartition(f"{broker.prefix}{name}", i, OFFSET_BEGINNING) for name in TOPICS for i in range(4)]
    consumer.assign(places)
    left = sum(consumer.get_watermark_offsets(place, timeout=10)[1] for place in places)
    found: list[tuple[str, int, int, dict[str, str]]] = []

    def read_all() -> bool:
        for message in consumer.consume(1_000, 1):
            headers = {name: value.decode() for name, value in message.headers() or []}
            found.append((message.topic(), message.partition(), message.offset(), headers))
        return len(found) == left

    poll_until(read_all, 30, "all records")
    consumer.close()
    return found


def test_killed_over_and_over_it_loses_nothing_and_counts_nothing_twice(broker: Broker, tmp_path: Path) -> None:
    config = tmp_path / "choreoscope.yaml"
    config.write_text(CONFIG.format(prefix=broker.prefix))
    with Load(broker) as load_:
        load_.allow(EVENTS // 10)
        for kill in range(KILLS):
            enough = Payload.objects.count() + 1 + 50 * kill
            with collecting(broker, config, kill) as process:
                load_.allow(EVENTS // (KILLS + 1))
                poll_until(lambda enough=enough: Payload.objects.count() >= enough, 30, f"progress before kill {kill}")
                os.kill(process.pid, signal.SIGKILL)
    with collecting(broker, config, KILLS) as process:
        poll_until(lambda: all_read(broker), 40, "the rest to be read")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert load_.sent == EVENTS
    equals_the_topics(broker)
    stands_as_its_events_say(config)


def all_read(broker: Broker) -> bool:
    stored = (
        (Event.objects.aggregate(n=Sum("redeliveries"))["n"] or 0)
        + Event.objects.count()
        + Uncorrelated.objects.count()
        + Undecodable.objects.count()
    )
    return stored >= EVENTS


def equals_the_topics(broker: Broker) -> None:
    """Each record is stored once, in the table where it belongs, by its coordinates and ids."""
    topics = dict(Topic.objects.values_list("id", "name"))
    events, lost, broken, copies = set(), set(), set(), Counter()
    ids = {}
    for topic, partition, offset, headers in content(broker):
        place = (topic, partition, offset)
        if not headers:
            broken.add(place)
        elif "ce_correlationid" not in headers:
            lost.add((*place, headers["ce_id"]))
        else:
            key = (headers["ce_correlationid"], headers["ce_id"])
            copies[key] += 1
            ids.setdefault(key, set()).add(place)
            events.add(place)
    assert len(events) + len(lost) + len(broken) == EVENTS
    by_row = dict(Transaction.objects.values_list("id", "transaction_id"))
    stored = {
        (by_row[row], event): ((topics[topic], partition, offset), again)
        for row, event, topic, partition, offset, again in Event.objects.values_list(
            "transaction", "event_id", "topic_id", "partition", "offset", "redeliveries"
        )
    }
    assert {key: again + 1 for key, (_, again) in stored.items()} == copies
    assert all(place in ids[key] for key, (place, _) in stored.items())

    def places(rows: list[tuple[int, int, int]]) -> set[tuple[str, int, int]]:
        found = {(topics[topic], partition, offset) for topic, partition, offset in rows}
        assert len(found) == len(rows)
        return found

    coordinates = ("topic_id", "partition", "offset")
    assert places(list(Undecodable.objects.values_list(*coordinates))) == broken
    assert places(list(Payload.objects.values_list(*coordinates))) == events | {place[:3] for place in lost}
    assert {
        (topics[topic], partition, offset, event)
        for topic, partition, offset, event in Uncorrelated.objects.values_list(*coordinates, "event_id")
    } == lost
    ends = Counter((topic, partition) for topic, partition, _ in events | broken | {place[:3] for place in lost})
    progress = {(topics[row.topic_id], row.partition): row.next_offset for row in Progress.objects.all()}
    assert {place: offset for place, offset in progress.items() if offset} == ends


def stands_as_its_events_say(config: Path) -> None:
    """Every transaction's stored state is that of a fresh judgement, and the counts are counts of them."""
    rulebook = load(config).rulebook
    waiting: Counter[tuple[str, str]] = Counter()
    with connection.cursor() as cursor:
        names = list(Transaction.objects.values_list("transaction_id", flat=True))
        ctx = context.load(cursor, rulebook)
        rows = judgement.lock_by_name(cursor, names)
        events = judgement.skeletons(cursor, rows, ctx.topic_names)
    for row in rows:
        fresh = evaluate(events[row.id], rulebook, ctx.reading)
        assert (row.choreography, row.phase, row.event_count) == (fresh.choreography, fresh.phase, len(events[row.id]))
        # what is overdue by now is for the next sweep to find
        stored, judged = (
            [msgspec.structs.replace(entry, overdue=False) for entry in pending]
            for pending in (row.stored.pending, fresh.pending)
        )
        assert (stored, row.stored.deviations) == (judged, fresh.deviations)
        waiting[row.choreography, ""] += row.phase in OPEN
        waiting.update((row.choreography, entry.rule) for entry in row.stored.pending)
        last = Transition.objects.filter(transaction=row.id).order_by("-id")[0]
        assert (last.phase, last.overdue_since) == (row.phase, row.overdue_since)
    counted = Waiting.objects.values_list("choreography", "rule").annotate(n=Sum("count"))
    assert {(name, rule): n for name, rule, n in counted if n} == {key: n for key, n in waiting.items() if n}
