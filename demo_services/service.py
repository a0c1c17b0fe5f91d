"""How a service writes down its rules: what it listens to, what it reacts to, and what it then publishes.

    payment = Service("payment", listens=["orders"], publishes="payments")

    @payment.on("OrderPlaced", takes=(0.3, 1.2))
    def charge(placed: Event) -> Outcome: ...

A reaction is a plain function of the events that it waits for. It publishes nothing itself: it returns what happened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from demo_services.events import SOURCE, WEBSITE, Event, chance, lasting_id
from demo_services.faults import HEALTHY, Behaviour


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened: the type and the data of the event to publish. `notable` ones are worth a line in the log."""

    type: str
    data: dict[str, Any]
    notable: bool = False


Decide = Callable[..., Outcome | None]


@dataclass(frozen=True, slots=True)
class Reaction:
    """After one event for each place in `after` (several: a join), `decide` is asked, `takes` seconds later. It may say
    None: nothing happens.

    A place may be taken by one of several types: "A | B". `unless` is the type that may come in place of one of them:
    then there is nothing to do for this order. `until` are types that come later and end the waiting for the rest.
    """

    after: tuple[str, ...]
    takes: tuple[float, float]
    unless: str
    until: tuple[str, ...]
    decide: Decide

    @property
    def types(self) -> frozenset[str]:
        places = (name for place in self.after for name in place.split(" | "))
        return frozenset((*places, self.unless, *self.until)) - {""}

    def place(self, event_type: str) -> str:
        """Which place in `after` an event of this type takes; its own name, where it is `unless`."""
        return next((place for place in self.after if event_type in place.split(" | ")), event_type)


class Service:
    """A service: its name, its topics, its reactions, and how it behaves just now (see `faults`)."""

    def __init__(self, name: str, *, listens: Sequence[str], publishes: str) -> None:
        self.name = name
        self.listens = tuple(listens)
        self.publishes = publishes
        self.reactions: dict[str, Reaction] = {}
        self.behaviour: Behaviour = HEALTHY

    def on(
        self, *after: str, takes: tuple[float, float], unless: str = "", until: tuple[str, ...] = ()
    ) -> Callable[[Decide], Decide]:
        """Declares a reaction. An event type belongs to at most one reaction of a service."""

        def declare(decide: Decide) -> Decide:
            reaction = Reaction(after, takes, unless, until, decide)
            if taken := reaction.types & self.reactions.keys():
                raise ValueError(f"{self.name} reacts to {', '.join(sorted(taken))} already")
            self.reactions.update(dict.fromkeys(reaction.types, reaction))
            return decide

        return declare

    def duration(self, reaction: Reaction, events: Sequence[Event]) -> float:
        """How long the work takes this time, in seconds: the same for the same events."""
        shortest, longest = reaction.takes
        return chance("duration", self.name, *(event.id for event in events)).uniform(shortest, longest)

    def react(self, reaction: Reaction, events: Sequence[Event], now: float) -> tuple[Event, Outcome] | None:
        """Decides, and makes the event to publish, which names what led to it."""
        outcome = reaction.decide(*events)
        if outcome is None:
            return None
        # A request is nobody's business but ours: the event that it leads to is where the story begins.
        causes = tuple(event.id for event in events if event.source != WEBSITE)
        event = Event(
            id=lasting_id(self.name, outcome.type, *sorted(event.id for event in events)),
            source=SOURCE + self.name,
            type=outcome.type,
            order_id=events[0].order_id,
            time=now,
            data=outcome.data,
            causes=causes,
        )
        return event, outcome


def about(event: Event) -> dict[str, Any]:
    """What every event of an order says about it: its number and total, and whose it is."""
    return {"order": event.data["order"], "customer": event.data["customer"]}
