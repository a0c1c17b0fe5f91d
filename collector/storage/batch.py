"""A batch on its way in: what each touched transaction has, what arrives, and what it comes to."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from django.db.backends.utils import CursorWrapper

from collector.correlation.events import EventKey, Skeleton
from collector.storage import judgement, keys
from collector.storage.arriving import Arriving, Incoming, skeleton_of
from collector.storage.context import Context
from collector.storage.judgement import Change, Row
from collector.storage.memory import Memory
from collector.storage.sql import arrays
from collector.storage.storing import (
    copy_events,
    copy_payloads,
    copy_uncorrelated,
    copy_undecodable,
    settle_redeliveries,
)
from collector.storage.tally import Tally

_NEW_TYPES = """
INSERT INTO collector_eventtype (type, service, topic_id, first_seen_at)
SELECT v.*, clock_timestamp() FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS v
ON CONFLICT (type, service, topic_id) DO NOTHING
"""


class Written(msgspec.Struct, frozen=True):
    """What a batch came to."""

    changed: tuple[str, ...] = ()
    """Ids of the transactions that pages would show differently now."""
    alerts: bool = False
    events: int = 0
    redeliveries: int = 0
    dropped: int = 0
    """Records that had been stored before: they lay below stored progress."""
    undecodable: int = 0
    uncorrelated: int = 0
    reasons: tuple[str, ...] = ()
    """Why, for each undecodable record."""


class Touched(msgspec.Struct):
    """A transaction that the batch touches. Of an event's copies the smallest counts, the others are redeliveries.

    arrived: events that are new to it; copies: further copies of these in the same batch, by key. again: copies of
    events that are stored already; smaller: those of them that are to stand for their event from now on.
    """

    row: Row
    incoming: list[Incoming] = []
    events: list[Skeleton] = []
    arrived: dict[EventKey, Incoming] = {}
    copies: dict[EventKey, int] = {}
    again: list[Incoming] = []
    smaller: dict[EventKey, Incoming] = {}

    @property
    def redeliveries(self) -> int:
        return len(self.again) + sum(self.copies.values())

    def merge(self, stored: Sequence[Skeleton]) -> None:
        """Adds what arrives to what is stored."""
        known = {event.key: event for event in stored}
        arrived = self.arrived
        for item in self.incoming:
            event = item.skeleton
            key = event.key
            present = known.setdefault(key, event)
            if present is event:
                arrived[key] = item
                continue
            smaller = event.copy_order < present.copy_order
            if smaller:
                known[key] = event
            if key in arrived:
                self.copies[key] = self.copies.get(key, 0) + 1
                if smaller:
                    arrived[key] = item
            else:
                self.again.append(item)
                if smaller:
                    self.smaller[key] = item
        self.events = list(known.values())


class Batch:
    """The transactions that a batch touches, with their rows locked."""

    def __init__(self, arriving: Arriving, rows: Sequence[Row], ctx: Context, memory: Memory) -> None:
        self._arriving, self._ctx, self._memory = arriving, ctx, memory
        self._touched = {row.id: Touched(row) for row in rows}
        by_name = {row.transaction_id: self._touched[row.id] for row in rows}
        for record, event in arriving.events:
            skeleton = skeleton_of(record, event, ctx.now)
            for name in event.transaction_ids:
                touched = by_name[name]
                row = touched.row
                touched.incoming.append(Incoming(row.id, row.day, record, event, skeleton))

    def read(self, cursor: CursorWrapper) -> None:
        """Reads the stored events of the touched transactions that are not remembered; of oversized ones, only those
        that arrive again."""
        found: dict[int, Sequence[Skeleton]] = {}
        whole, large = [], []
        for touched in self._touched.values():
            row = touched.row
            if row.oversized:
                large.append(touched)
            elif not row.is_new:
                events = self._memory.events(row.id, row.version)
                if events is None:
                    whole.append(row)
                else:
                    found[row.id] = events
        found |= judgement.skeletons(cursor, whole, self._ctx.topic_names)
        if large:
            only = [(item.transaction, *item.skeleton.key) for touched in large for item in touched.incoming]
            rows = [touched.row for touched in large]
            found |= judgement.skeletons(cursor, rows, self._ctx.topic_names, only=only)
        for touched in self._touched.values():
            touched.merge(found.get(touched.row.id, ()))

    def write_records(self, cursor: CursorWrapper) -> None:
        """Writes what arrives: events, payloads, and what could not be read or belongs nowhere."""
        now, arriving, touched = self._ctx.now, self._arriving, self._touched.values()
        copy_events(cursor, [(item, one.copies.get(key, 0)) for one in touched for key, item in one.arrived.items()])
        again = [item for one in touched for item in one.again]
        settle_redeliveries(cursor, again, [item for one in touched for item in one.smaller.values()])
        copy_payloads(cursor, [*arriving.events, *arriving.uncorrelated], now)
        copy_uncorrelated(cursor, arriving.uncorrelated, now)
        copy_undecodable(cursor, arriving.undecodable, now)
        keys.save(cursor, (item for one in touched for item in one.incoming))
        seen = {(event.type, event.service, record.topic.row) for record, event in arriving.events}
        if new := sorted(seen - self._ctx.types):
            cursor.execute(_NEW_TYPES, arrays(new))

    def judge(self) -> list[Change]:
        """The touched transactions, judged anew; those with too many events are only counted."""
        limit = self._ctx.rulebook.limits.transaction_events
        changes = []
        for touched in self._touched.values():
            row, events = touched.row, touched.events
            if row.oversized or len(events) > limit:
                total = row.event_count + len(touched.arrived)
                changes.append(judgement.suspend(row, events, self._ctx, total, touched.redeliveries))
            else:
                changes.append(judgement.judge(row, events, self._ctx, touched.redeliveries))
        return changes

    def tally(self, changes: Sequence[Change]) -> Tally:
        """What came and what became of the transactions, for the statistics."""
        tally = Tally(self._ctx.now)
        for change in changes:
            tally.count_events(change, self._touched[change.row.id].arrived, self._ctx.rulebook)
            tally.count_outcome(change)
        return tally

    def summary(self, changed: Sequence[Change]) -> Written:
        """`changed`: the transactions that were not only touched."""
        arriving, touched = self._arriving, self._touched.values()
        return Written(
            changed=tuple([change.row.transaction_id for change in changed]),
            alerts=any(change.causes != change.old_causes for change in changed),
            events=sum([len(one.arrived) for one in touched]),
            redeliveries=sum([one.redeliveries for one in touched]),
            dropped=arriving.dropped,
            undecodable=len(arriving.undecodable),
            uncorrelated=len(arriving.uncorrelated),
            reasons=tuple([found.reason for _, found in arriving.undecodable]),
        )

    def remember(self, changes: Sequence[Change]) -> None:
        """After the commit: keeps the events of transactions that more may come of."""
        for change in changes:
            row = change.row
            if change.is_open and not change.state.oversized:
                self._memory.keep(row.id, row.version + change.changed, self._touched[row.id].events)
            else:
                self._memory.forget(row.id)
