"""The statements that write records: events, payloads, and what could not be read or belongs nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import Any

import msgspec
from django.db.backends.utils import CursorWrapper

from collector.decoding import Event, Undecodable
from collector.records import Record
from collector.storage.arriving import Incoming
from collector.storage.judgement import Row
from collector.storage.sql import arrays, copy, copying

PAYLOAD_BYTES = 2 * 1024 * 1024
"""A value up to this size is stored whole; of a larger one, only its beginning."""
CUT_BYTES = 64 * 1024

_COORDINATES = (("day", "date"), ("topic_id", "int8"), ("partition", "int4"), ("offset", "int8"))
EVENT_COLUMNS = (
    ("day", "date"),
    ("transaction", "int8"),
    ("source", "text"),
    ("event_id", "text"),
    ("type", "text"),
    ("service", "text"),
    ("time", "timestamptz"),
    ("record_time", "timestamptz"),
    ("received_at", "timestamptz"),
    ("topic_id", "int8"),
    ("partition", "int4"),
    ("offset", "int8"),
    ("causes", "bytea"),  # jsonb in its binary form
    ("subject", "text"),
    ("dialect", "text"),
    ("basis", "text"),
    ("trace", "text"),
    ("keys", "bytea"),
    ("notes", "bytea"),
    ("redeliveries", "int4"),
)
_JSON = [i for i, (name, _) in enumerate(EVENT_COLUMNS) if name in ("causes", "keys", "notes")]
PAYLOAD_COLUMNS = (*_COORDINATES, ("key", "bytea"), ("headers", "bytea"), ("value", "bytea"), ("size", "int4"))
_UNCORRELATED_COLUMNS = (
    *_COORDINATES,
    ("position", "int2"),
    ("record_time", "timestamptz"),
    ("received_at", "timestamptz"),
    ("source", "text"),
    ("event_id", "text"),
    ("type", "text"),
    ("service", "text"),
    ("time", "timestamptz"),
    ("dialect", "text"),
    ("notes", "bytea"),
)
_UNDECODABLE_COLUMNS = (
    *_COORDINATES,
    ("record_time", "timestamptz"),
    ("received_at", "timestamptz"),
    ("reason", "text"),
    ("detail", "text"),
    ("size", "int4"),
    ("raw", "bytea"),
)
_MAKE_ROOM = """
DELETE FROM {table} t USING unnest(%s::bigint[], %s::int[], %s::bigint[], %s::bigint[])
    AS v(topic_id, partition, start, next_offset)
WHERE t.topic_id = v.topic_id AND t.partition = v.partition AND t."offset" >= v.start AND t."offset" < v.next_offset
"""
_COUNT_REDELIVERIES = """
UPDATE collector_event e SET redeliveries = e.redeliveries + v.n
FROM (SELECT day, transaction, source, event_id, count(*) AS n
      FROM unnest(%s::date[], %s::bigint[], %s::text[], %s::text[]) AS u(day, transaction, source, event_id)
      GROUP BY 1, 2, 3, 4) AS v
WHERE e.day = v.day AND e.transaction = v.transaction AND e.source = v.source AND e.event_id = v.event_id
"""
_REPLACE = """
UPDATE collector_event e SET type = v.type, service = v.service, time = v.time, record_time = v.record_time,
    received_at = v.received_at, topic_id = v.topic_id, partition = v.partition, "offset" = v."offset",
    causes = v.causes::jsonb, subject = v.subject, dialect = v.dialect, basis = v.basis, trace = v.trace,
    keys = v.keys::jsonb, notes = v.notes::jsonb
