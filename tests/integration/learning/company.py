"""Orders that nobody declared anything about, and learning from them as the workers do."""

from __future__ import annotations

import random
from datetime import timedelta

from django.conf import settings

from collector import config, miner
from collector.learning import learner
from collector.models import LearnedRule, Transaction
from collector.upkeep import judge_anew
from tests.feeding import Feed

SOON = "learning: {floor: 1s}"

STEPS = (
    ("OrderPlaced", "order", (), 0.0),
    ("StockReserved", "inventory", ("OrderPlaced",), 0.4),
    ("PaymentAuthorized", "payment", ("OrderPlaced",), 0.9),
    ("ShipmentScheduled", "shipping", ("PaymentAuthorized", "StockReserved"), 0.5),
    ("OrderCompleted", "order", ("ShipmentScheduled",), 0.2),
)
"""Type, service, causes, and the seconds that it usually takes."""


class Company:
    """Orders that nobody declared anything about; times are drawn anew for each."""

    def __init__(self, feed: Feed, seed: int = 1) -> None:
        self.feed, self.rng, self.count = feed, random.Random(seed), 0

    def order(self, ago: float, *, silent: str = "", slow: float = 1.0, declined: bool = False) -> str:
        """An order that began so many seconds ago. `silent`: the type that never comes, nor what follows from it."""
        self.count += 1
        name = f"order-{self.count}"
        moments: dict[str, float] = {}
        for kind, service, causes, usual in STEPS:
            if kind == silent or any(cause not in moments for cause in causes):
                continue
            if declined and kind == "PaymentAuthorized":
                self.feed.event(name, "PaymentDeclined", service, moments["OrderPlaced"] - 1, causes)
                continue
            took = usual * slow * self.rng.uniform(0.6, 1.4)
            moments[kind] = min([moments[cause] for cause in causes], default=ago) - took
            self.feed.event(name, kind, service, moments[kind], causes)
        return name

    def healthy(self, since: float, until: float, every: float = 2.0) -> None:
        """One order after the other, from so many seconds ago up to so many seconds ago."""
        for place in range(int((since - until) / every)):
            self.order(since - place * every)


def learn() -> bool:
    """As the workers do: mined, learned, and judged anew where there are other rules."""
    found = config.current(settings.CHOREOSCOPE_CONFIG)
    while miner.mine(found.rulebook):
        pass
    altered = learner.learn_now()
    for _ in judge_anew() if altered else ():
        pass
    return altered


def in_force() -> dict[tuple[str, str], timedelta]:
    found = LearnedRule.objects.filter(until=None, kind="response")
    return {(" + ".join(row.after), " or ".join(row.expect)): row.within or timedelta() for row in found}


def order(name: str) -> Transaction:
    return Transaction.objects.get(transaction_id=name)
