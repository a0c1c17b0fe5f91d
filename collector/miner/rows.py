"""The statements that write what was mined: the numbers of variants, sums, and hours that are over."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from django.db import transaction
from django.db.backends.utils import CursorWrapper

from collector.mining.contribution import HOUR, CausalForm, digest, first_hourly
from collector.mining.counts import Counts, Figure, Key
from collector.storage.sql import array, arrays, binary_cursor, copied, copy_text

MOST_VARIANTS = 100_000
"""Of a choreography, and as many causal ones; what goes another way is counted with the others."""
CHUNK = 2_000
UNSETTLED = 10_000
"""So many rows that are not settled are put up with; readers go through them too."""

_KEY = "choreography, kind, hours, bucket, status, source, target"
_KEYS = "%s::text[], %s::text[], %s::int[], %s::int[], %s::text[], %s::text[], %s::text[]"
_APPENDED = ("settled", *Key._fields, "count", "total", "durations")
_ADD = f"""
INSERT INTO collector_minedcount (settled, {_KEY}, count, total, durations)
SELECT true, {_KEY}, count, total::numeric, durations::jsonb
FROM unnest({_KEYS}, %s::bigint[], %s::text[], %s::text[]) AS v({_KEY}, count, total, durations)
ON CONFLICT DO NOTHING RETURNING {_KEY}
"""
_THERE = f"""
SELECT c.id, v.place, c.count, c.total::text, c.durations::text
FROM unnest({_KEYS}) WITH ORDINALITY AS v({_KEY}, place) JOIN collector_minedcount c USING ({_KEY})
WHERE c.settled ORDER BY v.place FOR UPDATE OF c
"""
_CHANGE = """
UPDATE collector_minedcount c SET count = v.count, total = v.total::numeric, durations = v.durations::jsonb
FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[]) AS v(id, count, total, durations) WHERE c.id = v.id
"""
_VARIANTS = """
SELECT v.choreography, v.causal, v.digest, v.id FROM collector_variant v
JOIN unnest(%s::text[], %s::bool[], %s::text[]) AS w(choreography, causal, digest)
    ON v.choreography = w.choreography AND v.causal = w.causal AND v.digest = decode(w.digest, 'hex')
"""
_NUMBERED = "SELECT coalesce(max(id), 0) FROM collector_variant"
_HOW_MANY = """
SELECT count(*) FROM (SELECT FROM collector_variant WHERE choreography = %s AND causal = %s LIMIT %s) AS bounded
"""
_NEW_VARIANTS = """
INSERT INTO collector_variant (choreography, causal, digest, definition)
SELECT choreography, causal, decode(digest, 'hex'), definition::jsonb
FROM unnest(%s::text[], %s::bool[], %s::text[], %s::text[]) AS v(choreography, causal, digest, definition)
ORDER BY choreography COLLATE "C", causal, digest COLLATE "C" ON CONFLICT DO NOTHING
RETURNING choreography, causal, digest, id
"""
_TYPES = "SELECT id, definition::text FROM collector_variant WHERE id = ANY(%s::bigint[])"
_PAST_HOURS = f"""
DELETE FROM collector_minedcount WHERE id IN (
    SELECT id FROM collector_minedcount WHERE hours = {HOUR} AND bucket < %s LIMIT %s)
"""
_ARE_MANY = "SELECT count(*) = %s FROM (SELECT FROM collector_minedcount WHERE NOT settled LIMIT %s) AS bounded"
# ARRAY: else the planner is free to look for the rows anew for each, and to find others
_UNSETTLED = f"""
DELETE FROM collector_minedcount WHERE id = ANY (ARRAY(
    SELECT id FROM collector_minedcount WHERE NOT settled ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))
