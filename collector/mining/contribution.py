"""What one transaction contributes to the counts: its way in event order, how long it took, and what led to what."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import sub

import msgspec

from collector.correlation.causality import Links, onward
from collector.correlation.events import Skeleton

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR, DAY, ALWAYS = 1, 24, 0
"""How many hours a bucket of time covers; ALWAYS: all of them."""
HOURLY = 48
"""For how many hours back transactions are counted by hour, and not by day."""
_MICROSECOND, _AN_HOUR = timedelta(microseconds=1), timedelta(hours=1)
_MICROSECONDS_AN_HOUR = _AN_HOUR // _MICROSECOND

CausalForm = tuple[tuple[str, tuple[int, ...]], ...]
"""Event types, each with the places in this tuple of what led to it."""


class Contribution(msgspec.Struct, array_like=True):
    """`bucket` is the first hour since 1970 of the time that it is counted in, `hours` how many that covers. `gaps` are
    the microseconds between an event and the next. `variant` and `causal` number the variants; 0: one of the others;
    below zero: they have no numbers yet, and both say the same.

    Stored, `types` are left out where the variant says them.
    """

    choreography: str
    status: str
    hours: int
    bucket: int
    types: tuple[str, ...]
    gaps: tuple[int, ...]
    variant: int = 0
    causal: int = 0


def hour_of(moment: datetime) -> int:
    return (moment - EPOCH) // _AN_HOUR


def moment_of(hour: int) -> datetime:
    return EPOCH + hour * _AN_HOUR


def first_hourly(now: datetime) -> int:
    """The first hour that is counted by itself; what began before it is counted by day."""
    return hour_of(now) - HOURLY


def micros_of(moment: datetime) -> int:
    """Since 1970."""
    return (moment - EPOCH) // _MICROSECOND


def gaps_of(moments: Sequence[int]) -> tuple[int, ...]:
    """How long after each of them the next came."""
    return tuple(map(sub, moments[1:], moments))


def contribution(
    choreography: str,
    status: str,
    types: tuple[str, ...],
    began: int,
    gaps: tuple[int, ...],
    hourly: int,
    variants: tuple[int, int] = (0, 0),
) -> Contribution:
    """Of a transaction with events of these types (at least one), in event order, which `began` so many microseconds
    after 1970. From the hour `hourly` on it is counted by hour. `variants`: the numbers of its variant and of its
    causal variant."""
    hour = began // _MICROSECONDS_AN_HOUR
    hours = HOUR if hour >= hourly else DAY
    return Contribution(choreography, status, hours, hour - hour % hours, types, gaps, *variants)


def causal_form(types: Sequence[str], links: Links) -> CausalForm:
    """What led to what, whatever the order in time: events are told apart by their type and by what led to them, their
    whole past included. Without any links that is how often each type came."""
    if not links.links:
        return tuple([(name, ()) for name in sorted(types, key=_uncaused)])
    parents: dict[int, list[int]] = {}
    for link in links.links:
        parents.setdefault(link.child, []).append(link.parent)
    pasts: dict[int, tuple[int, bytes]] = {}
    for place in onward(len(types), links.links):
        before = sorted(pasts[parent] for parent in parents.get(place, ()))
        depth = max((above + 1 for above, _ in before), default=0)
        pasts[place] = (depth, _past(types[place], [past for _, past in before]))
    order = sorted(pasts, key=lambda place: (pasts[place], place))
    places = {place: at for at, place in enumerate(order)}
    # of several events with the same past it makes no difference which one led on: the first of them stands for all
    first: dict[tuple[int, bytes], int] = {}
    for place in order:
        first.setdefault(pasts[place], places[place])
    return tuple(
        (types[place], tuple(sorted(first[pasts[parent]] for parent in parents.get(place, ())))) for place in order
    )


def _past(name: str, before: Sequence[bytes]) -> bytes:
    return hashlib.blake2b(msgspec.msgpack.encode((name, before)), digest_size=16).digest()


@lru_cache(maxsize=4_096)
def _uncaused(name: str) -> bytes:
    return _past(name, [])


def digest(form: Sequence[str] | CausalForm) -> bytes:
    """What a variant is found by."""
    return hashlib.blake2b(msgspec.msgpack.encode(form), digest_size=16).digest()


def without_echoes(events: Sequence[Skeleton], ours: Collection[str]) -> list[Skeleton]:
    """The events that do not descend from what Choreoscope itself told the bus, by the ids of what it told."""
    if not ours:
        return list(events)
    children: dict[str, list[Skeleton]] = {}
    for event in events:
        for cause in event.causes:
            children.setdefault(cause, []).append(event)
    echoes: set[tuple[str, str]] = set()
    todo = list(ours)
    while todo:
        for event in children.get(todo.pop(), ()):
            if event.key not in echoes:
                echoes.add(event.key)
                todo.append(event.id)
    return [event for event in events if event.key not in echoes]
