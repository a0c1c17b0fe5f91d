"""What many viewers look at is made once: a value is computed by the first who asks and shared for a moment.

Kept in the process, not in Redis: it must work while Redis is down, and what it saves is work of this very process.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from itertools import islice
from typing import Any, TypeVar

Value = TypeVar("Value")
MOMENT = 0.25
"""Seconds; as often as browsers are told of changes at most. What is kept no longer than that is made anew as soon as
they are, so that what they then fetch is made once for all of them, and has what they were told of."""
_MOST = 1_000
_FORGOTTEN = 250
"""So many values go when there are too many: those that nobody has asked for for the longest time."""


class Shared:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._changed_at = 0.0

    def changed(self) -> None:
        """Whoever asks from now on gets nothing from before, but for what may be older than a MOMENT."""
        self._changed_at = time.monotonic()

    def get(self, key: Hashable, seconds: float, make: Callable[[], Value]) -> Value:
        """The value made for this key within the last `seconds`, else a new one; one caller makes, others wait."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            kept = self._asked_for(key)
            if kept is not None and self._holds(kept[0], seconds):
                value: Value = kept[1]
                return value
            started = time.monotonic()
            value = make()
            # Dated at its beginning: what changed while it was made is not in it for sure.
            self._keep(key, started, value)
            return value

    def of(self, source: object, key: Hashable, make: Callable[[], Value]) -> Value:
        """What was made for this key of this very object, which is itself kept for as long as it holds; else made of
        it now, and kept instead."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            kept = self._asked_for(key)
            if kept is not None and kept[1][0] is source:
                value: Value = kept[1][1]
                return value
            value = make()
            self._keep(key, time.monotonic(), (source, value))
            return value

    def _asked_for(self, key: Hashable) -> tuple[float, Any] | None:
        with self._lock:
            kept = self._made.get(key)
            if kept is not None:
                self._made.move_to_end(key)
            return kept

    def _keep(self, key: Hashable, at: float, value: object) -> None:
        with self._lock:
            if len(self._made) >= _MOST:
                for old in list(islice(self._made, _FORGOTTEN)):
                    del self._made[old]
                wanted = ((key, lock) for key, lock in self._making.items() if key in self._made or lock.locked())
                self._making = dict(wanted)
            self._made[key] = (at, value)
            self._made.move_to_end(key)

    def _holds(self, made_at: float, seconds: float) -> bool:
        return time.monotonic() - made_at < seconds and (seconds > MOMENT or made_at >= self._changed_at)

    def kept(self, key: Hashable) -> Any:
        """The value that was made last for this key, however old; None where there is none."""
        with self._lock:
            return self._made.get(key, (0.0, None))[1]

    def clear(self) -> None:
        with self._lock:
            self._made.clear()
            self._making.clear()


shared = Shared()
