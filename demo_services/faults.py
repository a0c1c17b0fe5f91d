"""What can be broken on request while everything runs: one table."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

CONTROL_TOPIC = "_demo.control"
STATUS_TOPIC = "_demo.status"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a service behaves just now; the default is in good health.

    silent: it reads and commits but publishes nothing. down: it has left its consumer group. delay: seconds on top of
    every piece of work. twice: the share of events that it publishes twice. declines: payment refuses every card.
    withdraws: order gives up orders that are called stuck for want of payment. garbage: the control process writes
    unreadable records.
    """

    silent: bool = False
    down: bool = False
    delay: float = 0.0
    twice: float = 0.0
    declines: bool = False
    withdraws: bool = False
    garbage: bool = False


HEALTHY = Behaviour()


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    service: str
    description: str
    effect: Behaviour


FAULTS = {
    fault.name: fault
    for fault in (
        Fault(
            "payment silent",
            "payment",
            "Payment reads orders and commits them, but publishes nothing. Switched off, it catches up.",
            Behaviour(silent=True),
        ),
        Fault(
            "payment down",
            "payment",
            "Payment leaves its consumer group and reads nothing. Switched off, it goes on where it had stopped.",
            Behaviour(down=True),
        ),
        Fault("payment declines", "payment", "Payment declines every card.", Behaviour(declines=True)),
        Fault("shipping slow", "shipping", "Shipping takes 8 s longer for each step.", Behaviour(delay=8.0)),
        Fault("duplicates", "order", "Order publishes every third of its events twice.", Behaviour(twice=1 / 3)),
        Fault(
            "order withdraws",
            "order",
            "No fault, but a remedy: when Choreoscope calls an order stuck for want of payment, order withdraws it;"
            " stock is released, and the customer told.",
            Behaviour(withdraws=True),
        ),
        Fault(
            "garbage",
            "control",
            "An old system writes what nobody can read to the topic legacy-noise: broken JSON, odd headers, huge ids.",
            Behaviour(garbage=True),
        ),
    )
}


def behaviour(service: str, switched_on: Collection[str]) -> Behaviour:
    """All effects that the faults which are switched on have on a service. Names that nobody knows are ignored."""
    effects = [FAULTS[name].effect for name in switched_on if name in FAULTS and FAULTS[name].service == service]
    return Behaviour(
        silent=any(effect.silent for effect in effects),
        down=any(effect.down for effect in effects),
        delay=sum(effect.delay for effect in effects),
        twice=max((effect.twice for effect in effects), default=0.0),
        declines=any(effect.declines for effect in effects),
        withdraws=any(effect.withdraws for effect in effects),
        garbage=any(effect.garbage for effect in effects),
    )


def announced(word: dict[str, Any]) -> set[str]:
    """The faults that are switched on, according to a word on the control topic: the newest word is the whole truth."""
    names = word.get("on")
    return {str(name) for name in names} if isinstance(names, list) else set()
