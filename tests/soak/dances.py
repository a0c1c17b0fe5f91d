"""Orders at a steady pace, by the clock: most are paid for in time, others late, or not until somebody relents."""

from __future__ import annotations

import heapq
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Self

from confluent_kafka import KafkaError, Message, Producer
from django.utils import timezone

from tests.builders import cloud_event
from tests.stack.brokers import Broker

TOPICS = ("orders", "payments", "stock")
WITHIN = {"OrderPlaced": 5.0, "ExpressOrderPlaced": 2.0}
"""How an order may begin, and within how many seconds it is to be paid for then."""
CONFIG = f"""
alerts: {{resolve_after: 1s}}
choreographies:
  order:
    starts: [{", ".join(WITHIN)}]
    completes: [OrderCompleted]
    rules:
""" + "".join(
    f"      - {{after: {first}, expect: PaymentAuthorized, from: payment, within: {within:g}s}}\n"
    for first, within in WITHIN.items()
)
TICK = 0.005
COMPLETED_AFTER = 0.2
"""Seconds from the payment to the completion."""

Payment = Callable[[int], float | None]
"""After how many seconds an order, by its number, is paid for; None: never."""
Due = tuple[float, int, str, str, str]
"""When, in what order, on which topic, of which type, for which order."""


def prompt_but(one_in: int) -> Payment:
    """Paid for at once, but for one in so many, which never is."""
    return lambda number: None if number % one_in == one_in // 2 else 0.1


class Dances:
    """Publishes `pace` events a second in a thread. `placed`: when each order was, by its first event's time."""

    def __init__(self, broker: Broker, first: str, pace: float, payment: Payment) -> None:
        self.prefix = f"{uuid.uuid4().hex[:6]}-"
        self.placed: dict[str, datetime] = {}
        self.silent: set[str] = set()
        self.refused: list[KafkaError] = []
        self.sent = 0
        self.first, self._broker, self._pace, self._payment = first, broker, pace, payment
        self._due: list[Due] = []
        self._places, self._aborted = threading.Event(), threading.Event()
        self._producer = Producer({"bootstrap.servers": broker.bootstrap, "acks": "all", "linger.ms": 2})
        self._began = 0.0
        self._thread = threading.Thread(target=self._run, name="dances", daemon=True)

    def __enter__(self) -> Self:
        self._places.set()
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._places.clear()
        self._aborted.set()
        self._thread.join()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def finish(self) -> float:
        """Places no more orders, and returns when those that are placed have been told of; how many events came each
        second until then."""
        pace = self.sent / self.seconds
        self._places.clear()
        self._thread.join()
        assert not self.refused
        return pace

    def relent(self) -> None:
        """Pays for the silent ones after all."""
        for order in self.silent:
            self._send("payments", "PaymentAuthorized", order)
            self._send("orders", "OrderCompleted", order)
        assert not self._producer.flush(30)

    def silent_one(self) -> str:
        """Places one more order, which is not paid for. Only after the end."""
        order = f"{self.prefix}{len(self.placed)}"
        self.silent.add(order)
        self._send("orders", self.first, order)
        assert not self._producer.flush(30)
        return order

    def _run(self) -> None:
        numbers = iter(range(1_000_000_000))
        while (self._places.is_set() or self._due) and not self._aborted.is_set():
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                self._send(*heapq.heappop(self._due)[2:])
            if self._places.is_set():
                while self.sent < (now - self._began) * self._pace:
                    self._place(next(numbers), now)
            self._producer.poll(0)
            self._aborted.wait(TICK)
        self._producer.flush(30)

    def _place(self, number: int, now: float) -> None:
        order = f"{self.prefix}{number}"
        self._send("orders", self.first, order)
        for after, topic, kind in self._rest(order, self._payment(number)):
            heapq.heappush(self._due, (now + after, self.sent + len(self._due), topic, kind, order))

    def _rest(self, order: str, paid_after: float | None) -> Iterator[tuple[float, str, str]]:
        yield 0.05, "stock", "StockReserved"
        if paid_after is None:
            self.silent.add(order)
        else:
            yield paid_after, "payments", "PaymentAuthorized"
            yield paid_after + COMPLETED_AFTER, "orders", "OrderCompleted"

    def _send(self, topic: str, kind: str, order: str) -> None:
        now, service = timezone.now(), {"orders": "order", "payments": "payment", "stock": "inventory"}[topic]
        if kind == self.first:
            self.placed[order] = now
        headers = cloud_event(kind, order, f"{order}.{kind}", f"/services/{service}", now)
        name = f"{self._broker.prefix}{topic}"
        self._producer.produce(name, b"{}", order, headers=list(headers), callback=self._told)
        self.sent += 1

    def _told(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self.refused.append(error)
