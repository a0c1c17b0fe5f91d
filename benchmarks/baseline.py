"""What the statements of ingestion cost without any of our logic: the bound that the collector is measured against.

The same binary COPY of events and payloads; the same insertion, locks and updates of transactions, with their deadlines
and transitions; the same progress; in batches of the same size, in perfect order of time, from rows that were made
beforehand. Nothing is decoded, nothing read back, nothing judged, nothing counted.
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
from collector.storage.judgement import LOCK_BY_NAME, MISSING
from collector.storage.saving import DEADLINES, INSERT_TRANSACTIONS, NO_DEADLINES, TRANSITIONS, UPDATE_TRANSACTIONS
from collector.storage.sql import array, arrays
from collector.storage.store import ADVANCE_PROGRESS, LOCK_PROGRESS
from collector.storage.storing import EVENT_COLUMNS, PAYLOAD_COLUMNS

STATE = """{"pending": [{"rule": "1", "kind": "response", "after": ["OrderPlaced"], "expect": ["StockReserved"],
"service": "inventory", "triggers": [["/services/order", "9b318e33d26c46d0918ac09d0f6d15b6"]],
"deadline": "2026-11-20T16:07:54.059233Z"}]}"""


class Batch(NamedTuple):
    events: list[list[Any]]
    """Without the transaction's row, which the database gives."""
    payloads: list[tuple[Any, ...]]
    ids: list[str]
    """The transaction of each event."""
    ended: list[str]
    """The transactions that end in this batch."""
    progress: list[tuple[Any, ...]]


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
    for table in ("event", "payload", "transition"):
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
    payloads, ids, ended = [], [], []
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
        if kind == stream.STEPS[-1][0]:
            ended.append(found["ce_correlationid"])
    touched = {(event[9], event[10]) for event in events}
    progress = [(*key, offsets[key], now, offsets[key] - 1, 0) for key in sorted(touched)]
    return Batch(events, payloads, ids, ended, progress)


def _store(connection: psycopg.Connection, batch: Batch) -> None:
    counts = Counter(batch.ids)
    names = sorted(counts)
    now = datetime.now(UTC)
    later = now + timedelta(seconds=30)
    ended = set(batch.ended)
    with connection.transaction(), connection.cursor(binary=True) as cursor:
        cursor.execute(LOCK_PROGRESS, arrays(key[:2] for key in batch.progress))
        cursor.execute(MISSING, [array(names)])
        new = [name for (name,) in cursor.fetchall()]
        rows = {}
        if new:
            cursor.execute(INSERT_TRANSACTIONS, [1, now, now.date(), *arrays((name, *_state(now, 1)) for name in new)])
            rows = {name: row for row, name in cursor.fetchall()}
        known = [name for name in names if name not in rows]
        if known:
            cursor.execute(LOCK_BY_NAME, [array(known)])
            rows |= {name: row for row, name, *_ in cursor.fetchall()}
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
        if known:
            updates = [(rows[name], *_state(now, counts[name], name in ended)) for name in known]
            cursor.execute(UPDATE_TRANSACTIONS, [1, *arrays(updates)])
        if due := [(rows[name], later) for name in names if name not in ended]:
            cursor.execute(DEADLINES, arrays(due))
        if ended:
            cursor.execute(NO_DEADLINES, [array(rows[name] for name in ended)])
        moved = [(rows[name], "started") for name in new] + [(rows[name], "completed") for name in ended]
        if told := [(now.date(), row, now, kind, "running", None, "{}", False, False) for row, kind in moved]:
            cursor.execute(TRANSITIONS, [now, *arrays(told)])
        cursor.execute(ADVANCE_PROGRESS, arrays(batch.progress))


def _state(now: datetime, count: int, ended: bool = False) -> tuple[Any, ...]:
    phase = "completed" if ended else "running"
    return (
        *("order-fulfilment", phase, None, now, now, now if ended else None, "event" if ended else ""),
        *(count, 0, False, False, False, "{}" if ended else STATE),
    )
