"""Asks where partitions are to be read from, beside polling: brokers that do not answer may take half a minute."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future

from django.db import connection

from collector.kafka import Place
from collector.records import TopicRef

Located = dict[Place, tuple[TopicRef, int]]
"""The topic, and the offset to begin at."""
Locate = Callable[[Iterable[Place], Mapping[Place, int]], Located]
"""Of these partitions; and, of some, from which offset on the log is another one than was read."""


class Locating:
    """One question at a time, answered in a thread of its own."""

    def __init__(self, locate: Locate) -> None:
        self._locate = locate
        self._asked: Future[Located] | None = None

    @property
    def asking(self) -> bool:
        return self._asked is not None

    def ask(self, places: Iterable[Place], truncated: Mapping[Place, int]) -> None:
        self._asked = asked = Future[Located]()
        work = (asked, list(places), dict(truncated))
        threading.Thread(target=self._answer, args=work, name="locate", daemon=True).start()

    def answer(self) -> Located | None:
        """The answer, once; None while there is none. Raises what the asking came to."""
        if self._asked is None or not self._asked.done():
            return None
        asked, self._asked = self._asked, None
        return asked.result()

    def _answer(self, asked: Future[Located], places: list[Place], truncated: dict[Place, int]) -> None:
        try:
            asked.set_result(self._locate(places, truncated))
        except Exception as error:  # noqa: BLE001 - whoever reads the answer judges it
            asked.set_exception(error)
        finally:
            connection.close()
