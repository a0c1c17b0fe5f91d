"""The demo's company as processes on a broker: the whole dance, the way back, and every fault.

One company serves all tests of a broker; each test looks at the orders it has placed itself, and heals what it broke.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from dashboard.parts import broker as embedded_broker
from demo_services.events import Event, Received, read
from demo_services.faults import FAULTS
from demo_services.noise import NOISE, NOISE_TOPIC
from demo_services.payment import declined
from tests.stack.place import ROOT
from tests.stack.waiting import poll_until

SERVICES = ("order", "payment", "inventory", "shipping", "notification")
TOPICS = ("orders", "payments", "stock", "shipments", "notifications")
HAPPY = {
    "OrderPlaced": (),
    "PaymentAuthorized": ("OrderPlaced",),
    "StockReserved": ("OrderPlaced",),
    "ShipmentScheduled": ("PaymentAuthorized", "StockReserved"),
    "ShipmentDispatched": ("ShipmentScheduled",),
    "CustomerNotified": ("ShipmentScheduled",),
    "OrderCompleted": ("CustomerNotified", "ShipmentDispatched"),
}
UNHAPPY = {
    "OrderPlaced": (),
    "PaymentDeclined": ("OrderPlaced",),
    "StockReserved": ("OrderPlaced",),
    "StockReleased": ("PaymentDeclined", "StockReserved"),
    "OrderCancelled": ("StockReleased",),
}
PATIENCE = 40.0

pytestmark = pytest.mark.slow


class Onlooker:
    """Reads all topics from the beginning, in no group."""

    def __init__(self, bootstrap: str) -> None:
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "onlooker", "log_level": 3})
        maker = Producer({"bootstrap.servers": bootstrap, "log_level": 3})
        self._events: list[Event] = []
        self._noise: list[Message] = []
        names = (*TOPICS, NOISE_TOPIC)
        known = {name: poll_until(partial(self._partitions, maker, name), PATIENCE, f"topic {name}") for name in names}
        self._consumer.assign([TopicPartition(name, part, 0) for name, parts in known.items() for part in parts])

    @staticmethod
    def _partitions(maker: Producer, topic: str) -> list[int]:
        """The topic's partitions; a producer that asks for a topic makes it."""
        return list(maker.list_topics(topic, timeout=10).topics[topic].partitions)

    def look(self) -> None:
        while (message := self._consumer.poll(0.05)) is not None:
            if message.error():
                continue
            if message.topic() == NOISE_TOPIC:
                self._noise.append(message)
            else:
                headers: Received = list(message.headers() or [])  # type: ignore[arg-type]
                self._events.append(read(headers, message.value()))

    def events(self, order_id: str) -> list[Event]:
        self.look()
        return [event for event in self._events if event.order_id == order_id]

    def noise(self) -> list[Message]:
        self.look()
        return self._noise

    def close(self) -> None:
        self._consumer.close()


