"""The demo's services together, on an imagined bus and an imagined clock: what they do is what is declared."""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml

from demo_services.customers import request
from demo_services.events import Event
from demo_services.faults import HEALTHY, behaviour
from demo_services.inventory import inventory
from demo_services.notification import notification
from demo_services.order import number, order
from demo_services.payment import declined, payment
from demo_services.service import Service
from demo_services.shipping import shipping
from demo_services.work import JOIN_HOLD, Work

SERVICES = (order, payment, inventory, shipping, notification)
DECLARED = yaml.safe_load((Path(__file__).parents[2] / "choreoscope.yaml").read_text())
ALL_RULES = DECLARED["choreographies"]["order-fulfilment"]["rules"]
WITHDRAWING = [rule for rule in ALL_RULES if "OrderWithdrawn" in (rule["after"], rule["expect"])]
OUTSIDERS = {"erp", "loyalty"}
RULES = [rule for rule in ALL_RULES if rule not in WITHDRAWING and rule["from"] not in OUTSIDERS]
HAPPY = {
    "OrderPlaced",
    "PaymentAuthorized",
    "StockReserved",
    "ShipmentScheduled",
    "ShipmentDispatched",
    "CustomerNotified",
    "OrderCompleted",
}
UNHAPPY = {"OrderPlaced", "PaymentDeclined", "StockReserved", "StockReleased", "OrderCancelled"}


def names(given: str | list[str]) -> list[str]:
    return [given] if isinstance(given, str) else given


