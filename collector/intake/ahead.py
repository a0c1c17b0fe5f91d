"""What was read and decoded while a batch was being stored: the next batch, which grows as long as that takes.

So batches are small where little comes in, and large where much does, which costs less for each event.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence

from collector.kafka import Place, Span
from collector.records import Record, TopicRef
from collector.storage.store import Decoded

RECORDS = 10_000
BYTES = 32 * 1024 * 1024


class Ahead:
    """Spans that follow on each other, merged by partition; bounded by what `is_full` says.

    `read` makes of the records of the topic that it is given what is stored of them.
    """

    def __init__(self, read: Callable[[str, Sequence[Record]], list[Decoded]]) -> None:
        self._read = read
        self._spans: dict[Place, Span] = {}
        self._decoded: dict[Place, list[Decoded]] = {}
        self._records = self._bytes = 0

    @property
    def is_full(self) -> bool:
        return self._records >= RECORDS or self._bytes >= BYTES

    @property
    def room(self) -> int:
        return max(1, RECORDS - self._records)

    @property
    def topics(self) -> dict[str, TopicRef]:
        return {span.topic.name: span.topic for span in self._spans.values()}

    def add(self, spans: Iterable[Span]) -> None:
        for span in spans:
            place = (span.topic.name, span.partition)
            decoded = self._read(span.topic.name, span.records)
            if place in self._spans:
                known = self._spans[place]
                known.records += span.records
                known.next_offset = span.next_offset
                self._decoded[place] += decoded
            else:
                self._spans[place], self._decoded[place] = span, decoded
            self._records += len(span.records)
            self._bytes += sum(len(record.value or b"") for record in span.records)

    def take(self) -> tuple[list[Span], list[Decoded]]:
        """Hands over what there is, and begins anew."""
        spans, decoded = list(self._spans.values()), [pair for pairs in self._decoded.values() for pair in pairs]
        self.clear()
        return spans, decoded

    def forget(self, places: Container[Place]) -> None:
        """Drops what was read of these partitions: they are about to be read from somewhere else."""
        for place in [place for place in self._spans if place in places]:
            records = self._spans.pop(place).records
            del self._decoded[place]
            self._records -= len(records)
            self._bytes -= sum(len(record.value or b"") for record in records)

    def clear(self) -> None:
        self._spans, self._decoded = {}, {}
        self._records = self._bytes = 0
