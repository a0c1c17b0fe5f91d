"""What the services of a shop publish, sent by a thread that waits for Kafka wherever Kafka is away."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterable, Iterator

from confluent_kafka import KafkaError, Message, Producer
from django.utils import timezone

from collector.models import Phase
from tests.builders import Header, cloud_event
from tests.stack.brokers import Broker

TOPICS = ("orders", "payments", "stock", "shipments", "notifications")
PARTITIONS = 4
CONFIG = """
choreographies:
  order:
    starts: [OrderPlaced]
    completes: [OrderCompleted]
    fails: [OrderCancelled]
    rules:
      - {after: OrderPlaced, expect: [PaymentAuthorized, PaymentDeclined], from: payment, within: 5s}
      - {after: OrderPlaced, expect: StockReserved, from: inventory, within: 5s}
      - {after: [PaymentAuthorized, StockReserved], expect: ShipmentScheduled, from: shipping, within: 5s}
      - {after: CustomerNotified, expect: [OrderCompleted, OrderCancelled], from: order, within: 5s}
      - {after: PaymentDeclined, expect: StockReleased, from: inventory, within: 5s, compensates: StockReserved}
      - {after: StockReleased, expect: OrderCancelled, from: order, within: 5s}
"""
# topic, event type, service, and which earlier steps caused it
GOOD = (
    ("orders", "OrderPlaced", "order", ()),
    ("payments", "PaymentAuthorized", "payment", (0,)),
    ("stock", "StockReserved", "inventory", (0,)),
    ("shipments", "ShipmentScheduled", "shipping", (1, 2)),
    ("notifications", "CustomerNotified", "notification", (3,)),
    ("orders", "OrderCompleted", "order", (4,)),
)
DECLINED = (
    ("orders", "OrderPlaced", "order", ()),
    ("stock", "StockReserved", "inventory", (0,)),
    ("payments", "PaymentDeclined", "payment", (0,)),
    ("stock", "StockReleased", "inventory", (2,)),
    ("notifications", "CustomerNotified", "notification", (2,)),
    ("orders", "OrderCancelled", "order", (3,)),
)
EVENTS_EACH = len(GOOD)
OPEN = 300
"""Orders that run beside each other."""
AT_ONCE = 200
"""Records that the producer has on their way."""
LONGEST_ABSENCE = 180
"""Seconds after which Kafka is not expected back."""

Sent = tuple[str, tuple[Header, ...]]
"""Topic and headers of a record."""


class Load:
    """Publishes all events of so many orders, some of them twice, with records between them that are none.

    It goes on as far as it is allowed to, so that there is something left to publish at every moment of a story.
    """

    def __init__(self, broker: Broker, orders: int, seed: int, value: bytes = b"{}") -> None:
        self._topics = {name: broker.topic(name, PARTITIONS) for name in TOPICS}
        self._chance, self._value = random.Random(seed), value
        self._producer = Producer(
            {
                "bootstrap.servers": broker.bootstrap,
                "acks": "all",
                "enable.idempotence": True,
                "delivery.timeout.ms": LONGEST_ABSENCE * 1000,
                "linger.ms": 2,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,  # that Kafka goes away is meant
            }
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._may_go_on = threading.Condition()
        self._stopped = False
        numbers = range(orders)
        # one in seven is declined
        self.phases = {f"order-{i}": Phase.COMPENSATED if i % 7 == 3 else Phase.COMPLETED for i in numbers}
        self._records = list(_stream(self.phases, self._chance))
        self.size, self.allowed = len(self._records), 0
        self.refused: list[KafkaError] = []

    @property
    def topics(self) -> list[str]:
        return list(self._topics.values())

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._may_go_on:
            self._stopped = True
            self._may_go_on.notify()
        self._thread.join()

    def allow(self, until: int) -> None:
        """Lets the records up to this one go."""
        with self._may_go_on:
            self.allowed = max(self.allowed, min(until, self.size))
            self._may_go_on.notify()

    def _run(self) -> None:
        sent = 0
        while sent < self.size:
            with self._may_go_on:
                self._may_go_on.wait_for(lambda sent=sent: self._stopped or sent < self.allowed)
                if self._stopped:
                    return
                until = min(self.allowed, sent + AT_ONCE)
            for topic, headers in self._records[sent:until]:
                self._send(topic, headers)
            sent = until
            self._await_delivery()

    def _send(self, topic: str, headers: tuple[Header, ...]) -> None:
        # the time is that of publishing: a copy tells that of its own
        stamped = [*headers, ("ce_time", timezone.now().isoformat().encode())] if headers else []
        partition = self._chance.randrange(PARTITIONS)
        self._producer.produce(
            self._topics[topic], self._value, headers=stamped, partition=partition, callback=self._told
        )

    def _told(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self.refused.append(error)

    def _await_delivery(self) -> None:
        deadline = time.monotonic() + LONGEST_ABSENCE
        while self._producer.flush(0.2) and not self._stopped and time.monotonic() < deadline:
            pass


def _stream(phases: dict[str, Phase], chance: random.Random) -> Iterator[Sent]:
    """The events of all orders, interleaved; between them copies, what can't be decoded, and what belongs nowhere."""
    recent: list[Sent] = []
    for number, event in enumerate(_interleaved(phases, chance)):
        yield event
        recent = [*recent[-1_000:], event] if number % 10 == 0 else recent
        if number % 20 == 7:
            yield chance.choice(recent)
        if number % 50 == 9:
            yield chance.choice(TOPICS), ()
        if number % 50 == 11:
            yield "orders", cloud_event("CatalogueChanged", None, f"nowhere-{number}", time=None)


def _interleaved(phases: dict[str, Phase], chance: random.Random) -> Iterator[Sent]:
    waiting, running = iter(phases.items()), list[Iterator[Sent]]()
    while True:
        while len(running) < OPEN and (order := next(waiting, None)):
            running.append(iter(_events(*order)))
        if not running:
            return
        at = chance.randrange(len(running))
        if event := next(running[at], None):
            yield event
        else:
            running[at] = running[-1]
            running.pop()


def _events(order: str, phase: Phase) -> Iterable[Sent]:
    for number, (topic, kind, service, causes) in enumerate(GOOD if phase == Phase.COMPLETED else DECLINED):
        ids = [f"{order}.{cause}" for cause in causes]
        yield topic, cloud_event(kind, order, f"{order}.{number}", f"/services/{service}", time=None, causes=ids)
