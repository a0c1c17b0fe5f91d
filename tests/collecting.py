"""A collector for tests, and the services that it listens to: the production parts, turned by the test's own hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

from confluent_kafka import Producer
from django.db import connection
from django.utils import timezone

from collector import config, deadlines
from collector.config.rules import registered
from collector.decoding.content import Schemas
from collector.intake import progress
from collector.intake.alive import Alive
from collector.intake.watermarks import Watermarks
from collector.kafka import Cluster, Source
from collector.models import Event, Payload, Transaction, Transition
from collector.pipeline import Pipeline
from dashboard.alerts.process import process
from tests.builders import Header, cloud_event
from tests.stack.brokers import Broker
from tests.stack.waiting import poll_until

T = TypeVar("T")

CONFIG = """
choreographies:
  order:
    starts: [OrderPlaced]
    completes: [OrderCompleted]
    fails: [OrderCancelled]
    rules:
      - {after: OrderPlaced, expect: [Paid, Declined], from: payment, within: 2s}
"""


class Silence:
    """Stands for the browsers, of whom there are none: remembers what they would have been told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.alerts = False

    def tell(self, transaction_ids: Iterable[str], alerts: bool) -> None:
        self.told += transaction_ids
        self.alerts = self.alerts or alerts


class Collector:
    """Reads the topics of one test. Nothing happens but in `turn`, unless watermarks are `still`, not even time."""

    _names = itertools.count()

    def __init__(
        self,
        broker: Broker,
        content: str = CONFIG,
        *,
        group: str = "collector",
        properties: Mapping[str, object] | None = None,
        schemas: Schemas | None = None,
    ) -> None:
        self._config = config.parse("choreoscope.yaml", content)
        self.rulebook = registered(self._config.rulebook)
        properties = {
            **(properties or {}),
            "bootstrap.servers": broker.bootstrap,
            # members that are gone are given up soon, and topics that are new are seen soon
            "session.timeout.ms": 4000,
            "heartbeat.interval.ms": 500,
            "topic.metadata.refresh.interval.ms": 300,
        }

        def wanted(name: str) -> bool:
            return name.startswith(broker.prefix) and self._config.topics.wanted(name)

        self.cluster = Cluster({"bootstrap.servers": broker.bootstrap})
        self.cluster_id = progress.first_contact(self.cluster, wanted, self._config.topics.start)
        self.source = Source(properties, f"{broker.prefix}{group}", [f"^{broker.prefix}"], wanted)
        self.browsers = Silence()
        name = f"test-{next(self._names)}"
        self.pipeline = Pipeline(
            self.source, self.cluster, self.cluster_id, name, lambda: self._config, self.browsers, schemas
        )
        self.alive = Alive(
            name, self.cluster_id, self.source, self.pipeline.counts, lambda: self._config, self.browsers
        )
        self.watermarks = Watermarks(self.cluster, self.cluster_id, wanted)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.pipeline.close()
        self.source.close()
        self.alive.goodbye()
        with connection.cursor() as cursor:
            # it goes without its process, whose end would have ended its sessions and their locks
            cursor.execute("SELECT pg_advisory_unlock_all()")

    def turn(self) -> None:
        """Everything that a collector and the workers do regularly, once."""
        self.pipeline.step()
        self.alive.step()
        self.watermarks.step()
        deadlines.sweep(self.rulebook)
        process()

    def until(self, condition: Callable[[], T], what: str, timeout: float = 30) -> T:
        """Turns until the condition holds."""

        def turned() -> T:
            self.turn()
            return condition()

        return poll_until(turned, timeout, what, every=0.01)

    def until_read(self, count: int) -> None:
        """Turns until so many records of events have been stored."""
        self.until(lambda: Payload.objects.count() >= count, f"{count} records")


class Services:
    """Publishes events as services do."""

    def __init__(self, broker: Broker, **properties: object) -> None:
        self._producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 2, **properties})
        self._numbers = itertools.count()

    def publish(
        self,
        topic: str,
        *headers: Header,
        partition: int = -1,
        value: bytes | None = b"{}",
        key: bytes | None = None,
    ) -> None:
        self._producer.produce(topic, value, key, headers=list(headers), partition=partition)
        self._producer.poll(0)

    def event(
        self,
        topic: str,
        kind: str,
        transaction: str,
        *,
        name: str = "",
        service: str = "order",
        partition: int = -1,
        time: datetime | None = None,
        value: bytes = b"{}",
    ) -> str:
        """Publishes an event of a transaction; returns its id."""
        name = name or f"{transaction}-{next(self._numbers)}"
        headers = cloud_event(kind, transaction, name, f"/services/{service}", time or timezone.now())
        self.publish(topic, *headers, partition=partition, value=value)
        return name

    def flush(self) -> None:
        assert self._producer.flush(30) == 0


def transaction(name: str) -> Transaction:
    found = Transaction.objects.filter(transaction_id=name).first()
    assert found, f"there is no transaction {name}"
    return found


def log_of(name: str) -> list[str]:
    """The kinds of a transaction's transitions."""
    found = Transition.objects.filter(transaction=transaction(name).pk)
    return list(found.order_by("id").values_list("kind", flat=True))


def ids_of_events() -> list[str]:
    return sorted(Event.objects.values_list("event_id", flat=True))
