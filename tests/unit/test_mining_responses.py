"""Response rules are found where there are some, and nowhere else; deadlines stay where an outage passes by."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from collector.correlation.causality import links_of
from collector.correlation.choreography import undeclared
from collector.correlation.events import Skeleton
from collector.correlation.shape import course_of
from collector.mining.responses import Learning, Response, Seen, deadline, discover, ends, seen
from tests.mining_logs import nearest_rank

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
LEARNING = Learning()


class Company:
    """Orders as the demo's company handles them; times are drawn anew for each."""

    def __init__(self, seed: int, *, causes: bool = True, silent: float = 0.0) -> None:
        self.rng = random.Random(seed)
        self.causes, self.silent = causes, silent
        self.payments: list[int] = []

    def order(self, at: datetime, slow: float = 1.0) -> Seen:
        events: list[Skeleton] = []

        def happen(kind: str, service: str, after: list[Skeleton], median: float) -> Skeleton:
            gap = timedelta(seconds=median * self.rng.lognormvariate(0, 0.4) * slow)
            moment = max([event.time for event in after], default=at) + gap
            named = tuple(event.id for event in after) if self.causes else ()
            place = len(events)
            made = Skeleton("s", f"e{place}", kind, service, moment, moment, moment, "t", 0, place, named)
            events.append(made)
            return made

        placed = happen("OrderPlaced", "order", [], 0)
        if self.rng.random() >= self.silent:
            paid = self.rng.random() < 0.9
            payment = happen("PaymentAuthorized" if paid else "PaymentDeclined", "payment", [placed], 2)
            self.payments.append((payment.time - placed.time) // timedelta(microseconds=1))
            reserved = self.rng.random() < 0.97
            stock = happen("StockReserved" if reserved else "StockRefused", "inventory", [placed], 1)
            if paid and reserved:
                shipped = happen("ShipmentScheduled", "shipping", [payment, stock], 5)
                happen("OrderCompleted", "order", [shipped], 1)
            else:
                happen("OrderCancelled", "order", [payment, stock], 1)
        course = course_of(events)
        return seen(course, links_of(course, undeclared("OrderPlaced")))


def orders(company: Company, hours: int, each: int = 60) -> list[Seen]:
    return [
        company.order(BEGAN + timedelta(hours=hour, seconds=place)) for hour in range(hours) for place in range(each)
    ]


def by_rule(found: list[Response]) -> dict[tuple[tuple[str, ...], tuple[str, ...]], Response]:
    return {(rule.after, rule.expect): rule for rule in found}


def test_alternatives_and_chains_are_found_and_what_runs_side_by_side_stays_apart() -> None:
    company = Company(1)
    found = by_rule(discover(orders(company, 20), LEARNING))
    assert found.keys() == {
        (("OrderPlaced",), ("PaymentAuthorized", "PaymentDeclined")),
        (("OrderPlaced",), ("StockRefused", "StockReserved")),
        (("PaymentAuthorized", "StockReserved"), ("ShipmentScheduled",)),
        (("ShipmentScheduled",), ("OrderCompleted",)),
        (("PaymentDeclined",), ("OrderCancelled",)),
        (("StockRefused",), ("OrderCancelled",)),
    }
    rule = found[("OrderPlaced",), ("PaymentAuthorized", "PaymentDeclined")]
    assert (rule.support, rule.confidence, rule.services, rule.basis) == (1_200, 1.0, ("payment",), "causes")
    for value, q in ((rule.p50, 0.5), (rule.p95, 0.95), (rule.p99, 0.99)):
        assert value == pytest.approx(nearest_rank(company.payments, q), rel=0.01)


def test_unanswered_triggers_lower_the_confidence_until_there_is_no_rule() -> None:
    found = discover(orders(Company(2, silent=0.05), 10), LEARNING)
    rule = next(rule for rule in found if rule.after == ("OrderPlaced",))
    assert rule.confidence == pytest.approx(0.95, abs=0.02)
    assert not [
        rule for rule in discover(orders(Company(2, silent=0.3), 10), LEARNING) if rule.after == ("OrderPlaced",)
    ]


def test_of_too_few_nothing_is_said() -> None:
    assert discover(orders(Company(3), 1, each=15), LEARNING) == []
    assert ends(orders(Company(3), 1, each=15), LEARNING) == {}


def test_what_comes_by_chance_is_no_rule() -> None:
    rng = random.Random(4)
    noise = [
        Seen(
            tuple(rng.choices("ABCDEF", k=8)),
            ("one",) * 8,
            tuple(range(8)),
            ((), *((p,) for p in range(7))),
            0,
            named=False,
        )
        for _ in range(500)
    ]
    assert discover(noise, LEARNING) == []


def test_where_no_causes_are_named_it_goes_by_order_and_says_so() -> None:
    found = discover(orders(Company(5, causes=False), 10), LEARNING)
    assert {rule.basis for rule in found} == {"order"}
    assert (("ShipmentScheduled",), ("OrderCompleted",)) in by_rule(found)


def test_ends_are_what_hardly_anything_follows() -> None:
    assert ends(orders(Company(6, silent=0.02), 10), LEARNING) == {"OrderCancelled": 1.0, "OrderCompleted": 1.0}


def test_ten_minutes_of_outage_move_no_deadline_by_more_than_a_tenth() -> None:
    calm = by_rule(discover(orders(Company(7), 24), LEARNING))
    company = Company(7)
    disturbed = [
        company.order(BEGAN + timedelta(hours=hour, minutes=minute), slow=100 if hour == 12 and minute < 10 else 1)
        for hour in range(24)
        for minute in range(60)
    ]
    for key, rule in by_rule(discover(disturbed, LEARNING)).items():
        assert rule.deadline == pytest.approx(calm[key].deadline, rel=0.1)


def test_a_deadline_leaves_disturbed_hours_out_until_that_is_how_things_are() -> None:
    hours = dict.fromkeys(range(10), 2.0) | dict.fromkeys(range(10, 34), 50.0)
    learning = Learning(factor=3, adopt=24)
    assert deadline(hours, learning, disturbed=range(10, 33)) == 6
    assert deadline(hours, learning, disturbed=range(10, 34)) == 150
    assert deadline({0: 0.001}, learning) == 1
    assert deadline({0: 2.0}, learning, disturbed=[0]) == 6
