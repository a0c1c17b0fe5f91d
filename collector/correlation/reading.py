"""How far reading has come, as far as judgement needs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property

import msgspec


class Reading(msgspec.Struct, frozen=True, dict=True):
    """The watermarks by topic (its row's id), and on which topics each event type occurs.

    A topic's watermark is the moment up to which everything appended to it has certainly been read; None where that
    is not known yet. `from_start` says that nothing was appended before reading began, so that a transaction without a
    start event is not one whose beginning was missed.
    """

    watermarks: Mapping[int, datetime | None]
    topics_of: Mapping[str, frozenset[int]] = {}
    from_start: bool = True

    @cached_property
    def _known(self) -> dict[tuple[str, ...], datetime | None]:
        return {}

    def through(self, types: tuple[str, ...]) -> datetime | None:
        """The moment up to which every event of these types has been read: the least watermark of the topics they
        occur on; of all topics, where one of the types has not been seen anywhere yet. None: not known."""
        known = self._known
        if types not in known:
            known[types] = self._through(types)
        return known[types]

    def _through(self, types: tuple[str, ...]) -> datetime | None:
        topics: set[int] = set()
        for name in types:
            found = self.topics_of.get(name)
            if not found:
                return self.through_all()
            topics |= found
        return self._least(topics or self.watermarks)

    def through_all(self) -> datetime | None:
        """The least watermark of all topics."""
        return self.through(())

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
