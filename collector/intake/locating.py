"""Asks where partitions are to be read from, beside polling: brokers that do not answer may take half a minute."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future

from django.db import connection

from collector.kafka import Place, Start

Located = dict[Place, Start]
Locate = Callable[[Iterable[Place], Mapping[Place, int]], Located]
"""Of these partitions; and, of some, from which offset on the log is another one than was read."""


RETRY = 0.5
"""Seconds to wait where not all was answered."""


class Locating:
    """One question at a time, answered in a thread of its own."""

    def __init__(self, locate: Locate) -> None:
        self._locate = locate
        self._asked: Future[Located] | None = None
        self._places: list[Place] = []
        self._answered_at = float("-inf")

    @property
    def asking(self) -> bool:
        """There is no use in asking now."""
        return self._asked is not None or time.monotonic() - self._answered_at < RETRY

    def ask(self, places: Iterable[Place], truncated: Mapping[Place, int]) -> None:
        self._asked = asked = Future[Located]()
        self._places = list(places)
        work = (asked, self._places, dict(truncated))
        threading.Thread(target=self._answer, args=work, name="locate", daemon=True).start()

    def answer(self) -> Located | None:
        """The answer, once; None while there is none. Raises what the asking came to."""
        if self._asked is None or not self._asked.done():
            return None
        asked, self._asked = self._asked, None
        self._answered_at = time.monotonic()
        found = asked.result()
        if len(found) == len(self._places):
            self._answered_at = float("-inf")
        return found

    def _answer(self, asked: Future[Located], places: list[Place], truncated: dict[Place, int]) -> None:
        try:
            asked.set_result(self._locate(places, truncated))
        except Exception as error:  # noqa: BLE001 - whoever reads the answer judges it
            asked.set_exception(error)
        finally:
            connection.close()
