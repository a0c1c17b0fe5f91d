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

    def add(self, other: Figure, sign: int = 1) -> None:
        self.count += sign * other.count
        self.total += sign * other.total
        for index, n in other.durations.items():
            self.durations[index] = self.durations.get(index, 0) + sign * n

    @property
    def says_nothing(self) -> bool:
        return not (self.count or self.total or any(self.durations.values()))


class Counts(dict[Key, Figure]):
    """Sums by key; a difference, where contributions were subtracted."""

    def take(self, found: Iterable[Contribution], sign: int = 1) -> None:
        """Adds contributions, or subtracts them.

        Those of one time are looked at together, column by column, and what is counted of all times is their sum: that
        is several times faster than one after the other.
        """
        places: dict[tuple[str, str, int, int], list[Contribution]] = {}
        for one in found:
            places.setdefault((one.choreography, one.status, one.hours, one.bucket), []).append(one)
        for (choreography, status, hours, bucket), those in places.items():
            for (kind, source, target), figure in _figures(those):
                for key in (
                    Key(choreography, kind, hours, bucket, status, source, target),
                    Key(choreography, kind, ALWAYS, 0, status, source, target),
                ):
                    known = self.get(key)
                    if known is None:
                        known = self[key] = Figure()
                    known.add(figure, sign)

    def told(self) -> Iterable[tuple[Key, Figure]]:
        """What says anything, in the order of the keys."""
        return [(key, self[key]) for key in sorted(self) if not self[key].says_nothing]


def _figures(found: Sequence[Contribution]) -> Iterator[tuple[tuple[str, str, str], Figure]]:
    """What these count, by kind, source and target."""
    wholes = [sum(one.gaps) for one in found]
    lengths = buckets(wholes)
    yield from _timed("case", [("", "")] * len(found), wholes, lengths)
    yield from _timed("variant", [(str(one.variant), "") for one in found], wholes, lengths)
    yield from _timed("causal", [(str(one.causal), "") for one in found], wholes, lengths)
    ways = [one.types for one in found]
    yield from _counted("start", [types[0] for types in ways])
    yield from _counted("end", [types[-1] for types in ways])
    yield from _counted("node", chain.from_iterable(ways))
    known: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    pairs: list[tuple[str, str]] = []
    for types in ways:
        steps = known.get(types)
        if steps is None:
            steps = known[types] = list(pairwise(types))
        pairs += steps
    gaps = list(chain.from_iterable([one.gaps for one in found]))
    yield from _timed("edge", pairs, gaps, buckets(gaps))


def _counted(kind: str, names: Iterable[str]) -> Iterator[tuple[tuple[str, str, str], Figure]]:
    for name, n in Counter(names).items():
        yield (kind, name, ""), Figure(n)


def _timed(
    kind: str, keys: Sequence[tuple[str, str]], micros: Sequence[int], lengths: Sequence[int]
) -> Iterator[tuple[tuple[str, str, str], Figure]]:
    found: dict[tuple[str, str], Figure] = {}
    for (key, index), n in Counter(zip(keys, lengths, strict=True)).items():
        figure = found.get(key)
        if figure is None:
            figure = found[key] = Figure()
        figure.count += n
        figure.durations[index] = n
    for key, duration in zip(keys, micros, strict=True):
        found[key].total += duration
    for (source, target), figure in found.items():
        yield (kind, source, target), figure
