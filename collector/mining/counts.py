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

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from collector.mining.durations import add


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

    def take(self, durations: Iterable[int]) -> None:
        """Adds durations as they are stored."""
        add(self.durations, durations)

    @property
    def says_nothing(self) -> bool:
        return not (self.count or self.total or any(self.durations.values()))


class Counts(dict[Key, Figure]):
    """Sums by key."""

    def told(self) -> Iterable[tuple[Key, Figure]]:
        """What says anything, in the order of the keys."""
        return [(key, self[key]) for key in sorted(self) if not self[key].says_nothing]
