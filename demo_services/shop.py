"""What is switched and counted: the rate of orders, the faults, the orders placed."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from demo_services.bus import Publisher
from demo_services.customers import REQUEST_TOPIC, new_order_id, request
from demo_services.faults import FAULTS

log = logging.getLogger("demo")

MOST_PER_SECOND = 50.0


class BusyError(RuntimeError):
    """Kafka does not take orders just now."""


class Shop:
    """The control process's state. Any thread may ask and change it; `changed` wakes whoever waits for a change."""

    def __init__(self, publisher: Publisher, rate: float) -> None:
        self._publisher = publisher
        self._lock = threading.Lock()
        self._rate = rate
        self._on: set[str] = set()
        self._placed = 0
        self.ready = False
        self.changed = threading.Event()

    @property
    def rate(self) -> float:
        return self._rate

    @property
    def on(self) -> frozenset[str]:
        with self._lock:
            return frozenset(self._on)

    def describe(self) -> dict[str, Any]:
        with self._lock:
            faults = {
                name: {"on": name in self._on, "description": fault.description} for name, fault in FAULTS.items()
            }
            return {"rate": self._rate, "faults": faults, "placed": self._placed, "ready": self.ready}

    def set_rate(self, rate: float) -> None:
        self._rate = rate
        self.changed.set()

    def switch(self, fault: str, *, on: bool) -> None:
        with self._lock:
            (self._on.add if on else self._on.discard)(fault)
        log.info("%s: %s", fault, "on" if on else "off")
        self.changed.set()

    def place(self, count: int) -> list[str]:
        """Places orders and returns their ids. Raises BusyError where Kafka takes none."""
        if self._publisher.full:
            raise BusyError("Kafka is out of reach, and no more orders can be kept waiting for it")
        now = time.time()
        order_ids = [new_order_id(now) for _ in range(count)]
        for order_id in order_ids:
            self._publisher.publish(REQUEST_TOPIC, request(order_id, now), lambda: None)
        with self._lock:
            self._placed += count
        return order_ids
