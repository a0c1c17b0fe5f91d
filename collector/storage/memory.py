"""The events of transactions that were stored just now: most of those come again soon, and need not be read again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from collector.correlation.events import Skeleton

EVENTS = 30_000
"""Remembered at most, of all transactions; about half a kilobyte each."""


class _Known(NamedTuple):
    version: int
    events: Sequence[Skeleton]


class Memory:
    """By transaction, its events as of a version of its row; whoever changes events raises that version.

    Only what was committed may be kept here. Those kept last are forgotten last.
    """

    def __init__(self) -> None:
        self.linked = False
        """Whether ids of transactions are known to be linked: aliases are then looked for with each batch."""
        self._known: dict[int, _Known] = {}
        self._events = 0

    def events(self, row: int, version: int) -> Sequence[Skeleton] | None:
        """The events of this transaction, if its row still has the version that they were kept for."""
        known = self._known.get(row)
        return known.events if known is not None and known.version == version else None

    def keep(self, row: int, version: int, events: Sequence[Skeleton]) -> None:
        self.forget(row)
        self._known[row] = _Known(version, events)
        self._events += len(events)
        while self._events > EVENTS:
            self.forget(next(iter(self._known)))

    def forget(self, row: int) -> None:
        if known := self._known.pop(row, None):
            self._events -= len(known.events)
