"""What a collector counts of its own work: once per batch, never per event."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from collector.health.counts import DELAYS, Counts
from collector.kafka import Span
from collector.storage.store import Written


class Meter:
    """Counts, from whichever thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: Counter[str] = Counter()
        self._undecodable: Counter[str] = Counter()
        self._delays = [0] * (len(DELAYS) + 1)
        self._counts = Counts()

    def stored(self, spans: Sequence[Span], written: Written, took: float, now: datetime) -> int:
        """A batch has been stored, which took so many seconds. Returns its number."""
        with self._lock:
            counts = self._counts
            counts.batches += 1
            counts.store_seconds += took
            counts.events += written.events
            counts.uncorrelated += written.uncorrelated
            counts.redeliveries += written.redeliveries
            counts.skipped += written.dropped
            self._undecodable.update(written.reasons)
            for span in spans:
                self._records[span.topic.name] += len(span.records)
                if span.records and (stamp := span.records[0].timestamp):
                    self._delayed(max(now - stamp, timedelta(0)).total_seconds())
            return counts.batches

    def _delayed(self, seconds: float) -> None:
        self._delays[bisect_left(DELAYS, seconds)] += 1
        self._counts.delay_seconds += seconds

    def read_again(self) -> None:
        """Stored progress was behind what had been read: partitions are read again."""
        with self._lock:
            self._counts.rereads += 1

    def failed(self) -> None:
        """The database did not take what it was given."""
        with self._lock:
            self._counts.failures += 1

    def read(self) -> Counts:
        """The counts as they are now."""
        with self._lock:
            return msgspec.structs.replace(
                self._counts,
                records=dict(self._records),
                undecodable=dict(self._undecodable),
                delays=list(self._delays),
            )
