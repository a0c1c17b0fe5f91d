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

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from collector.mining.contribution import ALWAYS, Contribution
from collector.mining.durations import bucket

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

    def add(self, sign: int, micros: int | None = None) -> None:
        self.count += sign
        if micros is not None:
            self.total += sign * micros
            index = bucket(micros)
            self.durations[index] = self.durations.get(index, 0) + sign

    @property
    def says_nothing(self) -> bool:
        return not (self.count or self.total or any(self.durations.values()))


class Counts(dict[Key, Figure]):
    """Sums by key; a difference, where contributions were subtracted."""

    def take(self, found: Contribution, sign: int = 1) -> None:
        """Adds a contribution, or subtracts it."""
        for hours, start in ((found.hours, found.bucket), (ALWAYS, 0)):
            self._take(found, hours, start, sign)

    def _take(self, found: Contribution, hours: int, start: int, sign: int) -> None:
        types, whole = found.types, sum(found.gaps)

        def count(kind: str, source: str = "", target: str = "", micros: int | None = None) -> None:
            key = Key(found.choreography, kind, hours, start, found.status, source, target)
            figure = self.get(key)
            if figure is None:
                figure = self[key] = Figure()
            figure.add(sign, micros)

        count("case", micros=whole)
        count("variant", str(found.variant), micros=whole)
        count("causal", str(found.causal), micros=whole)
        count("start", types[0])
        count("end", types[-1])
        for name in types:
            count("node", name)
        for source, target, gap in zip(types, types[1:], found.gaps, strict=False):
            count("edge", source, target, gap)

    def told(self) -> Iterable[tuple[Key, Figure]]:
        """What says anything, in the order of the keys."""
        return [(key, self[key]) for key in sorted(self) if not self[key].says_nothing]