class Company:
    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.bootstrap = bootstrap
        self._folder = folder
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("KAFKA_", "DEMO_"))},
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "DEMO_RATE": "0",
            "PYTHONUNBUFFERED": "1",
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        for name in (*SERVICES, "control"):
            self._launch(name)
        poll_until(lambda: self.ask("GET", "/state")["ready"], PATIENCE, "all services to answer the roll call")
        self.onlooker = Onlooker(bootstrap)

    def start(self, name: str) -> None:
        """Starts a process (again), and waits until it is at its post."""
        self._log(name).unlink()
        self._launch(name)
        poll_until(lambda: "listens" in self._log(name).read_text(), PATIENCE, f"{name} to start")

    def _launch(self, name: str) -> None:
        with self._log(name).open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", f"demo_services.{name}"], cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _control(self) -> str:
        """The base address of the control process, which says itself on which port it is."""
        pattern = re.compile(r"listens on (http://\S+)")
        found = poll_until(lambda: pattern.search(self._log("control").read_text()), PATIENCE, "the control's address")
        assert found
        return found[1]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        raw = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._control() + quote(path), raw, method=method)
        with urllib.request.urlopen(request, timeout=5) as response:
            return json.load(response)

    def place(self, count: int = 1) -> list[str]:
        return self.ask("POST", "/orders", {"count": count})["order_ids"]

    def place_one(self, *, declined_by_bank: bool) -> str:
        """Places orders until the bank will think of one as wished."""
        return next(order for order in iter(lambda: self.place()[0], "") if declined(order) is declined_by_bank)

    @contextmanager
    def broken(self, fault: str) -> Iterator[None]:
        self.ask("PUT", f"/faults/{fault}", {"on": True})
        try:
            if FAULTS[fault].service in SERVICES:
                log = self._log(FAULTS[fault].service)
                poll_until(lambda: f"faults: {fault}" in log.read_text(), PATIENCE, f"{fault} to be noticed")
            yield
        finally:
            self.ask("PUT", f"/faults/{fault}", {"on": False})

    def ended(self, order_id: str, end: str = "OrderCompleted", patience: float = PATIENCE) -> list[Event]:
        """The order's events, once it has come to this end."""

        def events() -> list[Event]:
            found = self.onlooker.events(order_id)
            return found if end in {event.type for event in found} else []

        return poll_until(events, patience, f"{order_id} to come to {end}")

    def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Exit status, and how long it took."""
        process = self.processes.pop(name)
        began = time.monotonic()
        process.send_signal(number)
        return process.wait(10), time.monotonic() - began

    def close(self) -> None:
        self.onlooker.close()
        for process in self.processes.values():
            process.kill()
            process.wait()


def bootstrap_of(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "kafka":
        yield request.getfixturevalue("kafka_bootstrap")
    else:
        with embedded_broker.running() as bootstrap:
            yield bootstrap


@pytest.fixture(scope="module", params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def company(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    for bootstrap in bootstrap_of(request):
        company = Company(bootstrap, tmp_path_factory.mktemp("company"))
        yield company
        company.close()


def causes(events: list[Event]) -> dict[str, tuple[str, ...]]:
    """Each event's type with the types of its causes."""
    by_id = {event.id: event.type for event in events}
    return {event.type: tuple(sorted(by_id[cause] for cause in event.causes)) for event in events}


def types(events: list[Event]) -> Counter[str]:
    return Counter(event.type for event in events)


def test_an_order_goes_all_the_way(company: Company) -> None:
    order_id = company.place_one(declined_by_bank=False)
    events = company.ended(order_id)
    assert causes(events) == HAPPY
    assert types(events).total() == len(HAPPY)
    assert {event.source.rpartition("/")[2] for event in events} == set(SERVICES)


def test_a_declined_order_is_undone(company: Company) -> None:
    with company.broken("payment declines"):
        (order_id,) = company.place()
        events = company.ended(order_id, "OrderCancelled")
    assert causes(events) == UNHAPPY
    assert types(events).total() == len(UNHAPPY)


def test_silent_payment_keeps_orders_waiting_and_makes_up_for_it(company: Company) -> None:
    with company.broken("payment silent"):
        order_ids = company.place(5)
        poll_until(
            lambda: all(set(types(company.onlooker.events(o))) == {"OrderPlaced", "StockReserved"} for o in order_ids),
            PATIENCE,
            "orders that only payment has not answered",
        )
        poll_until(lambda: behind(company, "payment", "orders") == 0, PATIENCE, "payment to have committed them all")
        assert not any(event.type.startswith("Payment") for o in order_ids for event in company.onlooker.events(o))
    for order_id in order_ids:
        company.ended(order_id, "OrderCancelled" if declined(order_id) else "OrderCompleted")