class Company:
    """All services; a record arrives a tenth of a second after it was published."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._arrivals: list[tuple[float, int, Event, str]] = []
        self._offset = count()
        self._now = 0.0
        self._works = {service.name: Work(service, partial(self._publish, service)) for service in SERVICES}

    def _publish(self, service: Service, event: Event, acknowledged: Callable[[], None]) -> None:
        self.events.append(event)
        self.send(service.publishes, event)
        acknowledged()

    def send(self, topic: str, event: Event) -> None:
        heapq.heappush(self._arrivals, (self._now + 0.1, next(self._offset), event, topic))

    def break_(self, *faults: str) -> None:
        for name, work in self._works.items():
            work.behave(behaviour(name, faults), self._now)

    def run(self, until: float) -> None:
        while (due := self._next()) <= until:
            self._now = max(self._now, due)
            while self._arrivals and self._arrivals[0][0] <= self._now:
                _, offset, event, topic = heapq.heappop(self._arrivals)
                for service in SERVICES:
                    if topic in service.listens:
                        self._works[service.name].receive(event, (topic, 0, offset), self._now)
            for work in self._works.values():
                work.run(self._now)
        self._now = until

    def _next(self) -> float:
        dues = [work.next_due for work in self._works.values()]
        return min([arrival[0] for arrival in self._arrivals] + [due for due in dues if due is not None], default=1e9)

    def unfinished(self) -> list[str]:
        return [event_id for work in self._works.values() for event_id in work._open]

    def of(self, order_id: str) -> dict[str, Event]:
        found = {event.type: event for event in self.events if event.order_id == order_id}
        assert len(found) == sum(event.order_id == order_id for event in self.events), "an event came twice"
        return found


@pytest.fixture
def company() -> Iterator[Company]:
    company = Company()
    yield company
    for service in SERVICES:
        service.behaviour = HEALTHY


def place(company: Company, how_many: int = 1) -> list[str]:
    order_ids = [f"ord-20261120-{number:08x}" for number in range(1, how_many + 1)]
    for order_id in order_ids:
        company.send("_demo.requests", request(order_id, 0.0))
    return order_ids


def check_causes(events: dict[str, Event], rules: list[dict[str, Any]] = RULES) -> None:
    """Each event names as its causes exactly the triggers of the rule that it answers, and the event that it undoes."""
    wanted: dict[str, set[str]] = {"OrderPlaced": set()}
    for rule in rules:
        for answer in names(rule["expect"]):
            undone = [rule["compensates"]] if "compensates" in rule else []
            wanted[answer] = {*names(rule["after"]), *undone}
    by_id = {event.id: event.type for event in events.values()}
    for event in events.values():
        assert {by_id[cause] for cause in event.causes} == wanted[event.type]


def test_healthy_orders_end_as_declared_and_far_within_the_deadlines(company: Company) -> None:
    slowest = dict.fromkeys(range(len(RULES)), 0.0)
    for order_id in place(company, 500):
        company.run(until=60)
        events = company.of(order_id)
        assert set(events) == (UNHAPPY if declined(order_id) else HAPPY)
        check_causes(events)
        for index, rule in enumerate(RULES):
            answers = [events[name] for name in names(rule["expect"]) if name in events]
            triggers = [name for name in (*names(rule["after"]), rule.get("compensates")) if name]
            if answers:
                assert answers[0].source == f"/services/{rule['from']}"
                started = max(events[name].time for name in triggers)
                slowest[index] = max(slowest[index], answers[0].time - started)
    for index, rule in enumerate(RULES):
        within = float(rule["within"].removesuffix("s"))
        assert 0 < slowest[index] <= within / 2.5, rule


def test_an_order_that_has_ended_is_nobodys_business_any_more(company: Company) -> None:
    place(company, 100)
    company.run(until=JOIN_HOLD - 1)
    assert company.unfinished() == []


def test_a_small_share_of_payments_is_declined() -> None:
    share = sum(declined(f"ord-20261120-{number:08x}") for number in range(5_000)) / 5_000
    assert 0.03 < share < 0.05


@pytest.mark.parametrize("reserving", [(0.0, 0.1), (3.0, 3.1)], ids=["stock first", "decline first"])
def test_a_decline_gives_the_stock_back_whichever_comes_first(
    company: Company, reserving: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    reaction = inventory.reactions["OrderPlaced"]
    slowed = dataclasses.replace(reaction, takes=reserving)
    monkeypatch.setitem(inventory.reactions, "OrderPlaced", slowed)
    company.break_("payment declines")
    (order_id,) = place(company)
    company.run(until=60)
    events = company.of(order_id)
    assert set(events) == UNHAPPY
    check_causes(events)
    assert (events["StockReserved"].time < events["PaymentDeclined"].time) == (reserving[0] == 0.0)


def test_silence_of_payment_leaves_orders_waiting_and_its_end_completes_them(company: Company) -> None:
    company.break_("payment silent")
    order_ids = place(company, 50)
    company.run(until=60)
    assert all(set(company.of(order_id)) == {"OrderPlaced", "StockReserved"} for order_id in order_ids)
    company.break_()
    company.run(until=120)
    for order_id in order_ids:
        assert set(company.of(order_id)) == (UNHAPPY if declined(order_id) else HAPPY)


def called_stuck(company: Company, order_id: str, by: str = "payment") -> Event:
    """What Choreoscope publishes of an order that waits for `by`."""
    waiting = {"phase": "running", "waiting_for": [{"awaited": "PaymentAuthorized or PaymentDeclined", "from": by}]}
    stuck = Event(f"stuck-{order_id}", "/choreoscope", "choreoscope.transaction.stuck", order_id, 6.0, waiting)
    company.send("choreoscope.alerts", stuck)
    return stuck


WITHDRAWN = {"OrderPlaced", "StockReserved", "OrderWithdrawn", "StockReleased", "CustomerInformed", "OrderCancelled"}


@pytest.mark.parametrize("payment_comes_back", [False, True])
def test_an_order_that_is_stuck_for_want_of_payment_is_withdrawn_if_that_is_switched_on(
    company: Company, payment_comes_back: bool
) -> None:
    company.break_("payment silent", "order withdraws")
    order_ids = place(company, 20)
    company.run(until=6)
    stuck = {order_id: called_stuck(company, order_id) for order_id in order_ids}
    company.run(until=20)
    for order_id in order_ids:
        events = company.of(order_id)
        assert set(events) == WITHDRAWN
        assert events["OrderWithdrawn"].causes == (events["OrderPlaced"].id, stuck[order_id].id)
        assert events["OrderCancelled"].data["reason"] == "payment did not answer"
        others = {name: event for name, event in events.items() if name != "OrderWithdrawn"}
        assert {cause for event in others.values() for cause in event.causes} <= {e.id for e in events.values()}
    if payment_comes_back:
        company.break_("order withdraws")
        company.run(until=60)
        late = {"PaymentAuthorized", "PaymentDeclined"}
        assert all(set(company.of(order_id)) - late == WITHDRAWN for order_id in order_ids), "nothing is shipped"


@pytest.mark.parametrize(("switched_on", "by"), [((), "payment"), (("order withdraws",), "inventory")])
def test_otherwise_it_is_not(company: Company, switched_on: tuple[str, ...], by: str) -> None:
    company.break_("payment silent", *switched_on)
    (order_id,) = place(company)
    company.run(until=6)
    called_stuck(company, order_id, by)
    company.run(until=20)
    assert set(company.of(order_id)) == {"OrderPlaced", "StockReserved"}


def test_withdrawing_is_declared() -> None:
    answers = {name for rule in WITHDRAWING for name in names(rule["expect"])}
    assert answers == {"OrderWithdrawn", "StockReleased", "CustomerInformed"}


def test_slow_shipping_is_later_than_declared(company: Company) -> None:
    company.break_("shipping slow")
    order_id = next(order_id for order_id in place(company, 50) if not declined(order_id))
    company.run(until=60)
    events = company.of(order_id)
    assert events["ShipmentScheduled"].time - events["PaymentAuthorized"].time > 8
    assert "OrderCompleted" in events


def test_events_carry_what_people_search_for(company: Company) -> None:
    (order_id,) = place(company)
    company.run(until=60)
    placed = company.of(order_id)["OrderPlaced"]
    assert placed.data["order"]["number"] == number(order_id) == "0000000001"
    assert placed.data["order"]["total"] == round(sum(i["price"] * i["quantity"] for i in placed.data["items"]), 2)
    assert placed.data["card"]["number"].startswith("**** **** **** ")
    for event in company.of(order_id).values():
        assert event.data["order"] == placed.data["order"]
        assert event.data["customer"]["id"].startswith("cus-")


def test_every_service_is_declared_with_somebody_to_call() -> None:
    assert set(DECLARED["services"]) == {service.name for service in SERVICES} | OUTSIDERS
    assert all({"owner", "contact", "runbook"} <= set(service) for service in DECLARED["services"].values())
