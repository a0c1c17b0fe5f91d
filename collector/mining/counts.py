"""Sums of contributions: what is counted, added and subtracted.

| kind | source, target | counts | durations |
| --- | --- | --- | --- |
| case | | transactions | from the first event to the last |
| node | event type | events | |
| start, end | event type | transactions by their first and last event | |
| edge | event type, event type | how often the one came directly after the other | between the two |
| variant, causal | the variant's number; 0: the others | transactions | from the first event to the last |

Each is counted for the day that the transaction began in, for its hour while hours are kept, and for all times
together: so a week is read as seven days and some hours, and not as all its hours.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from operator import add
from typing import NamedTuple

import msgspec

from collector.mining.contribution import ALWAYS, DAY, HOUR, Contribution
from collector.mining.durations import NOTHING, buckets

TIMED = ("case", "edge", "variant", "causal")


class Key(NamedTuple):
    choreography: str
    kind: str
    hours: int
    bucket: int
    status: str
    source: str
    target: str


class Figure(msgspec.Struct):
    """`total` is the sum of the durations in microseconds, `durations` how many lie in which bucket."""

    count: int = 0
    total: int = 0
    durations: dict[int, int] = msgspec.field(default_factory=dict)

    def add(self, other: Figure) -> None:
        self.count += other.count
        self.total += other.total
        durations = self.durations
        if not durations:
            durations.update(other.durations)
            return
        for index, n in other.durations.items():
            durations[index] = durations.get(index, 0) + n

    @property
    def says_nothing(self) -> bool:
        return not (self.count or self.total or any(self.durations.values()))


class Counts(dict[Key, Figure]):
    """Sums by key."""

    def told(self) -> Iterable[tuple[Key, Figure]]:
        """What says anything, in the order of the keys."""
        return [(key, self[key]) for key in sorted(self) if not self[key].says_nothing]


def differences(found: Iterable[Contribution], gone: Iterable[Contribution] = ()) -> Iterator[tuple[Key, Figure]]:
    """What comes to the counts by what was `found`, less by what is `gone`; each key once, in no order.

    Those of one time are looked at together, column by column, and what is counted of days and of all times is their
    sum: that is several times faster than one after the other. What is in both goes without a trace.
    """
    places: dict[tuple[str, str, int, int], tuple[list[Contribution], list[Contribution]]] = {}
    for side, contributions in enumerate((found, gone)):
        for one in contributions:
            place = (one.choreography, one.status, one.hours, one.bucket)
            places.setdefault(place, ([], []))[side].append(one)
    days: dict[tuple[str, str, int], _Sums] = {}
    for (choreography, status, hours, bucket), (new, old) in places.items():
        day = days.setdefault((choreography, status, bucket - bucket % DAY), _Sums())
        for names, figure in _figures(new, old):
            if hours == HOUR:
                kind, source, target = names
                yield Key(choreography, kind, HOUR, bucket, status, source, target), figure
            day.add(names, figure)
    always: dict[tuple[str, str], _Sums] = {}
    for (choreography, status, bucket), day in days.items():
        every = always.setdefault((choreography, status), _Sums())
        for names, figure in day.told():
            kind, source, target = names
            yield Key(choreography, kind, DAY, bucket, status, source, target), figure
            every.add(names, figure)
    for (choreography, status), every in always.items():
        for (kind, source, target), figure in every.told():
            yield Key(choreography, kind, ALWAYS, 0, status, source, target), figure


class _Sums(dict[tuple[str, str, str], Figure]):
    """By kind, source and target."""

    def add(self, names: tuple[str, str, str], figure: Figure) -> None:
        known = self.get(names)
        if known is None:
            known = self[names] = Figure()
        known.add(figure)

    def told(self) -> Iterator[tuple[tuple[str, str, str], Figure]]:
        """What says anything."""
        return ((names, figure) for names, figure in self.items() if not figure.says_nothing)


Names = tuple[str, str]
"""Source and target."""
_SLOTS = 1 << 12
"""More buckets than there are: the last is far beyond any duration. So what and how long make one number,
which is counted several times faster than the two."""


class _Slots(dict[Names, int]):
    """The first slot of each names' own, in the order in which they come."""

    def __missing__(self, names: Names) -> int:
        self[names] = first = len(self) * _SLOTS - NOTHING
        return first


class _Timed:
    """How often something came, by the first slot of its number, and how long it took: three columns."""

    def __init__(self, slots: Sequence[int], micros: Sequence[int], bucketed: Sequence[int]) -> None:
        self.slots, self.micros = slots, micros
        self.counted = Counter(map(add, slots, bucketed))


class _Columns:
    """What some contributions count, by kind."""

    def __init__(self, found: Sequence[Contribution], slots: _Slots) -> None:
        wholes = [sum(one.gaps) for one in found]
        gaps = list(chain.from_iterable([one.gaps for one in found]))
        long = buckets(wholes)
        self.ways = [one.types for one in found]
        self.timed = {
            "case": _Timed([slots["", ""]] * len(found), wholes, long),
            "variant": _Timed([slots[str(one.variant), ""] for one in found], wholes, long),
            "causal": _Timed([slots[str(one.causal), ""] for one in found], wholes, long),
            "edge": _Timed(self._steps(slots), gaps, buckets(gaps)),
        }

    def _steps(self, slots: _Slots) -> list[int]:
        known: dict[tuple[str, ...], list[int]] = {}
        steps: list[int] = []
        for types in self.ways:
            those = known.get(types)
            if those is None:
                those = known[types] = [slots[names] for names in pairwise(types)]
            steps += those
        return steps

    def plain(self) -> Iterator[tuple[str, Iterable[str]]]:
        yield "start", [types[0] for types in self.ways]
        yield "end", [types[-1] for types in self.ways]
        yield "node", chain.from_iterable(self.ways)


def _figures(
    found: Sequence[Contribution], gone: Sequence[Contribution]
) -> Iterator[tuple[tuple[str, str, str], Figure]]:
    """By kind, source and target, by how much they differ."""
    slots = _Slots()
    new, old = _Columns(found, slots), _Columns(gone, slots)
    names = list(slots)
    for (kind, types), (_, before) in zip(new.plain(), old.plain(), strict=True):
        counted = Counter(types)
        counted.subtract(before)
        for name, n in counted.items():
            if n:
                yield (kind, name, ""), Figure(n)
    for kind, timed in new.timed.items():
        for number, figure in _difference(timed, old.timed[kind]).items():
            source, target = names[number]
            yield (kind, source, target), figure


def _difference(new: _Timed, old: _Timed) -> dict[int, Figure]:
    found: dict[int, Figure] = {}
    new.counted.subtract(old.counted)
    for slot, n in new.counted.items():
        if n:
            number, index = divmod(slot, _SLOTS)
            figure = found.get(number)
            if figure is None:
                figure = found[number] = Figure()
            figure.count += n
            figure.durations[index + NOTHING] = n
    totals: defaultdict[int, int] = defaultdict(int)
    for slot, micros in zip(new.slots, new.micros, strict=True):
        totals[slot] += micros
    for slot, micros in zip(old.slots, old.micros, strict=True):
        totals[slot] -= micros
    for slot, total in totals.items():
        if total:
            found.setdefault(slot // _SLOTS, Figure()).total = total
    return found
