"""What a batch brings, by what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast

import msgspec

from collector.correlation.events import Skeleton
from collector.decoding import Bundle, Event, Found, Undecodable
from collector.kafka import Span
from collector.records import Record

Decoded = tuple[Record, Found]
"""A record, and what decoding made of it."""


Group = tuple[tuple[int, str], ...]
"""Ids of one transaction, each with the place of its path in the link that found it."""


class Arriving(msgspec.Struct):
    """The records of a batch that were not stored before. A record may stand here several times, with one of its events
    each. `failures`: copies of events that could not be delivered, which are no events themselves. `links`: groups of
    names of one and the same transaction; `dropped`: how many were stored before; `keyed`: some events have business
    keys, or say what is at stake."""

    events: list[tuple[Record, Event]] = []
    uncorrelated: list[tuple[Record, Event]] = []
    failures: list[tuple[Record, Event]] = []
    undecodable: list[tuple[Record, Undecodable]] = []
    links: list[Group] = []
    dropped: int = 0
    keyed: bool = False

    @classmethod
    def of(cls, decoded: Sequence[Decoded], spans: Sequence[Span], stored: dict[tuple[int, int], int]) -> Arriving:
        """Sorts what was decoded of these spans; `stored` is the next offset of each of their partitions."""
        arriving = cls()
        events = arriving.events
        overlap = any(span.start < stored[span.key] for span in spans)
        for pair in decoded:
            record, found = pair
            if overlap and record.offset < stored[record.topic.row, record.partition]:
                arriving.dropped += len(found.found) if isinstance(found, Bundle) else 1
            elif (
                isinstance(found, Event)
                and found.transaction_ids
                and not found.links
                and not found.keys
                and found.impact is None
                and found.failure is None
            ):
                events.append(cast("tuple[Record, Event]", pair))  # the usual case
            elif isinstance(found, Bundle):
                for one in found.found:
                    arriving.add(record, one)
            else:
                arriving.add(record, found)
        return arriving

    def add(self, record: Record, found: Event | Undecodable) -> None:
        if isinstance(found, Undecodable):
            self.undecodable.append((record, found))
        elif not found.transaction_ids:
            self.uncorrelated.append((record, found))
        elif found.failure is not None:
            self.failures.append((record, found))
        else:
            self.events.append((record, found))
            self.links += found.links
            self.keyed = self.keyed or bool(found.keys) or found.impact is not None


class Incoming(msgspec.Struct, frozen=True, gc=False):
    """An event on its way into a transaction."""

    record: Record
    event: Event
    skeleton: Skeleton


def skeleton_of(record: Record, event: Event, received_at: datetime) -> Skeleton:
    return Skeleton(
        event.source,
        event.id,
        event.type,
        event.service,
        event.time,
        event.record_time,
        received_at,
        record.topic.name,
        record.partition,
        record.offset,
        event.causes,
        event.trace,
    )
