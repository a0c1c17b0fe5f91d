"""Batch → one atomic write: events, the state of every transaction they touch, and the progress of reading.

The only way in. The number of statements does not depend on the number of records. docs/architecture.md tells the order
of locks and why nothing is lost and nothing counted twice.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import connection
from django.db.backends.utils import CursorWrapper

from collector.correlation.choreography import RuleBook
from collector.kafka import Span
from collector.storage import linking
from collector.storage.arriving import Arriving, Decoded
from collector.storage.batch import Batch, Written
from collector.storage.memory import Memory
from collector.storage.sql import Atomic, arrays, binary_cursor, pipelined
from collector.storage.storing import make_room

__all__ = ["Behind", "Decoded", "Written", "database_now", "write"]

LOCK_PROGRESS = """
SELECT p.topic_id, p.partition, p.next_offset, EXISTS (
    SELECT FROM collector_gap g WHERE g.topic_id = p.topic_id AND g.partition = p.partition AND g.kind = 'truncation')
FROM collector_progress p
JOIN unnest(%s::bigint[], %s::int[]) AS v(topic_id, partition) USING (topic_id, partition)
ORDER BY p.topic_id, p.partition FOR UPDATE OF p
"""
ADVANCE_PROGRESS = """
UPDATE collector_progress p SET next_offset = v.next_offset, updated_at = clock_timestamp(),
    last_record_at = coalesce(v.last_record_at, p.last_record_at),
    last_offset = coalesce(v.last_offset, p.last_offset),
    leader_epoch = CASE WHEN v.last_offset IS NULL THEN p.leader_epoch ELSE v.leader_epoch END
FROM unnest(%s::bigint[], %s::int[], %s::bigint[], %s::timestamptz[], %s::bigint[], %s::int[])
    AS v(topic_id, partition, next_offset, last_record_at, last_offset, leader_epoch)
WHERE p.topic_id = v.topic_id AND p.partition = v.partition
"""


class Behind(Exception):
    """Stored progress is below the position a batch was fetched from: nothing was written, and it has to be read
    again from there. `keys` are the partitions (topic row, partition) concerned."""

    def __init__(self, keys: Iterable[tuple[int, int]]) -> None:
        self.keys = list(keys)
        super().__init__(f"stored progress is behind on {self.keys}")


def write(
    spans: Sequence[Span], decoded: Sequence[Decoded], rulebook: RuleBook, writer: str, memory: Memory | None = None
) -> Written:
    """Stores what was read of some partitions and what `decode` made of it. Raises `Behind` with nothing written.

    `memory`: what this process stored before, and is to remember now.
    """
    memory = memory or Memory()
    for _ in range(linking.ATTEMPTS):
        with contextlib.suppress(linking.Moved):
            return _write(spans, decoded, rulebook, writer, memory)
    raise Behind(span.key for span in spans)


def _write(
    spans: Sequence[Span], decoded: Sequence[Decoded], rulebook: RuleBook, writer: str, memory: Memory
) -> Written:
    with Atomic(), binary_cursor() as cursor:
        stored, truncated = _lock_progress(cursor, spans)
        arriving = Arriving.of(decoded, spans, stored)
        # before transactions are locked: who counts failed deliveries locks these first
        make_room(cursor, [(*span.key, span.start, span.next_offset) for span in spans if span.key in truncated])
        batch = Batch(arriving, rulebook, memory)
        batch.lock(cursor)
        batch.write_records(cursor, writer)
        with pipelined():
            batch.save(cursor, writer)
            _advance(cursor, spans, stored)
    batch.remember()
    return batch.summary()


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


def _advance(cursor: CursorWrapper, spans: Sequence[Span], stored: dict[tuple[int, int], int]) -> None:
    ahead = [span for span in spans if span.next_offset > stored[span.key]]
    if ahead:
        moved = [(*span.key, span.next_offset, *_last(span)) for span in ahead]
        cursor.execute(ADVANCE_PROGRESS, arrays(moved))


def _last(span: Span) -> tuple[datetime | None, int | None, int | None]:
    """The last record's timestamp, offset and leader epoch, as far as there are any."""
    if not span.records:
        return None, None, None
    last = span.records[-1]
    return last.timestamp, last.offset, last.leader_epoch if last.leader_epoch >= 0 else None


def database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]
