"""Batch → one atomic write: events, the state of every transaction they touch, and the progress of reading.

The only way in. The number of statements does not depend on the number of records. docs/architecture.md tells the order
of locks and why nothing is lost and nothing counted twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from collector.correlation.choreography import RuleBook
from collector.correlation.events import EventKey, Skeleton
from collector.decoding import Event, Found, Undecodable, opened
from collector.kafka import Span
from collector.records import Record
from collector.storage import context, judgement, keys, saving
from collector.storage.context import Context
from collector.storage.judgement import Change, Row
from collector.storage.sql import array, arrays, binary_cursor
from collector.storage.storing import (
    Incoming,
    Redelivery,
    copy_events,
    copy_payloads,
    copy_uncorrelated,
    copy_undecodable,
    make_room,
    settle_redeliveries,
)
from collector.storage.tally import Tally

Decoded = tuple[Record, Found]

LOCK_PROGRESS = """
SELECT p.topic_id, p.partition, p.next_offset, EXISTS (
    SELECT FROM collector_gap g WHERE g.topic_id = p.topic_id AND g.partition = p.partition AND g.kind = 'truncation')
FROM collector_progress p
JOIN unnest(%s::bigint[], %s::int[]) AS v(topic_id, partition) USING (topic_id, partition)
ORDER BY p.topic_id, p.partition FOR UPDATE OF p
"""
ADVANCE_PROGRESS = """
UPDATE collector_progress p SET next_offset = v.next_offset, updated_at = clock_timestamp(),
    last_record_at = coalesce(v.last_record_at, p.last_record_at)
FROM unnest(%s::bigint[], %s::int[], %s::bigint[], %s::timestamptz[])
    AS v(topic_id, partition, next_offset, last_record_at)
WHERE p.topic_id = v.topic_id AND p.partition = v.partition
"""
INSERT_MISSING = """
INSERT INTO collector_transaction (transaction_id, day, first_seen_at, choreography, phase, started_at, last_event_at,
    ended_by, event_count, redelivery_count, failed_delivery_count, partial, oversized, historic, rules, version,
    abandoned_by, abandoned_reason, state)
SELECT v.id, (v.now AT TIME ZONE 'UTC')::date, v.now, '', 'running', v.now, v.now,
    '', 0, 0, 0, false, false, false, 0, 0, '', '', '{}'
