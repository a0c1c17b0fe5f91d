"""Partitions, and what is read of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from collector.records import Header, Record, TopicRef

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Place = tuple[str, int]
"""Topic name and partition: how the client names a partition."""


class Bounds(msgspec.Struct, frozen=True):
    """Where a partition's log starts and ends (the offset after its last record, open transactions included)."""

    start: int
    end: int


class Start(msgspec.Struct, frozen=True):
    """Where to read a partition from; and the offset and leader epoch of the record that was read last before it, by
    which it is seen whether the log is still the same."""

    topic: TopicRef
    offset: int
    last: tuple[int, int] | None = None


class Span(msgspec.Struct):
    """What was read of one partition: from the offset `start` on, up to before `next_offset`.

    Offsets between that no record has were compacted away or are transaction markers. `headers`: those of each record
    as they came, until it has been decoded; empty where records are to be asked for theirs.
    """

    topic: TopicRef
    partition: int
    start: int
    next_offset: int
    records: list[Record] = []
    headers: list[Sequence[Header]] = []

    @property
    def key(self) -> tuple[int, int]:
        return (self.topic.row, self.partition)
