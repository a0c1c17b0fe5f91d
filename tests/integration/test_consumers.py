"""Why it is stuck, asked of a broker: what its groups have committed, and who is alive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition
from django.conf import settings as django_settings
from django.test import Client

from collector import config
from collector.config import Service
from collector.kafka import groups as groups_module
from collector.models import Event
from collector.queries import why
from tests.feeding import Feed
from tests.stack.brokers import Broker
from tests.stack.waiting import poll_until

pytestmark = pytest.mark.django_db

OFFSET = 5_000
"""Where OrderPlaced stands in its partition."""


@pytest.fixture(autouse=True)
def fresh(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A client for this broker, that keeps no answers; payment's groups are those of this test."""
    known = config.current(django_settings.CHOREOSCOPE_CONFIG)
    pattern = "payment-.*" if broker.is_real else "payment-1"  # the embedded broker does not list its groups
    payment = Service(groups=(broker.prefix + pattern,))
    settled = msgspec.structs.replace(known, services={**known.services, "payment": payment})
    monkeypatch.setattr(config, "current", lambda _: settled)
    monkeypatch.setattr(groups_module, "KEPT", 0.0)
    why.kafka_groups.cache_clear()
    yield
    why.kafka_groups.cache_clear()


@pytest.fixture
def topic(broker: Broker) -> str:
    name = broker.topic("orders")
    feed = Feed(topic=name)
    feed.order("order", steps=1, ago=60)
    feed.read()
    Event.objects.update(offset=OFFSET)
    return name


@contextmanager
def service(broker: Broker, topic: str, committed: int, group: str = "payment-1") -> Iterator[None]:
    """A member of the group that has read so far."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": broker.prefix + group})
    consumer.subscribe([topic])
    try:

        def assigned() -> bool:
            consumer.poll(0.1)
            return bool(consumer.assignment())

        poll_until(assigned, 30, "the service to be assigned partitions")
        consumer.commit(offsets=[TopicPartition(topic, 0, committed)], asynchronous=False)
        yield
    finally:
        consumer.close()


def verdict(client: Client) -> dict[str, Any]:
    waiting = client.get("/api/transactions/order").json()["waiting_for"]
    (found,) = [entry["consumer"] for entry in waiting if entry["from"] == "payment"]
    return found


def test_it_was_read_and_nothing_was_published(client: Client, broker: Broker, topic: str) -> None:
    with service(broker, topic, committed=OFFSET + 1):
        found = verdict(client)
    assert (found["verdict"], found["behind"], found["groups"]) == ("read", None, [f"{broker.prefix}payment-1"])
    assert "has read it and published nothing." in found["sentence"]


def test_it_has_not_come_to_it_yet(client: Client, broker: Broker, topic: str) -> None:
    with service(broker, topic, committed=1):
        found = verdict(client)
    assert (found["verdict"], found["behind"]) == ("behind", OFFSET)
    assert "has not come to it yet, 5,000 records behind on its partition." in found["sentence"]


def test_nobody_is_alive(client: Client, broker: Broker, topic: str) -> None:
    """The embedded broker does not tell who is alive: there it is only behind."""
    with service(broker, topic, committed=1):
        pass
    found = verdict(client)
    assert (found["verdict"], found["behind"]) == ("no member" if broker.is_real else "behind", OFFSET)


def test_nothing_is_known_of_it(client: Client, broker: Broker, topic: str) -> None:
    with service(broker, topic, committed=OFFSET + 1, group="billing"):
        found = verdict(client)
    assert found["verdict"] == "not known"
    assert broker.is_real is (found["groups"] == [])


def test_kafka_that_does_not_answer_holds_up_nobody_for_long(
    client: Client, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups_module, "TIMEOUT", 0.2)
    nowhere = groups_module.Groups({"bootstrap.servers": "127.0.0.1:9", "log_level": 0})
    monkeypatch.setattr(why, "kafka_groups", lru_cache(lambda: nowhere))
    assert verdict(client)["verdict"] == "not known"
