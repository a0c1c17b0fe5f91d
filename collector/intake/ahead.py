"""What was read and decoded while a batch was being stored: the next batch, which grows as long as that takes.

So batches are small where little comes in, and large where much does, which costs less for each event. Where reading is
far behind, batches are cut by time as well: see `Ahead.take`.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from collector.kafka import EPOCH, Place, Span
from collector.records import Header, Record, TopicRef
from collector.storage.store import Decoded

RECORDS = 20_000
"""The records of a full batch."""
BEYOND = 15_000
"""Records, of all partitions together, that may wait for slower partitions."""
BYTES = 32 * 1024 * 1024
SILENCE = 2.0
"""Seconds after which a partition that has more, but does not send it, is not waited for."""
HOLD = 10.0
"""Seconds after which nothing is waited for, however far behind: somebody may look at what has been read."""


class _Read(msgspec.Struct):
    """What was read of a partition and not yet handed over."""

    span: Span
    decoded: list[Decoded]

    def until(self, cut: datetime | None) -> int:
        """How many of its records come before anything later than `cut`."""
        records = self.span.records
        if cut is None or not records or _stamp(records[-1]) <= cut:
            return len(records)
        return bisect_right(records, cut, key=_stamp)


class Ahead:
    """Spans that follow on each other, merged by partition; bounded by what `is_full` says.

    `read` makes of the records of the topic that it is given, and of their headers, what is stored of them.
    """

    def __init__(self, read: Callable[[str, Sequence[Record], Sequence[Sequence[Header]]], list[Decoded]]) -> None:
        self._decode = read
        self._read: dict[Place, _Read] = {}
        self._newest: dict[Place, tuple[datetime, float]] = {}
        self._records = self._bytes = 0
        self._emptied_at = time.monotonic()
        self._cut: datetime | None = None
        self._leading: set[Place] = set()

    @property
    def is_full(self) -> bool:
        return self._records >= RECORDS + BEYOND or self._bytes >= BYTES

    @property
    def room(self) -> int:
        return max(1, RECORDS + BEYOND - self._records)

    @property
    def topics(self) -> dict[str, TopicRef]:
        return {read.span.topic.name: read.span.topic for read in self._read.values()}

    def add(self, spans: Iterable[Span]) -> None:
        now = time.monotonic()
        for span in spans:
            place = (span.topic.name, span.partition)
            decoded = self._decode(span.topic.name, span.records, span.headers)
            span.headers = []
            if span.records:
                self._newest[place] = (_stamp(span.records[-1]), now)
            if known := self._read.get(place):
                known.span.records += span.records
                known.span.next_offset = span.next_offset
                known.decoded += decoded
            else:
                self._read[place] = _Read(span, decoded)
            self._count(span.records, 1)

    def align(self, remaining: Mapping[Place, int]) -> set[Place]:
        """Decides up to when the next batch goes, and which partitions should rest, for too much of them waits.

        A transaction's events lie on many partitions. Brokers send these in pieces, and a partition with more records
        in an hour than the others falls behind them, so that a transaction would be touched once for each of its
        events. Where much is yet to be fetched (`remaining` records, by partition), only what is older than the newest
        record of the slowest partition is handed over, in full batches; the rest waits for it, but not for long.
        """
        now = time.monotonic()
        self._cut = self._slowest(remaining, now) if now - self._emptied_at < HOLD else None
        share = BEYOND // max(1, len(self._newest))
        self._leading = {
            place
            for place, read in self._read.items()
            if len(read.span.records) - read.until(self._cut) > (share // 2 if place in self._leading else share)
        }
        return self._leading

    def take(self) -> tuple[list[Span], list[Decoded]]:
        """Hands over the next batch: all there is; or less, or nothing, where `align` says that it is worth waiting."""
        counts = {place: read.until(self._cut) for place, read in self._read.items()}
        if self._cut is not None and (total := sum(counts.values())) < RECORDS:
            if not self.is_full:
                counts = {}
            elif total < RECORDS // 4:
                counts = {place: len(read.span.records) for place, read in self._read.items()}
        if sum(counts.values()) == self._records:
            self._emptied_at = time.monotonic()
        # what has no records moves progress only: to the end of a partition, past markers
        batch = [self._part(place, n) for place, n in counts.items() if n or not self._read[place].span.records]
        return [read.span for read in batch], [pair for read in batch for pair in read.decoded]

    def forget(self, places: Container[Place]) -> None:
        """Drops what was read of these partitions: they are about to be read from somewhere else."""
        for place in [place for place in self._newest if place in places]:
            del self._newest[place]
        for place in [place for place in self._read if place in places]:
            self._count(self._read.pop(place).span.records, -1)

    def clear(self) -> None:
        self._read, self._newest = {}, {}
        self._records = self._bytes = 0

    def _slowest(self, remaining: Mapping[Place, int], now: float) -> datetime | None:
        """The newest time that all partitions with more to come have been read up to; None where it matters little."""
        newest, behind = [], 0
        for place, (stamp, heard_at) in self._newest.items():
            if (more := remaining.get(place, 0)) > 0 and now - heard_at < SILENCE:
                newest.append(stamp)
                behind += more
        return min(newest) if behind > RECORDS else None

    def _part(self, place: Place, count: int) -> _Read:
        """Takes out the first `count` records of a partition."""
        read = self._read.pop(place)
        span = read.span
        if count < len(span.records):
            border = span.records[count].offset
            rest = msgspec.structs.replace(span, start=border, records=span.records[count:])
            self._read[place] = _Read(rest, read.decoded[count:])
            span = msgspec.structs.replace(span, next_offset=border, records=span.records[:count])
        self._count(span.records, -1)
        return _Read(span, read.decoded[:count])

    def _count(self, records: Sequence[Record], by: int) -> None:
        self._records += by * len(records)
        self._bytes += by * sum([len(record.value) for record in records if record.value])


def _stamp(record: Record) -> datetime:
    return record.timestamp or EPOCH