RETURNING {_KEY}, count, total::text, durations::text
"""
_EMPTY = "DELETE FROM collector_minedcount WHERE count = 0 AND total = 0 AND durations = '{}'"
# What is removed is locked in no order: so nobody adds meanwhile.
_ADDING, _ALONE = "SELECT pg_advisory_xact_lock_shared(%s)", "SELECT pg_advisory_xact_lock(%s)"
_LOCK = 0x6D696E65

VariantKey = tuple[str, bool, bytes]
Form = tuple[str, ...] | CausalForm


class Way(NamedTuple):
    """How transactions of a choreography went: the types of their events in event order, and what led to what."""

    choreography: str
    types: tuple[str, ...]
    causal: CausalForm


_types = msgspec.json.Decoder(tuple[str, ...])
_durations = msgspec.json.Decoder(dict[int, int])


def append(cursor: CursorWrapper, found: Iterable[tuple[Key, Figure]]) -> None:
    """Adds these to what is stored, as rows that are not settled: that locks nothing, and costs a fraction of changing
    sums."""
    copy_text(cursor, "collector_minedcount", _APPENDED, (_appended(key, figure) for key, figure in found))


def _appended(key: Key, figure: Figure) -> str:
    choreography, kind, hours, bucket, status, source, target = key
    count, total, durations = _row(figure)
    return (
        f"f\t{copied(choreography)}\t{kind}\t{hours}\t{bucket}\t{status}\t{copied(source)}\t{copied(target)}"
        f"\t{count}\t{total}\t{durations}"
    )


def settle() -> int:
    """Adds some of what was appended to the sums, if it has become much; returns how many rows that were."""
    with transaction.atomic(), binary_cursor() as cursor:
        cursor.execute(_ARE_MANY, [UNSETTLED, UNSETTLED])
        if not cursor.fetchall()[0][0]:
            return 0
        cursor.execute(_ADDING, [_LOCK])
        cursor.execute(_UNSETTLED, [2 * UNSETTLED])
        rows = cursor.fetchall()
        _settle(cursor, dict(summed(rows).told()))
        return len(rows)


def _settle(cursor: CursorWrapper, told: Mapping[Key, Figure]) -> None:
    """First what is new, then what was there, each in the order of their keys, so that miners that meet here cannot
    deadlock; under one of the locks. Sums are made here, which is many times faster than in the database."""
    if not told:
        return
    cursor.execute(_ADD, arrays((*key, *_row(figure)) for key, figure in told.items()))
    if cursor.rowcount == len(told):
        return
    new = {Key(*key) for key in cursor.fetchall()}
    if there := [(key, figure) for key, figure in told.items() if key not in new]:
        cursor.execute(_THERE, arrays(key for key, _ in there))
        changed = []
        for number, place, count, total, durations in cursor.fetchall():
            figure = Figure(count, int(total), _durations.decode(durations))
            figure.add(there[place - 1][1])
            changed.append((number, *_row(figure)))
        cursor.execute(_CHANGE, arrays(changed))


def _row(figure: Figure) -> tuple[int, str, str]:
    durations = figure.durations
    if 0 in durations.values():
        durations = {index: n for index, n in durations.items() if n}
    return figure.count, str(figure.total), _text(durations)


def number_variants(cursor: CursorWrapper, ways: Sequence[Way]) -> list[tuple[int, int]]:
    """The numbers of the variants and of the causal variants of these; 0 for those beyond the bound."""
    forms: dict[VariantKey, Form] = {}
    wanted = []
    for way in ways:
        plain = (way.choreography, False, digest(way.types))
        causal = (way.choreography, True, digest(way.causal))
        forms[plain], forms[causal] = way.types, way.causal
        wanted.append((plain, causal))
    numbers = _known(cursor, forms)
    if new := _within_bounds(cursor, sorted(forms.keys() - numbers.keys())):
        rows = ((name, causal, form.hex(), _text(forms[name, causal, form])) for name, causal, form in new)
        cursor.execute(_NEW_VARIANTS, arrays(rows))
        numbers |= _numbers(cursor)
        numbers |= _known(cursor, [key for key in new if key not in numbers])
    return [(numbers.get(plain, 0), numbers.get(causal, 0)) for plain, causal in wanted]


def _known(cursor: CursorWrapper, keys: Collection[VariantKey]) -> dict[VariantKey, int]:
    if not keys:
        return {}
    cursor.execute(_VARIANTS, arrays((name, causal, form.hex()) for name, causal, form in keys))
    return _numbers(cursor)


def _numbers(cursor: CursorWrapper) -> dict[VariantKey, int]:
    return {(name, causal, bytes(form)): number for name, causal, form, number in cursor.fetchall()}


def _within_bounds(cursor: CursorWrapper, keys: list[VariantKey]) -> list[VariantKey]:
    if not keys:
        return []
    cursor.execute(_NUMBERED)
    if cursor.fetchall()[0][0] + len(keys) <= MOST_VARIANTS:
        return keys  # fewer of all choreographies together: none has to be counted
    room: dict[tuple[str, bool], int] = {}
    kept = []
    for key in keys:
        of = key[:2]
        if of not in room:
            cursor.execute(_HOW_MANY, [*of, MOST_VARIANTS])
            room[of] = MOST_VARIANTS - cursor.fetchall()[0][0]
        if room[of] > 0:
            room[of] -= 1
            kept.append(key)
    return kept


def types_of(cursor: CursorWrapper, variants: Collection[int]) -> dict[int, tuple[str, ...]]:
    """The event types of these variants, by their numbers."""
    if not variants:
        return {}
    cursor.execute(_TYPES, [array(sorted(variants))])
    return {number: _types.decode(definition) for number, definition in cursor.fetchall()}


def drop_hours(now: datetime) -> int:
    """Drops the hours that are too old to be kept apart, which their days have, and what came to nothing; returns how
    many rows of hours that were."""
    first, dropped = first_hourly(now), 0
    while True:
        with transaction.atomic(), binary_cursor() as cursor:
            alone(cursor)
            cursor.execute(_PAST_HOURS, [first, CHUNK])
            dropped += cursor.rowcount
            if cursor.rowcount < CHUNK:
                cursor.execute(_EMPTY)
                return dropped


def alone(cursor: CursorWrapper) -> None:
    """Nobody settles sums until this database transaction ends; whoever does so now is waited for."""
    cursor.execute(_ALONE, [_LOCK])


def summed(rows: Iterable[tuple[Any, ...]]) -> Counts:
    """Of rows as they are stored: key, count, total, durations."""
    counts = Counts()
    for *key, count, total, durations in rows:
        counts.setdefault(Key(*key), Figure()).add(Figure(count, int(total), _durations.decode(durations)))
    return counts


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
