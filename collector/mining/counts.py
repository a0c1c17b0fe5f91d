"""Sums of contributions: what is counted, added and subtracted.

| kind | source, target | counts | durations |
| --- | --- | --- | --- |
| case | | transactions | from the first event to the last |
| node | event type | events | |
| start, end | event type | transactions by their first and last event | |
| edge | event type, event type | how often the one came directly after the other | between the two |
| variant, causal | the variant's number; 0: the others | transactions | from the first event to the last |

Each is counted for the time that the transaction began in, and for all times together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

import msgspec

from collector.mining.contribution import ALWAYS, Contribution
from collector.mining.durations import buckets

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
        for index, n in other.durations.items():
            self.durations[index] = self.durations.get(index, 0) + n

    @property
    def says_nothing(self) -> bool:
        return not (self.count or self.total or any(self.durations.values()))


class Counts(dict[Key, Figure]):
    """Sums by key; a difference, where contributions were subtracted."""

    def take(self, found: Iterable[Contribution], gone: Iterable[Contribution] = ()) -> None:
        """Adds what was `found`, and subtracts what is `gone`.

        Those of one time are looked at together, column by column, and what is counted of all times is their sum: that
        is several times faster than one after the other. What is in both goes without a trace.
        """
        places: dict[tuple[str, str, int, int], tuple[list[Contribution], list[Contribution]]] = {}
        for side, contributions in enumerate((found, gone)):
            for one in contributions:
                place = (one.choreography, one.status, one.hours, one.bucket)
                places.setdefault(place, ([], []))[side].append(one)
        for (choreography, status, hours, bucket), (new, old) in places.items():
            for (kind, source, target), figure in _figures(_Columns(new), _Columns(old)):
                for key in (
                    Key(choreography, kind, hours, bucket, status, source, target),
                    Key(choreography, kind, ALWAYS, 0, status, source, target),
                ):
                    known = self.get(key)
                    if known is None:
                        known = self[key] = Figure()
                    known.add(figure)

    def told(self) -> Iterable[tuple[Key, Figure]]:
        """What says anything, in the order of the keys."""
        return [(key, self[key]) for key in sorted(self) if not self[key].says_nothing]


Names = tuple[str, str]
"""Source and target."""


class _Timed:
    """How often something came, and how long it took, in two columns."""

    def __init__(self, names: Sequence[Names], micros: Sequence[int]) -> None:
        self.names, self.micros = names, micros
        self.bucketed = list(zip(names, buckets(micros), strict=True))


class _Columns:
    """What some contributions count, by kind."""

    def __init__(self, found: Sequence[Contribution]) -> None:
        wholes = [sum(one.gaps) for one in found]
        self.ways = [one.types for one in found]
        self.timed = {
            "case": _Timed([("", "")] * len(found), wholes),
            "variant": _Timed([(str(one.variant), "") for one in found], wholes),
            "causal": _Timed([(str(one.causal), "") for one in found], wholes),
            "edge": _Timed(self._steps(), list(chain.from_iterable([one.gaps for one in found]))),
        }

    def _steps(self) -> list[Names]:
        known: dict[tuple[str, ...], list[Names]] = {}
        steps: list[Names] = []
        for types in self.ways:
            those = known.get(types)
            if those is None:
                those = known[types] = list(pairwise(types))
            steps += those
        return steps

    def plain(self) -> Iterator[tuple[str, Iterable[str]]]:
        yield "start", [types[0] for types in self.ways]
        yield "end", [types[-1] for types in self.ways]
        yield "node", chain.from_iterable(self.ways)


def _figures(new: _Columns, old: _Columns) -> Iterator[tuple[tuple[str, str, str], Figure]]:
    """By kind, source and target, by how much they differ."""
    for (kind, names), (_, gone) in zip(new.plain(), old.plain(), strict=True):
        counted = Counter(names)
        counted.subtract(gone)
        for name, n in counted.items():
            if n:
                yield (kind, name, ""), Figure(n)
    for kind, timed in new.timed.items():
        for (source, target), figure in _difference(timed, old.timed[kind]).items():
            yield (kind, source, target), figure


def _difference(new: _Timed, old: _Timed) -> dict[Names, Figure]:
    found: dict[Names, Figure] = {}
    counted = Counter(new.bucketed)
    counted.subtract(old.bucketed)
    for (names, index), n in counted.items():
        if n:
            figure = found.get(names)
            if figure is None:
                figure = found[names] = Figure()
            figure.count += n
            figure.durations[index] = n
    totals: dict[Names, int] = {}
    for names, micros in zip(new.names, new.micros, strict=True):
        totals[names] = totals.get(names, 0) + micros
    for names, micros in zip(old.names, old.micros, strict=True):
        totals[names] = totals.get(names, 0) - micros
    for names, total in totals.items():
        if total:
            found.setdefault(names, Figure()).total = total
    return found
