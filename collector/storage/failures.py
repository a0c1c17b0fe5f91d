"""Failed deliveries: kept by the id of the transaction, whether that has been read or not, and counted once it has.

They are no events: what happened is told by the original. A row waits (`due_at`) until its transaction is there; its
count is then raised in a database transaction of its own, so that batches never wait for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.backends.utils import CursorWrapper

from collector.decoding import Event
from collector.records import Record
from collector.storage import linking
from collector.storage.sql import array, arrays, binary_cursor, copy

MOST = 2_000
_COLUMNS = (
    ("day", "date"),
    ("transaction_id", "text"),
    ("topic_id", "int8"),
    ("partition", "int4"),
    ("offset", "int8"),
    ("record_time", "timestamptz"),
    ("received_at", "timestamptz"),
    ("source", "text"),
    ("event_id", "text"),
    ("type", "text"),
    ("retried", "bool"),
    ("convention", "text"),
    ("original_topic", "text"),
    ("original_partition", "int4"),
    ("original_offset", "int8"),
    ("exception", "text"),
    ("message", "text"),
    ("attempts", "int8"),
    ("due_at", "timestamptz"),
)
# Looked at again after as long as it has been waiting: soon at first, once a day in the end.
_DUE = """
SELECT f.day, f.transaction_id, f.topic_id, f.partition, f."offset" FROM collector_failure f
WHERE f.due_at <= clock_timestamp() ORDER BY f.due_at LIMIT %s FOR UPDATE SKIP LOCKED
"""
_LOCK = """
SELECT id, transaction_id FROM collector_transaction
WHERE transaction_id = ANY(%s::text[]) AND merged_into IS NULL ORDER BY id FOR UPDATE
"""
_COUNT = """
UPDATE collector_transaction t SET failed_delivery_count = t.failed_delivery_count + v.n, version = t.version + 1
FROM unnest(%s::bigint[], %s::int[]) AS v(id, n) WHERE t.id = v.id
"""
_SETTLE = """
UPDATE collector_failure f SET due_at = CASE WHEN v.found THEN NULL ELSE
    clock_timestamp() + least(greatest(clock_timestamp() - f.received_at, interval '1 s'), interval '1 d') END
FROM unnest(%s::date[], %s::text[], %s::bigint[], %s::int[], %s::bigint[], %s::bool[])
    AS v(day, transaction_id, topic_id, partition, start, found)
WHERE f.day = v.day AND f.transaction_id = v.transaction_id AND f.topic_id = v.topic_id
  AND f.partition = v.partition AND f."offset" = v.start
"""


def save(cursor: CursorWrapper, arriving: Sequence[tuple[Record, Event]], now: datetime) -> None:
    """Stores these copies, one for each transaction that they name: of a record with several events of a transaction,
    the first stands for them all."""
    found = {
        (name, record.topic.row, record.partition, record.offset): (record, event)
        for record, event in reversed(arriving)
        for name in event.transaction_ids
    }
    copy(
        cursor,
        "collector_failure",
        _COLUMNS,
        [
            (
                now.date(),
                name,
                record.topic.row,
                record.partition,
                record.offset,
                event.record_time,
                now,
                event.source,
                event.id,
                event.type,
                "retry" in record.topic.name.lower(),
                failure.convention,
                failure.topic,
                failure.partition,
                failure.offset,
                failure.exception,
                failure.message,
                failure.attempts,
                now,
            )
            for (name, *_), (record, event) in found.items()
            if (failure := event.failure) is not None
        ],
    )


def attach(most: int = MOST) -> tuple[str, ...]:
    """Counts what has not been counted yet of transactions that are there; returns their ids."""
    with transaction.atomic(), binary_cursor() as cursor:
        cursor.execute(_DUE, [most])
        due = cursor.fetchall()
        if not due:
            return ()
        names = Counter(row[1] for row in due)
        aliases = linking.roots(cursor, sorted(names))
        cursor.execute(_LOCK, [array(sorted({aliases.get(name, name) for name in names}))])
        locked = {name: row for row, name in cursor.fetchall()}
        rows = {name: locked[at] for name in names if (at := aliases.get(name, name)) in locked}
        if rows:
            counts: Counter[int] = Counter()
            for name, row in rows.items():
                counts[row] += names[name]
            cursor.execute(_COUNT, arrays(sorted(counts.items())))
        cursor.execute(_SETTLE, arrays((*one, one[1] in rows) for one in due))
        return tuple(sorted(rows))
