"""What correlation needs to know of an event: its skeleton, and the order that all of them have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter

import msgspec

EventKey = tuple[str, str]
"""What makes an event the same event within a transaction: (source, id), as in CloudEvents."""

EventOrder = tuple[datetime, datetime, str, int, int, str, str]


class Skeleton(msgspec.Struct, frozen=True, gc=False):
    """An event of a transaction without its payload.

    `time` is the event's own time, `record_time` the Kafka record's timestamp, `received_at` the database's clock when
    it was stored; all are aware and in UTC. `causes` are the ids (not keys) of the events it names as its causes.
    `trace` is "trace id/span id/parent span id" of its trace context, as far as known.
    """

    source: str
    id: str
    type: str
    service: str
    time: datetime
    record_time: datetime
    received_at: datetime
    topic: str
    partition: int
    offset: int
    causes: tuple[str, ...] = ()
    trace: str = ""

    @property
    def key(self) -> EventKey:
        return (self.source, self.id)

    @property
    def order(self) -> EventOrder:
        """What event order goes by; total, since no two events of a transaction have the same id and source."""
        return (self.time, self.record_time, self.topic, self.partition, self.offset, self.id, self.source)

    @property
    def copy_order(self) -> tuple[datetime, str, int, int]:
        """Among copies of one event the smallest of these counts; the others are redeliveries."""
        return (self.record_time, self.topic, self.partition, self.offset)


_time = attrgetter("time")
_order = attrgetter("time", "record_time", "topic", "partition", "offset", "id", "source")


def in_order(events: Sequence[Skeleton]) -> list[Skeleton]:
    """The events in event order. Their times alone decide it, unless two have the same."""
    ordered = sorted(events, key=_time)
    before = None
    for event in ordered:
        if event.time == before:
            return sorted(events, key=_order)
        before = event.time
    return ordered
