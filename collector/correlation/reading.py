"""How far reading has come, as far as judgement needs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec


class Reading(msgspec.Struct, frozen=True):
    """The watermarks by topic (its row's id), and on which topics each event type occurs.

    A topic's watermark is the moment up to which everything appended to it has certainly been read; None where that
    is not known yet. `from_start` says that nothing was appended before reading began, so that a transaction without a
    start event is not one whose beginning was missed.
    """

    watermarks: Mapping[int, datetime | None]
    topics_of: Mapping[str, frozenset[int]] = {}
    from_start: bool = True

    def through(self, types: Iterable[str]) -> datetime | None:
        """The moment up to which every event of these types has been read: the least watermark of the topics they
        occur on; of all topics, where one of the types has not been seen anywhere yet. None: not known."""
        topics: set[int] = set()
        for name in types:
            found = self.topics_of.get(name)
            if not found:
                return self.through_all()
            topics |= found
        return self._least(topics) if topics else self.through_all()

    def through_all(self) -> datetime | None:
        return self._least(self.watermarks)

    def _least(self, topics: Iterable[int]) -> datetime | None:
        least: datetime | None = None
        for topic in topics:
            if topic not in self.watermarks:
                continue
            mark = self.watermarks[topic]
            if mark is None:
                return None
            least = mark if least is None or mark < least else least
        return least
