"""What the statements of ingestion cost without any of our logic: the bound that the collector is measured against.

The same binary COPY of events and payloads, the same insertion, locks and updates of transactions, the same progress,
in batches of the same size, from rows that were made beforehand. Nothing is decoded, nothing read back, nothing judged.
"""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

import msgspec
import psycopg

from benchmarks import stream
from collector.intake.ahead import RECORDS
from collector.storage.judgement import LOCK_BY_NAME
from collector.storage.saving import UPDATE_TRANSACTIONS
from collector.storage.sql import array, arrays
from collector.storage.store import ADVANCE_PROGRESS, INSERT_MISSING, LOCK_PROGRESS
from collector.storage.storing import EVENT_COLUMNS, PAYLOAD_COLUMNS


class Batch(NamedTuple):
    events: list[list[Any]]
    """Without the transaction's row, which the database gives."""
    payloads: list[tuple[Any, ...]]
    ids: list[str]
    """The transaction of each event."""
    progress: list[tuple[int, int, int, datetime]]


def run(database: str, events: int) -> float:
    """Seconds for storing `events` events in batches."""
    with psycopg.connect(database, autocommit=True) as connection:
        topics = _prepare(connection)
        seconds, offsets = 0.0, Counter[tuple[int, int]]()
        records = stream.records(events)
        while chunk := list(islice(records, RECORDS)):
            batch = _rows(chunk, topics, offsets)
            begun = time.perf_counter()
            _store(connection, batch)
            seconds += time.perf_counter() - begun
    return seconds


def _prepare(connection: psycopg.Connection) -> dict[str, int]:
    today = datetime.now(UTC).date()
    for table in ("event", "payload"):
        connection.execute(
            f"CREATE TABLE collector_{table}_bench PARTITION OF collector_{table} "
            f"FOR VALUES FROM ('{today}') TO ('{today + timedelta(days=1)}')"
        )
    topics = {}
    for name in stream.TOPICS:
        row = connection.execute(
            "INSERT INTO collector_topic (cluster, uid, name, first_seen_at) "
            "VALUES ('bench', %s, %s, now()) RETURNING id",
            [name, name],
        ).fetchone()
        topics[name] = row[0] if row else 0
        for partition in range(stream.PARTITIONS):
            connection.execute(
                "INSERT INTO collector_progress (topic_id, partition, next_offset, first_offset, from_start, "
                "updated_at) VALUES (%s, %s, 0, 0, true, now())",
                [topics[name], partition],
            )
    return topics


def _rows(chunk: list[stream.RecordFields], topics: dict[str, int], offsets: Counter[tuple[int, int]]) -> Batch:
    now = datetime.now(UTC)
    day: date = now.date()
    events: list[list[Any]] = []
    payloads, ids = [], []
    for topic, partition, key, value, headers in chunk:
        row, found = topics[topic], {name: text.decode() for name, text in headers}
        offset = offsets[row, partition]
        offsets[row, partition] += 1
        causes = (
            b"\x01" + msgspec.json.encode(found["ce_causationid"].split(",")) if "ce_causationid" in found else None
        )
        kind, source = found["ce_type"], found["ce_source"]
        service = source.rsplit("/", 1)[1]
        events.append([day, 0, source, found["ce_id"], kind, service, now, now, now, row, partition, offset, causes])
        events[-1] += ["", "CloudEvents binary", "header ce_correlationid", "", None, None, 0]
        payloads.append((day, row, partition, offset, key, b"[]" * 150, value, len(value)))
        ids.append(found["ce_correlationid"])
    touched = {(event[9], event[10]) for event in events}
    return Batch(events, payloads, ids, [(*key, offsets[key], now) for key in sorted(touched)])


def _store(connection: psycopg.Connection, batch: Batch) -> None:
    counts = Counter(batch.ids)
    names = sorted(counts)
    now = datetime.now(UTC)
    with connection.transaction(), connection.cursor(binary=True) as cursor:
        cursor.execute(LOCK_PROGRESS, arrays(key[:2] for key in batch.progress))
        cursor.execute(INSERT_MISSING, [array(names)])
        cursor.execute(LOCK_BY_NAME, [array(names)])
        rows = {name: row for row, name, *_ in cursor.fetchall()}
        for event, name in zip(batch.events, batch.ids, strict=True):
            event[1] = rows[name]
        for table, columns, values in (
            ("collector_event", EVENT_COLUMNS, batch.events),
            ("collector_payload", PAYLOAD_COLUMNS, batch.payloads),
        ):
            quoted = ", ".join(f'"{name}"' for name, _ in columns)
            with cursor.copy(f"COPY {table} ({quoted}) FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types([kind for _, kind in columns])
                for value in values:
                    copy.write_row(value)
        state = '{"pending":[{"rule":"0","kind":"response","after":["OrderPlaced"],"expect":["PaymentAuthorized"]}]}'
        fixed = ("order-fulfilment", "running", None, now, now, None, "")
        updates = [(rows[name], *fixed, counts[name], 0, False, False, False, state) for name in names]
        cursor.execute(UPDATE_TRANSACTIONS, [1, *arrays(updates)])
        cursor.execute(ADVANCE_PROGRESS, arrays(batch.progress))
