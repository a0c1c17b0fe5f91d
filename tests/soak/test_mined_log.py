"""An event log through Apache Kafka: what the API then counts is what a plain count of the log in event order comes to.

With SOAK set (`make soak`) it has 250,000 events; else some thousands.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import KafkaError, Message, Producer
from django.db import connection
from django.test import Client
from pytest_django import Settings

from collector import miner
from collector.models import Event, Unmined
from dashboard.alerts.models import Alert
from tests.builders import cloud_event
from tests.collecting import Collector
from tests.mining_api import compare, get, ways
from tests.mining_logs import LogEvent, Plain, log
from tests.stack.brokers import Broker

CASES, TYPES, LONGEST = (38_500, 25, 12) if os.environ.get("SOAK") else (1_300, 25, 12)
SEED = 11

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.usefixtures("empty_database")]


class Topics:
    """Publishes a log and remembers where each copy of an event came to lie: that decides between equal times."""

    def __init__(self, bootstrap: str, names: Sequence[str]) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20})
        self._names = names
        self.places: dict[str, list[tuple[datetime, str, int, int]]] = {}

    def publish(self, events: Sequence[LogEvent], rng: random.Random) -> None:
        for event in events:
            headers = list(cloud_event(event.type, event.case, event.id, "/log", event.time, event.causes))

            def stored(error: KafkaError | None, message: Message, name: str = event.id) -> None:
                assert error is None
                at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=message.timestamp()[1])
                place = (at, str(message.topic()), message.partition() or 0, message.offset() or 0)
                self.places.setdefault(name, []).append(place)

            key = event.case if len(self._names) == 1 else event.id
            self._producer.produce(rng.choice(self._names), b"{}", key, headers=headers, on_delivery=stored)
            self._producer.poll(0)
            if len(self._producer) > 50_000:
                self._producer.poll(0.1)
        assert self._producer.flush(60) == 0


@pytest.mark.parametrize("topics", [1, 3], ids=["keyed by case", "several topics"])
def test_a_log_through_kafka_is_counted_as_a_plain_count_has_it(
    topics: int, client: Client, kafka_bootstrap: str, settings: Settings
) -> None:
    settings.KAFKA = {"bootstrap.servers": kafka_bootstrap}
    broker = Broker("kafka", kafka_bootstrap)
    published = Topics(kafka_bootstrap, [broker.topic(f"log-{number}") for number in range(topics)])
    events, rng = log(SEED, CASES, types=TYPES, longest=LONGEST), random.Random(SEED)
    everything = [*events, *rng.sample(events, len(events) // 10)]
    rng.shuffle(everything)
    published.publish(everything, rng)
    plain = Plain.of(events, published.places)
    began = time.monotonic()
    with Collector(broker, "choreographies: {}\n") as collector:
        while Event.objects.count() < len(events):
            for _ in range(20):
                collector.pipeline.step()
        collector.until(lambda: _copies() == len(everything) - len(events), "the copies")
        read = time.monotonic() - began
        miner.mine(collector.rulebook, most=10**9)
        collector.turn()
        assert [(alert.kind, alert.sentence) for alert in Alert.objects.all()] == []
    assert not Unmined.objects.exists()
    compare(get(client, "_all"), plain)
    assert ways(client) == plain.variants
    for name in plain.names:
        compare(get(client, name), plain.named(name))
    print(
        f"{len(events):,} events of {len(plain.cases):,} cases and {len(everything) - len(events):,} copies on {topics}"
        f" topics, read in {read:.0f} s: {len(plain.edges)} edges and {len(plain.variants):,} variants are as counted"
    )


def _copies() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(redelivery_count), 0) FROM collector_transaction")
        return int((cursor.fetchone() or (0,))[0])
