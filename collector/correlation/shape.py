"""What a transaction's events look like apart from ids and moments: the types in event order, and who names whom.

Most transactions look like many others. Which event answers which, what is awaited and what deviates follows from the
shape and the rules alone, unless clocks disagree; so it is worked out once for each shape, and remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Generic, NamedTuple, TypeVar

from collector.correlation.events import Skeleton, in_order

T = TypeVar("T")

NOWHERE = -1
"""Instead of a position: a cause that no event here has."""


class Shape(NamedTuple):
    """Positions are those in event order.

    causes: for each event, the positions of those it names as its causes; empty where no event names any.
    twins: for each event, the position of the first one with the same id (from whichever source); empty where no two
    have the same.
    traced: the positions of events that name no cause themselves: theirs is the sender of their parent span.
    """

    types: tuple[str, ...]
    causes: tuple[tuple[int, ...], ...] = ()
    twins: tuple[int, ...] = ()
    traced: tuple[int, ...] = ()

    def causes_of(self, position: int) -> tuple[int, ...]:
        return self.causes[position] if self.causes else ()

    def first_places(self) -> dict[str, int]:
        """By type, the position of the first event of it."""
        first: dict[str, int] = {}
        for position, name in enumerate(self.types):
            first.setdefault(name, position)
        return first

    def same_id(self, position: int) -> int:
        """What a cause that means this event would be: the first position with its id."""
        return self.twins[position] if self.twins else position


class Course(NamedTuple):
    """A transaction's events in event order, and their shape."""

    ordered: Sequence[Skeleton]
    shape: Shape


def course_of(events: Sequence[Skeleton]) -> Course:
    ordered = in_order(events)
    return Course(ordered, shape_of(ordered))


def shape_of(ordered: Sequence[Skeleton]) -> Shape:
    types = tuple([event.type for event in ordered])
    named = [event.causes for event in ordered]
    traces = [event.trace for event in ordered]
    if not any(named) and not any(traces):
        return Shape(types)
    return shape_by(types, [event.id for event in ordered], named, traces)


def shape_by(
    types: tuple[str, ...], ids: Sequence[str], named: Sequence[tuple[str, ...]], traces: Sequence[str]
) -> Shape:
    """Of events with these types, ids, causes and trace contexts, in event order."""
    senders = _senders(named, traces) if any(traces) else {}
    if not senders and not any(named):
        return Shape(types)
    first = dict(zip(ids, range(len(ids)), strict=True))
    twins: tuple[int, ...] = ()
    if len(first) < len(ids):
        first = {name: len(types) - 1 - back for back, name in enumerate(reversed(ids))}
        twins = tuple([first[name] for name in ids])
    at = first.get
    causes = [
        ()
        if not names
        else (at(names[0], NOWHERE),)  # the usual case, and no list to be made
        if len(names) == 1
        else tuple([at(name, NOWHERE) for name in names])
        for names in named
    ]
    for position, sender in senders.items():
        causes[position] = (twins[sender] if twins else sender,)
    return Shape(types, tuple(causes), twins, tuple(senders))


def _senders(named: Sequence[tuple[str, ...]], traces: Sequence[str]) -> dict[int, int]:
    """By the position of an event that names no cause: the first event whose span is the parent of its own."""
    spans: dict[tuple[str, str], int] = {}
    parents: list[tuple[int, tuple[str, str]]] = []
    for position, context in enumerate(traces):
        trace, span, parent = [*context.split("/"), "", ""][:3]
        if span:
            spans.setdefault((trace, span), position)
        if parent and not named[position]:
            parents.append((position, (trace, parent)))
    return {position: spans[span] for position, span in parents if span in spans and spans[span] != position}


class Clocks:
    """Tells whether a trigger may have come before an answer, where their order in time speaks against it.

    `consulted` says whether moments have been looked at: if not, what was found holds for every such shape.
    """

    def __init__(self, ordered: Sequence[Skeleton], skew: timedelta) -> None:
        self._ordered, self._skew = ordered, skew
        self.consulted = False

    def allow(self, trigger: int, answer: int) -> bool:
        """Whether the trigger is not later than the answer, or by no more than clocks may disagree."""
        if trigger <= answer:
            return True
        self.consulted = True
        return self._ordered[trigger].time <= self._ordered[answer].time + self._skew


class Remembered(Generic[T]):
    """What was found for shapes, within bounded memory: neither many shapes nor large ones are kept."""

    MOST, LARGEST = 4_096, 64

    def __init__(self) -> None:
        self._found: dict[Shape, T] = {}
        self.get = self._found.get

    def keep(self, shape: Shape, found: T) -> None:
        if len(shape.types) > self.LARGEST:
            return
        if len(self._found) >= self.MOST:
            self._found.clear()
        self._found[shape] = found
