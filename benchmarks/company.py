"""A company of twelve trades, sixty services and three hundred event types, for the benchmark of the pages."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

TRADES = (
    "Book",
    "Toy",
    "Garden",
    "Music",
    "Shoe",
    "Lamp",
    "Wine",
    "Bike",
    "Phone",
    "Paper",
    "Tool",
    "Tea",
)
SERVICES = ("order", "payment", "inventory", "shipping", "notification")
EXTRAS = 15
"""Event types of each trade that few of its transactions have."""
WAYS = 24
"""Of those that complete: with other extras, in another order."""

# event type, service, which earlier ones caused it
_HAPPY = (
    ("OrderPlaced", "order", ()),
    ("PaymentAuthorized", "payment", (0,)),
    ("StockReserved", "inventory", (0,)),
    ("ShipmentScheduled", "shipping", (1, 2)),
    ("CustomerNotified", "notification", (3,)),
    ("OrderCompleted", "order", (4,)),
)
_DECLINED = (
    ("OrderPlaced", "order", ()),
    ("StockReserved", "inventory", (0,)),
    ("PaymentDeclined", "payment", (0,)),
    ("StockReleased", "inventory", (2,)),
    ("OrderCancelled", "order", (3,)),
)
_REFUSED = (_HAPPY[0], _HAPPY[1], ("OrderCancelled", "order", (1,)))


class Step(NamedTuple):
    """An event so many seconds after the first, caused by the events at these places."""

    type: str
    service: str
    after: float
    causes: tuple[int, ...]


class Model(NamedTuple):
    """A transaction that many are like. `kind`: done, compensated, failed, running or stuck."""

    name: str
    trade: str
    kind: str
    steps: tuple[Step, ...]


def topic_of(trade: str, service: str) -> str:
    return f"{trade.lower()}.{service}"


def topics() -> list[str]:
    return [topic_of(trade, service) for trade in TRADES for service in SERVICES]


def models(seed: int = 1) -> Iterator[Model]:
    """The ways that transactions go, a few dozen for each trade."""
    chance = random.Random(seed)
    for trade in TRADES:
        courses = [("done", _with_extras(chance)) for _ in range(WAYS)]
        courses += [("compensated", _DECLINED), ("failed", _REFUSED)]
        courses += [(kind, _HAPPY[:length]) for kind in ("running", "stuck") for length in range(1, 6)]
        for number, (kind, course) in enumerate(courses):
            yield Model(f"model-{trade}-{number}-", trade, kind, _timed(trade, course, chance))


def endless(name: str, events: int) -> Model:
    """One that notes something again and again."""
    notes = (("OrderNoted0", SERVICES[number % 5], (number,)) for number in range(events - 1))
    return Model(name, TRADES[0], "done", _timed(TRADES[0], (_HAPPY[0], *notes), random.Random(2)))


def _with_extras(chance: random.Random) -> tuple[tuple[str, str, tuple[int, ...]], ...]:
    """Six in ten go straight; the others have a note or two before the end."""
    notes = chance.choice((0, 0, 0, 1, 2)) if chance.random() < 0.9 else 0
    extras = [
        (f"OrderNoted{chance.randrange(EXTRAS)}", chance.choice(SERVICES), (chance.randrange(5),)) for _ in range(notes)
    ]
    return (*_HAPPY[:5], *extras, _HAPPY[5])


def _timed(trade: str, course: Any, chance: random.Random) -> tuple[Step, ...]:
    after, steps = 0.0, []
    for kind, service, causes in course:
        steps.append(Step(f"{trade}{kind}", f"{trade.lower()}-{service}", after, causes))
        after += chance.uniform(0.05, 0.9)
    return tuple(steps)


def configuration() -> str:
    """Of Choreoscope, as JSON, which is YAML."""
    services = {
        f"{trade.lower()}-{service}": {
            "owner": f"team-{service}",
            "contact": f"#{service}",
            "runbook": f"https://runbooks.example.com/{service}",
            "groups": [f"{trade.lower()}-{service}"],
        }
        for trade in TRADES
        for service in SERVICES
    }
    return json.dumps(
        {
            "keys": ["value:order.number", "value:customer.id"],
            "impact": "value:order.total",
            "services": services,
            "choreographies": {f"{trade.lower()}-order": _choreography(trade) for trade in TRADES},
        },
        indent=1,
    )


def _choreography(trade: str) -> dict[str, Any]:
    def rule(after: list[str], expect: list[str], service: str, **more: Any) -> dict[str, Any]:
        names = {"after": [trade + name for name in after], "expect": [trade + name for name in expect]}
        return {**names, "from": f"{trade.lower()}-{service}", "within": "5m", **more}

    return {
        "starts": [f"{trade}OrderPlaced"],
        "completes": [f"{trade}OrderCompleted"],
        "fails": [f"{trade}OrderCancelled"],
        "timeout": "1h",
        "rules": [
            rule(["OrderPlaced"], ["PaymentAuthorized", "PaymentDeclined"], "payment"),
            rule(["OrderPlaced"], ["StockReserved"], "inventory"),
            rule(["PaymentAuthorized", "StockReserved"], ["ShipmentScheduled"], "shipping"),
            rule(["ShipmentScheduled"], ["CustomerNotified"], "notification"),
            rule(["CustomerNotified"], ["OrderCompleted"], "order"),
            rule(["PaymentDeclined"], ["StockReleased"], "inventory", compensates=f"{trade}StockReserved"),
        ],
    }
