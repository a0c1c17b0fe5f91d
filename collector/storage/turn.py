"""Storing first: who reads ahead computes while PostgreSQL works, not while the storing thread does.

Python computes in one thread at a time and shares that evenly among those that want it, so that reading ahead, which
nobody waits for, would double the time that a batch needs between its statements, and have nothing left to do when the
database is the one that works. This is a hint, not a lock: whoever heeds it waits for a bounded time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_storing = threading.local()


class Turn:
    """Whether the thread that stores computes just now."""

    def __init__(self) -> None:
        self._free = threading.Event()
        self._free.set()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Within, the calling thread comes first, but while it waits as `waiting` says."""
        _storing.free = self._free
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()
            _storing.free = None

    def wait(self, patience: float) -> bool:
        """Returns when nobody has the turn; with False after `patience` seconds, if somebody still has it."""
        return self._free.wait(patience)


@contextmanager
def waiting() -> Iterator[None]:
    """Around what the calling thread leaves to PostgreSQL: others may compute meanwhile."""
    free: threading.Event | None = getattr(_storing, "free", None)
    if free is None:
        yield
        return
    free.set()
    try:
        yield
    finally:
        free.clear()
