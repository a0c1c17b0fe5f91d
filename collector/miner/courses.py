"""What transactions did, out of the database: the moments of their events in event order, and their shape.

The database puts events in order and hands over one row for each transaction. For most, times alone decide the order;
in many logs no event names its causes. Only of the others more is asked for.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from django.db.backends.utils import CursorWrapper

from collector.bus import announcement_id
from collector.correlation.shape import Shape, course_of, shape_by
from collector.mining.contribution import gaps_of, micros_of, without_echoes
from collector.storage.judgement import skeletons
from collector.storage.sql import array, read_ahead

# A run of rows that follow each other is read along the index, in its order: half as much work as looking for each of
# them. `ANY` lets the planner leave out the other days.
_RUNS = "unnest(%s::date[], %s::bigint[], %s::bigint[]) AS run(day, first, last)"
_THEIRS = "e.day = run.day AND e.day = ANY(%s::date[]) AND e.transaction BETWEEN run.first AND run.last"
_PLAIN = f"""
SELECT theirs.* FROM {_RUNS}, LATERAL (
    SELECT e.transaction, string_agg(timestamptz_send(e.time), '' ORDER BY e.time),
        array_send(array_agg(e.type ORDER BY e.time)), bool_or(e.causes IS NOT NULL OR e.trace <> '')
    FROM collector_event e WHERE {_THEIRS} GROUP BY e.transaction) AS theirs
"""
# As `collector.correlation.events.in_order` has it.
_ORDER = """ORDER BY e.time, e.record_time, coalesce(t.name, '') COLLATE "C", e.partition, e."offset",
    e.event_id COLLATE "C", e.source COLLATE "C" """
_WHOLE = f"""
SELECT theirs.* FROM {_RUNS}, LATERAL (
    SELECT e.transaction, string_agg(timestamptz_send(e.time), '' {_ORDER}), array_agg(e.type {_ORDER}),
        array_agg(e.event_id {_ORDER}), array_agg(coalesce(e.causes::text, '') {_ORDER}), array_agg(e.trace {_ORDER})
    FROM collector_event e LEFT JOIN collector_topic t ON t.id = e.topic_id WHERE {_THEIRS}
    GROUP BY e.transaction) AS theirs