FROM (SELECT unnest(%s::text[]) AS id, clock_timestamp() AS now) AS v
WHERE NOT EXISTS (SELECT FROM collector_transaction t WHERE t.transaction_id = v.id)
ORDER BY v.id ON CONFLICT (transaction_id) DO NOTHING
"""
_NEW_TYPES = """
INSERT INTO collector_eventtype (type, service, topic_id, first_seen_at)
SELECT v.*, clock_timestamp() FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS v
ON CONFLICT (type, service, topic_id) DO NOTHING
"""


class Behind(Exception):
    """Stored progress is below the position a batch was fetched from: nothing was written, and it has to be read
    again from there. `keys` are the partitions (topic row, partition) concerned."""

    def __init__(self, keys: Iterable[tuple[int, int]]) -> None:
        self.keys = list(keys)
        super().__init__(f"stored progress is behind on {self.keys}")


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


def write(spans: Sequence[Span], decoded: Sequence[Decoded], rulebook: RuleBook, writer: str) -> Written:
    """Stores what was read of some partitions and what `decode` made of it. Raises `Behind` with nothing written."""
    with transaction.atomic(), binary_cursor() as cursor:
        stored, truncated = _lock_progress(cursor, spans)
        arriving = opened(decoded)
        fresh = [pair for pair in arriving if pair[0].offset >= stored[pair[0].topic.row, pair[0].partition]]
        names = sorted({name for _, found in fresh if isinstance(found, Event) for name in found.transaction_ids})
        rows = _lock_transactions(cursor, names)
        ctx = context.load(cursor, rulebook)
        batch = _Batch(fresh, rows, ctx)
        batch.merge(batch.stored(cursor))
        make_room(cursor, [(*span.key, span.start, span.next_offset) for span in spans if span.key in truncated])
        batch.write_records(cursor)
        keys.save(cursor, (item for items in batch.incoming.values() for item in items))
        changes = batch.judge()
        saving.save(cursor, [change for change in changes if change.changed], writer, ctx.now, rulebook.version)
        saving.save_tally(cursor, batch.tally(changes), writer)
        _advance(cursor, spans, stored)
        return batch.summary(changes, dropped=len(arriving) - len(fresh))


def _lock_progress(
    cursor: CursorWrapper, spans: Sequence[Span]
) -> tuple[dict[tuple[int, int], int], set[tuple[int, int]]]:
    """The stored progress of these partitions, and which of them once lost the end of their log."""
    keys = sorted(span.key for span in spans)
    cursor.execute(LOCK_PROGRESS, arrays(keys))
    found = cursor.fetchall()
    stored = {(row, partition): offset for row, partition, offset, _ in found}
    if behind := [span.key for span in spans if stored.get(span.key, -1) < span.start]:
        raise Behind(behind)
    return stored, {(row, partition) for row, partition, _, truncated in found if truncated}


def _lock_transactions(cursor: CursorWrapper, names: list[str]) -> list[Row]:
    if not names:
        return []
    cursor.execute(INSERT_MISSING, [array(names)])
    return judgement.lock_by_name(cursor, names)


def _advance(cursor: CursorWrapper, spans: Sequence[Span], stored: dict[tuple[int, int], int]) -> None:
    ahead = [span for span in spans if span.next_offset > stored[span.key]]
    if ahead:
        last = [span.records[-1].timestamp if span.records else None for span in ahead]
        moved = [(*span.key, span.next_offset, moment) for span, moment in zip(ahead, last, strict=True)]
        cursor.execute(ADVANCE_PROGRESS, arrays(moved))


class _Batch:
    """A batch on its way in: what each touched transaction has, and what arrives."""

    def __init__(self, fresh: Sequence[tuple[Record, Event | Undecodable]], rows: Sequence[Row], ctx: Context) -> None:
        self.fresh, self.ctx = fresh, ctx
        self.rows = {row.id: row for row in rows}
        by_name = {row.transaction_id: row.id for row in rows}
        self.incoming: dict[int, list[Incoming]] = {row.id: [] for row in rows}
        for record, found in fresh:
            if isinstance(found, Event):
                for name in found.transaction_ids:
                    row = by_name[name]
                    self.incoming[row].append(Incoming(row, self.rows[row].day, record, found, ctx.now))
        self.events: dict[int, list[Skeleton]] = {}
        self.arrived: dict[int, dict[EventKey, Incoming]] = {row: {} for row in self.rows}
        self.again: dict[int, list[Redelivery]] = {row: [] for row in self.rows}

    def stored(self, cursor: CursorWrapper) -> dict[int, list[Skeleton]]:
        """The stored events of the touched transactions; of oversized ones, only those that arrive again."""
        whole = [row for row in self.rows.values() if not row.is_new and not row.oversized]
        found = judgement.skeletons(cursor, whole, self.ctx.topic_names)
        if large := [row for row in self.rows.values() if row.oversized]:
            keys = [(row.id, *item.skeleton.key) for row in large for item in self.incoming[row.id]]
            found |= judgement.skeletons(cursor, large, self.ctx.topic_names, only=keys)
        return found

    def merge(self, stored: dict[int, list[Skeleton]]) -> None:
        """Adds what arrives to what is stored. Of an event's copies the smallest counts, others are redeliveries."""
        for row, incoming in self.incoming.items():
            known = {event.key: event for event in stored.get(row, ())}
            arrived, again = self.arrived[row], self.again[row]
            for item in incoming:
                event = item.skeleton
                present = known.get(event.key)
                if present is None:
                    arrived[event.key] = item
                    known[event.key] = event
                    continue
                smaller = event.copy_order < present.copy_order
                if smaller:
                    known[event.key] = event
                if event.key in arrived:
                    kept = item if smaller else arrived[event.key]
                    arrived[event.key] = msgspec.structs.replace(kept, redeliveries=arrived[event.key].redeliveries + 1)
                else:
                    again.append(Redelivery(item, replaces=smaller))
            self.events[row] = list(known.values())

    def write_records(self, cursor: CursorWrapper) -> None:
        copy_events(cursor, [item for row in sorted(self.arrived) for item in self.arrived[row].values()])
        settle_redeliveries(cursor, [item for row in sorted(self.again) for item in self.again[row]])
        copy_payloads(cursor, self.fresh, self.ctx.now)
        copy_uncorrelated(cursor, self.fresh, self.ctx.now)
        copy_undecodable(cursor, self.fresh, self.ctx.now)
        self._new_types(cursor)

    def _new_types(self, cursor: CursorWrapper) -> None:
        seen = {
            (found.type, found.service, record.topic.row)
            for record, found in self.fresh
            if isinstance(found, Event) and found.transaction_ids
        }
        if new := sorted(seen - self.ctx.types):
            cursor.execute(_NEW_TYPES, arrays(new))

    def judge(self) -> list[Change]:
        """The touched transactions, judged anew; those with too many events are only counted."""
        limit = self.ctx.rulebook.limits.transaction_events
        changes = []
        for row in self.rows.values():
            events, again = self.events[row.id], self._redeliveries(row.id)
            if row.oversized or len(events) > limit:
                total = row.event_count + len(self.arrived[row.id])
                changes.append(judgement.suspend(row, events, self.ctx, total, again))
            else:
                changes.append(judgement.judge(row, events, self.ctx, again))
        return changes

    def _redeliveries(self, row: int) -> int:
        return len(self.again[row]) + sum(item.redeliveries for item in self.arrived[row].values())

    def tally(self, changes: Iterable[Change]) -> Tally:
        tally = Tally(self.ctx.now)
        for change in changes:
            tally.count_events(change, self.arrived[change.row.id], self.ctx.rulebook)
            tally.count_outcome(change)
        return tally

    def summary(self, changes: Sequence[Change], dropped: int) -> Written:
        events = [found for _, found in self.fresh if isinstance(found, Event)]
        return Written(
            changed=tuple(change.row.transaction_id for change in changes if change.changed),
            alerts=any(change.causes != change.old_causes for change in changes),
            events=sum(len(arrived) for arrived in self.arrived.values()),
            redeliveries=sum(self._redeliveries(row) for row in self.rows),
            dropped=dropped,
            undecodable=len(self.fresh) - len(events),
            uncorrelated=sum(not event.transaction_ids for event in events),
            reasons=tuple(found.reason for _, found in self.fresh if isinstance(found, Undecodable)),
        )


def database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]