def test_payment_that_is_down_reads_nothing_and_goes_on_where_it_stopped(company: Company) -> None:
    poll_until(lambda: behind(company, "payment", "orders") == 0, PATIENCE, "payment to have read everything")
    with company.broken("payment down"):
        order_ids = company.place(5)
        poll_until(
            lambda: all(set(types(company.onlooker.events(o))) == {"OrderPlaced", "StockReserved"} for o in order_ids),
            PATIENCE,
            "orders that only payment has not answered",
        )
        assert behind(company, "payment", "orders") == 5
    for order_id in order_ids:
        company.ended(order_id, "OrderCancelled" if declined(order_id) else "OrderCompleted")


def test_slow_shipping_takes_its_time(company: Company) -> None:
    with company.broken("shipping slow"):
        order_id = company.place_one(declined_by_bank=False)
        events = {event.type: event for event in company.ended(order_id)}
    ready = max(events["PaymentAuthorized"].time, events["StockReserved"].time)
    assert events["ShipmentScheduled"].time - ready > 8
    assert events["ShipmentDispatched"].time - events["ShipmentScheduled"].time > 8


def test_duplicates_change_nothing_but_the_count(company: Company) -> None:
    with company.broken("duplicates"):
        order_ids = company.place(30)
        for order_id in order_ids:
            company.ended(order_id, "OrderCancelled" if declined(order_id) else "OrderCompleted")
        copies = [copy for order_id in order_ids for copy in company.onlooker.events(order_id)]
    repeated = {event_id for event_id, count in Counter(event.id for event in copies).items() if count > 1}
    assert repeated
    assert {event.source for event in copies if event.id in repeated} == {"/services/order"}
    assert all(set(types(company.onlooker.events(o))) in (set(HAPPY), set(UNHAPPY)) for o in order_ids)


def test_garbage_is_written_and_hurts_nobody(company: Company) -> None:
    with company.broken("garbage"):
        poll_until(lambda: len(company.onlooker.noise()) >= len(NOISE), PATIENCE, "one of each kind of noise")
    values = {message.value() for message in company.onlooker.noise()}
    assert None in values
    assert len(values) >= len({value for value, _ in NOISE})
    company.ended(company.place_one(declined_by_bank=False))


def test_a_service_that_was_killed_finishes_what_it_had_begun(company: Company) -> None:
    order_ids = company.place(20)
    poll_until(lambda: any(len(company.onlooker.events(o)) > 1 for o in order_ids), PATIENCE, "orders on their way")
    company.end("shipping", signal.SIGKILL)
    company.start("shipping")
    for order_id in order_ids:
        events = company.ended(order_id, "OrderCancelled" if declined(order_id) else "OrderCompleted")
        assert len({event.id for event in events}) == len(set(types(events))), "no step was taken twice over"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("name", ["payment", "control"])
def test_a_process_stops_when_it_is_told_to(company: Company, name: str, number: signal.Signals) -> None:
    status, seconds = company.end(name, number)
    company.start(name)
    assert status == 0
    assert seconds < 2


@pytest.mark.parametrize("name", ["payment", "control"])
def test_a_process_stops_while_there_is_no_broker(company: Company, name: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    environment = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", f"demo_services.{name}"], cwd=ROOT, env=environment, stdout=file
        )
    try:
        poll_until(lambda: "out of reach" in log.read_text(), PATIENCE, "it to say that Kafka is away")
        began = time.monotonic()
        process.terminate()
        assert process.wait(10) == 0
        assert time.monotonic() - began < 2
    finally:
        process.kill()
        process.wait()


def behind(company: Company, service: str, topic: str) -> int:
    """How many records of a topic the service's group has not committed."""
    consumer = Consumer({"bootstrap.servers": company.bootstrap, "group.id": f"{service}-service", "log_level": 3})
    try:
        parts = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        offsets = consumer.committed([TopicPartition(topic, part) for part in parts], timeout=10)
        ends = {part: consumer.get_watermark_offsets(TopicPartition(topic, part), timeout=10)[1] for part in parts}
        return sum(ends[at.partition] - max(at.offset, 0) for at in offsets)
    finally:
        consumer.close()