"""
_ANNOUNCED = """
SELECT transaction, id, at FROM collector_transition
WHERE transaction = ANY(%s::bigint[]) AND day = ANY(%s::date[]) AND detail ? 'announcement'
"""
_TOPICS = "SELECT id, name FROM collector_topic"
_SENT_FROM = micros_of(datetime(2000, 1, 1, tzinfo=UTC))
"""A moment is sent as the microseconds since then."""
_HEADER, _LENGTH = struct.Struct(">5i"), struct.Struct(">i")
"""How many dimensions, whether there are nulls, the type, how many elements, the first's number; each one's length."""

_LONG = 1_000
PIECE = 5_000
"""Events that are read at once: what is sent of them fits into a socket's buffer. Of more, the database would wait for
them to be taken, instead of working on the next while these are looked at."""

_causes = msgspec.json.Decoder(tuple[str, ...])


class Found(NamedTuple):
    """A transaction as it is stored now."""

    id: int
    transaction_id: str
    day: date
    choreography: str
    status: str
    countable: bool
    events: int = 0


class Went(NamedTuple):
    """When it began, in microseconds since 1970, those between each of its events and the next, and their shape."""

    found: Found
    began: int
    gaps: tuple[int, ...]
    shape: Shape


def courses(cursor: CursorWrapper, rows: Sequence[Found]) -> Generator[Went]:
    """Of those of these transactions that have events which do not follow from what Choreoscope itself told the bus. No
    statement can be executed until this has ended or was closed."""
    if not rows:
        return
    rows = sorted(rows)
    by_id = {row.id: row for row in rows}
    shapes: dict[bytes, Shape] = {}
    others = []
    with closing(_read(cursor, _PLAIN, rows)) as plain:
        for row, sent, types, linked in plain:
            began, gaps = _times(sent)
            if linked or 0 in gaps:
                others.append(by_id[row])
                continue
            shape = shapes.get(types)
            if shape is None:
                shape = shapes[types] = Shape((_known_texts if len(types) < _LONG else _texts)(types))
            yield Went(by_id[row], began, gaps, shape)
    ours = announced(cursor, others)  # what names no causes follows from nothing that was told
    for piece in _pieces([found for found in others if found.id in ours]):
        yield from _without(cursor, piece, ours)
    whole = [found for found in others if found.id not in ours]
    if not whole:
        return
    with closing(_read(cursor, _WHOLE, whole)) as read:
        for row, sent, names, ids, causes, traces in read:
            named = [_causes.decode(those) if those else () for those in causes]
            yield Went(by_id[row], *_times(sent), shape_by(tuple(names), ids, named, traces))


def _read(cursor: CursorWrapper, statement: str, rows: Sequence[Found]) -> Generator[tuple[Any, ...]]:
    return read_ahead(cursor, statement, map(_parameters, _pieces(rows)))


def _pieces(rows: Iterable[Found]) -> Iterator[list[Found]]:
    """As many at a time as may be read at once."""
    piece: list[Found] = []
    events = 0
    for row in rows:
        if piece and events + row.events > PIECE:
            yield piece
            piece, events = [], 0
        piece.append(row)
        events += row.events
    if piece:
        yield piece


def _parameters(rows: Iterable[Found]) -> list[str]:
    """The runs that these rows, in order, make up: nothing else lies in them."""
    days: list[str] = []
    first: list[int] = []
    last: list[int] = []
    before = None
    for row in rows:
        if before is None or row.id != before.id + 1 or row.day != before.day:
            days.append(row.day.isoformat())
            first.append(row.id)
            last.append(row.id)
        else:
            last[-1] = row.id
        before = row
    return [array(days), array(first), array(last), array(sorted(set(days)))]


def _texts(sent: bytes) -> tuple[str, ...]:
    """An array as PostgreSQL sends it: so most need not be taken apart, since many transactions went the same way."""
    place, texts = _HEADER.size, []
    for _ in range(_HEADER.unpack_from(sent)[3]):
        start = place + _LENGTH.size
        place = start + _LENGTH.unpack_from(sent, place)[0]
        texts.append(sent[start:place].decode())
    return tuple(texts)


_known_texts = lru_cache(maxsize=4_096)(_texts)
"""Most ways are gone again and again; only short ones are remembered."""


def _times(sent: bytes) -> tuple[int, tuple[int, ...]]:
    moments = _moments(len(sent)).unpack(sent)
    return _SENT_FROM + moments[0], gaps_of(moments)


@lru_cache(maxsize=4_096)
def _moments(size: int) -> struct.Struct:
    return struct.Struct(f">{size // 8}q")


def _without(cursor: CursorWrapper, rows: Sequence[Found], ours: dict[int, list[str]]) -> Iterator[Went]:
    """Those that Choreoscope told the bus of: what followed from that is left out."""
    cursor.execute(_TOPICS)
    events = skeletons(cursor, rows, dict(cursor.fetchall()))
    for row in rows:
        if counted := without_echoes(events[row.id], ours[row.id]):
            course = course_of(counted)
            moments = [micros_of(event.time) for event in course.ordered]
            yield Went(row, moments[0], gaps_of(moments), course.shape)


def announced(cursor: CursorWrapper, rows: Sequence[Found]) -> dict[int, list[str]]:
    """By transaction, the ids of what Choreoscope told the bus about it."""
    if not rows:
        return {}
    cursor.execute(_ANNOUNCED, [array(row.id for row in rows), array(sorted({row.day for row in rows}))])
    names = {row.id: row.transaction_id for row in rows}
    found: dict[int, list[str]] = {}
    for row, transition, at in cursor.fetchall():
        found.setdefault(row, []).append(announcement_id(names[row], transition, at))
    return found