FROM unnest(%s::date[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[],
    %s::timestamptz[], %s::timestamptz[], %s::bigint[], %s::int[], %s::bigint[], %s::text[], %s::text[], %s::text[],
    %s::text[], %s::text[], %s::text[], %s::text[])
    AS v(day, transaction, source, event_id, type, service, time, record_time, received_at, topic_id, partition,
         "offset", causes, subject, dialect, basis, trace, keys, notes)
WHERE e.day = v.day AND e.transaction = v.transaction AND e.source = v.source AND e.event_id = v.event_id
"""


def _jsonb(values: Sequence[Any]) -> bytes | None:
    """The binary form of jsonb: a version number, then the text. Null for nothing."""
    return b"\x01" + msgspec.json.encode(values) if values else None


def _text(jsonb: bytes | None) -> str | None:
    return jsonb[1:].decode() if jsonb else None


def make_room(cursor: CursorWrapper, ranges: Sequence[tuple[int, int, int, int]]) -> None:
    """Drops what is stored by these coordinates (topic, partition, from offset, up to offset): after a log was
    truncated, they may be other records' now."""
    if ranges:
        columns = [list(column) for column in zip(*ranges, strict=True)]
        for table in ("collector_failure", "collector_payload", "collector_uncorrelated", "collector_undecodable"):
            cursor.execute(_MAKE_ROOM.format(table=table), columns)


def copying_events(cursor: CursorWrapper, items: Iterable[tuple[Row, Incoming, int]]) -> AbstractContextManager[None]:
    """Stores these events, as `copying`; the number with each says how many redeliveries of it came along."""
    return copying(cursor, "collector_event", EVENT_COLUMNS, (_columns(*item) for item in items))


def _columns(row: Row, item: Incoming, copies: int) -> tuple[Any, ...]:
    """An event's columns as `EVENT_COLUMNS` names them."""
    event, record = item.event, item.record
    return (
        row.day,
        row.id,
        event.source,
        event.id,
        event.type,
        event.service,
        event.time,
        event.record_time,
        item.skeleton.received_at,
        record.topic.row,
        record.partition,
        record.offset,
        _jsonb(event.causes) if event.causes else None,
        event.subject,
        event.dialect,
        event.basis,
        event.trace,
        _jsonb(event.keys) if event.keys else None,
        _jsonb(event.notes) if event.notes else None,
        copies,
    )


def settle_redeliveries(
    cursor: CursorWrapper, again: Sequence[tuple[Row, Incoming]], smaller: Sequence[tuple[Row, Incoming]]
) -> None:
    """Counts these copies of stored events; of the events in `smaller`, this copy is the one to keep."""
    if not again:
        return
    cursor.execute(_COUNT_REDELIVERIES, arrays((row.day, row.id, *item.skeleton.key) for row, item in again))
    if smaller:
        rows = [list(_columns(row, item, 0)[:-1]) for row, item in smaller]
        for columns in rows:
            for column in _JSON:
                columns[column] = _text(columns[column])
        cursor.execute(_REPLACE, arrays(rows))


def copying_payloads(
    cursor: CursorWrapper, found: Sequence[tuple[Record, Event]], now: datetime
) -> AbstractContextManager[None]:
    """Stores the records of events as bytes, unless they are withheld; as `copying`."""
    day = now.date()
    return copying(
        cursor,
        "collector_payload",
        PAYLOAD_COLUMNS,
        (
            (day, record.topic.row, record.partition, record.offset, record.key, record.packed_headers, *_kept(record))
            for record, event in found
            if not event.position and not record.withheld
        ),
    )


def _coordinates(record: Record, now: datetime) -> tuple[date, int, int, int]:
    return (now.date(), record.topic.row, record.partition, record.offset)


def _kept(record: Record) -> tuple[bytes | None, int]:
    value = record.value
    if value is None:
        return None, 0
    return (value if len(value) <= PAYLOAD_BYTES else value[:CUT_BYTES]), len(value)


def copy_uncorrelated(cursor: CursorWrapper, found: Sequence[tuple[Record, Event]], now: datetime) -> None:
    copy(
        cursor,
        "collector_uncorrelated",
        _UNCORRELATED_COLUMNS,
        (
            (
                *_coordinates(record, now),
                event.position,
                event.record_time,
                now,
                event.source,
                event.id,
                event.type,
                event.service,
                event.time,
                event.dialect,
                _jsonb(event.notes),
            )
            for record, event in found
        ),
    )


def copy_undecodable(cursor: CursorWrapper, found: Sequence[tuple[Record, Undecodable]], now: datetime) -> None:
    copy(
        cursor,
        "collector_undecodable",
        _UNDECODABLE_COLUMNS,
        (
            (
                *_coordinates(record, now),
                one.record_time,
                now,
                one.reason,
                one.detail,
                len(record.value or b""),
                one.sealed,
            )
            for record, one in found
        ),
    )
