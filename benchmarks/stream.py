"""A stream of orders as records: the same for every run, interleaved as it would be at a busy shop."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

EVENTS_EACH = 6
PARTITIONS = 4
OPEN = 2_000
"""Transactions that run beside each other."""
TOPICS = ("orders", "payments", "stock", "shipments", "notifications")

# event type, service, topic, and which earlier steps caused it
STEPS = (
    ("OrderPlaced", "order", "orders", ()),
    ("PaymentAuthorized", "payment", "payments", (0,)),
    ("StockReserved", "inventory", "stock", (0,)),
    ("ShipmentScheduled", "shipping", "shipments", (1, 2)),
    ("CustomerNotified", "notification", "notifications", (3,)),
    ("OrderCompleted", "order", "orders", (4,)),
)
VALUE = (
    b'{"order": {"number": "ord-20261120-7f3a91c2", "total": "12.50", "currency": "EUR"}, "customer": {"id": "c-1"}}'
)

RecordFields = tuple[str, int, bytes, bytes, list[tuple[str, bytes]]]
"""Topic, partition, key, value, headers."""


class Order:
    def __init__(self, number: int, chance: random.Random) -> None:
        self.id = f"ord-20261120-{number:08x}"
        self.partition = number % PARTITIONS
        self.events = [str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in STEPS]
        self.next = 0


def records(events: int, seed: int = 1) -> Iterator[RecordFields]:
    """`events` records of orders that all complete; a multiple of six."""
    if events % EVENTS_EACH:
        raise ValueError(f"{events} is not a multiple of {EVENTS_EACH}")
    chance = random.Random(seed)
    started, running = 0, list[Order]()
    for _ in range(events):
        while len(running) < OPEN and started < events // EVENTS_EACH:
            running.append(Order(started, chance))
            started += 1
        at = chance.randrange(len(running))
        order = running[at]
        yield _record(order, datetime.now(UTC))
        order.next += 1
        if order.next == EVENTS_EACH:
            running[at] = running[-1]
            running.pop()


def _record(order: Order, at: datetime) -> RecordFields:
    kind, service, topic, causes = STEPS[order.next]
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", order.events[order.next].encode()),
        ("ce_source", f"/services/{service}".encode()),
        ("ce_type", kind.encode()),
        ("ce_time", at.isoformat().encode()),
        ("ce_correlationid", order.id.encode()),
        ("content-type", b"application/json"),
    ]
    if causes:
        headers.append(("ce_causationid", ",".join(order.events[i] for i in causes).encode()))
    return topic, order.partition, order.id.encode(), VALUE, headers
