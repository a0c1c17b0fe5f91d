"""How long something took against how long it usually takes, as a band from the median to the 95th percentile. PURE."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from collector.correlation.events import EventKey
from collector.queries.mined import MinedMap, Taken
from dashboard.graphs.text import about

ENOUGH = 20
"""Times that something has to have happened for there to be anything usual about it."""
WIDE = 120
EXACT = 1.02
"""Percentiles are right to one per cent either way: what is closer is not beyond them."""


class Happened(Protocol):
    """An event of a transaction (queries.StoredEvent)."""

    @property
    def source(self) -> str: ...
    @property
    def event_id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def time(self) -> datetime: ...


@dataclass(frozen=True)
class Band:
    """`seconds` beside what is usual. `after`: the type of the event before, where it is about a step."""

    seconds: float
    p50: float
    p95: float
    p99: float
    after: str = ""

    @property
    def slow(self) -> bool:
        """Slower than all but one in a hundred."""
        return self.seconds > self.p99 * EXACT

    @property
    def words(self) -> str:
        return f"usually {about(self.p50)}, 95% under {about(self.p95)}"

    @property
    def verdict(self) -> str:
        if self.slow:
            return "slower than 99%"
        return "slower than 95%" if self.seconds > self.p95 * EXACT else ""

    @property
    def left(self) -> float:
        """Where the band begins in a picture that is WIDE wide."""
        return self._at(self.p50)

    @property
    def across(self) -> float:
        return max(2.0, self._at(self.p95) - self.left)

    @property
    def here(self) -> float:
        return self._at(self.seconds)

    def _at(self, seconds: float) -> float:
        most = max(self.p99, self.seconds) * 1.08 or 1.0
        return round(4 + max(seconds, 0.0) / most * (WIDE - 8), 1)


def of(seconds: float, took: Taken, count: int, after: str = "") -> Band | None:
    """None where nothing is usual yet."""
    if count < ENOUGH or took.p50 is None or took.p95 is None or took.p99 is None:
        return None
    return Band(seconds, took.p50, took.p95, took.p99, after)


def whole(events: Sequence[Happened], mined: MinedMap) -> Band | None:
    """From the first event to the last; `events` in event order."""
    if not events:
        return None
    return of((events[-1].time - events[0].time).total_seconds(), mined.took, mined.transactions)


def steps(events: Sequence[Happened], mined: MinedMap) -> dict[EventKey, Band]:
    """By event, how long after the one before it it came, in event order."""
    usual = {(edge.source, edge.target): edge for edge in mined.edges}
    found = {}
    for before, event in itertools.pairwise(events):
        edge = usual.get((before.type, event.type))
        band = of((event.time - before.time).total_seconds(), edge.took, edge.count, before.type) if edge else None
        if band:
            found[event.source, event.event_id] = band
    return found
