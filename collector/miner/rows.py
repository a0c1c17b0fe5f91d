"""The statements that write what was mined: the numbers of variants, sums, and hours that are over."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import msgspec
from django.db import transaction
from django.db.backends.utils import CursorWrapper

from collector.mining.contribution import ALWAYS, DAY, HOUR, CausalForm, digest, first_hourly
from collector.mining.counts import Counts, Figure, Key
from collector.mining.differences import Entries
from collector.storage.sql import array, arrays, binary_cursor, copied, copy_text, pipelined

MOST_VARIANTS = 100_000
"""Of a choreography, and as many causal ones; what goes another way is counted with the others."""
CHUNK = 2_000
UNSETTLED = 10_000
"""So many entries that are not settled are put up with; readers go through them too."""

MOST_ENTRIES = 2_000
"""Of a row of differences."""

_KEY = "choreography, kind, hours, bucket, status, source, target"
_KEYS = "%s::text[], %s::text[], %s::int[], %s::int[], %s::text[], %s::text[], %s::text[]"
_COLUMNS = ("sources", "targets", "counts", "totals", "durations")
_APPENDED = ("choreography", "kind", "hours", "bucket", "status", "always", "entries", *_COLUMNS)
_ADD = f"""
INSERT INTO collector_minedsum ({_KEY}, count, total, durations)
SELECT {_KEY}, count, total::numeric, durations
FROM unnest({_KEYS}, %s::bigint[], %s::text[], %s::text[]) AS v({_KEY}, count, total, durations)
ON CONFLICT DO NOTHING RETURNING {_KEY}
"""
_THERE = f"""
SELECT c.id, v.place, c.count, c.total::text, c.durations
FROM unnest({_KEYS}) WITH ORDINALITY AS v({_KEY}, place) JOIN collector_minedsum c USING ({_KEY})
ORDER BY v.place FOR UPDATE OF c
"""
_CHANGE = """
UPDATE collector_minedsum c SET count = v.count, total = v.total::numeric, durations = v.durations
FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[]) AS v(id, count, total, durations) WHERE c.id = v.id
"""
_VARIANTS = """
SELECT v.choreography, v.causal, v.digest, v.id FROM collector_variant v
JOIN unnest(%s::text[], %s::bool[], %s::text[]) AS w(choreography, causal, digest)
    ON v.choreography = w.choreography AND v.causal = w.causal AND v.digest = decode(w.digest, 'hex')
UNION ALL SELECT NULL, NULL, NULL, coalesce(max(id), 0) FROM collector_variant
"""
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
DELETE FROM collector_minedsum WHERE id IN (
    SELECT id FROM collector_minedsum WHERE hours = {HOUR} AND bucket < %s LIMIT %s)
"""
_ARE_MANY = "SELECT coalesce(sum(entries), 0) >= %s FROM collector_mineddifference"
# ARRAY: else the planner is free to look for the rows anew for each, and to find others
_UNSETTLED = f"""
WITH taken AS (
    DELETE FROM collector_mineddifference WHERE id = ANY (ARRAY(
        SELECT id FROM (
            SELECT id, sum(entries) OVER (ORDER BY id) - entries AS before FROM (
                SELECT id, entries FROM collector_mineddifference
                WHERE {{}} ORDER BY id LIMIT {UNSETTLED} FOR UPDATE SKIP LOCKED
            ) AS free
        ) AS counted WHERE before < %s))
    RETURNING choreography, kind, hours, bucket, status, always, {", ".join(_COLUMNS)}
)
SELECT choreography, kind, t.hours, t.bucket, status, e.source, e.target, e.count, e.total::text, e.durations
FROM taken, unnest({", ".join(_COLUMNS)}) AS e(source, target, count, total, durations),
    LATERAL (
        SELECT hours, bucket UNION ALL SELECT {DAY}, bucket - bucket %% {DAY} WHERE hours = {HOUR}
        UNION ALL SELECT {ALWAYS}, 0 WHERE always
    ) AS t(hours, bucket)
"""
_EMPTY = "DELETE FROM collector_minedsum WHERE count = 0 AND total = 0 AND durations = '[]'"
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
_durations = msgspec.json.Decoder(list[int])


def append(cursor: CursorWrapper, lines: Iterable[str]) -> None:
    """Adds what `lines_of` made to what is stored, as rows that are not settled: that locks nothing, and costs a
    fraction of changing sums."""
    copy_text(cursor, "collector_mineddifference", _APPENDED, lines)


def lines_of(found: Iterable[Entries]) -> Iterator[str]:
    """For `append`. All entries of one kind and time are one row, which is many times cheaper than a row for each."""
    for entries in found:
        choreography, kind, hours, bucket, status, always, *columns = entries
        for start in range(0, len(entries.sources), MOST_ENTRIES):
            sources, targets, counts, totals, durations = (column[start : start + MOST_ENTRIES] for column in columns)
            took = _text(durations)[2:-2].replace("],[", ']","[')
            yield (
                f"{copied(choreography)}\t{kind}\t{hours}\t{bucket}\t{status}\t{'t' if always else 'f'}"
                f"\t{len(sources) * (1 + always + (hours == HOUR))}"
                f"\t{{{','.join(map(_element, sources))}}}\t{{{','.join(map(_element, targets))}}}"
                f'\t{{{",".join(map(str, counts))}}}\t{{{",".join(map(str, totals))}}}\t{{"[{took}]"}}'
            )


@lru_cache(maxsize=4_096)
def _element(value: str) -> str:
    """A text in an array, as COPY reads it."""
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return copied(f'"{quoted}"')


def settle() -> int:
    """Adds some of what was appended to the sums, if it has become much; returns how many entries that were."""
    with transaction.atomic(), binary_cursor() as cursor:
        cursor.execute(_ARE_MANY, [UNSETTLED])
        if not cursor.fetchall()[0][0]:
            return 0
        cursor.execute(_ADDING, [_LOCK])
        return settle_those(cursor, "true")


def settle_those(cursor: CursorWrapper, where: str, parameters: Sequence[Any] = ()) -> int:
    """Adds some of what was appended to the sums, under one of the locks: of where this condition in SQL holds. Returns
    how many entries that were."""
    cursor.execute(_UNSETTLED.format(where), [*parameters, 2 * UNSETTLED])
    rows = cursor.fetchall()
    add(cursor, summed(rows))
    return len(rows)


def add(cursor: CursorWrapper, counts: Counts) -> None:
    """Adds these to the sums: first what is new, then what was there, each in the order of their keys, so that miners
    that meet here cannot deadlock; under one of the locks. Sums are made here, which is many times faster than in the
    database."""
    told = dict(counts.told())
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
            figure = Figure(count, int(total))
            figure.take(_durations.decode(durations))
            figure.add(there[place - 1][1])
            changed.append((number, *_row(figure)))
        cursor.execute(_CHANGE, arrays(changed))


def _row(figure: Figure) -> tuple[int, str, str]:
    durations = [(index, n) for index, n in figure.durations.items() if n]
    return figure.count, str(figure.total), _text(list(chain.from_iterable(durations)))


def number_variants(cursor: CursorWrapper, ways: Sequence[Way], meanwhile: Callable[[], None]) -> list[tuple[int, int]]:
    """The numbers of the variants and of the causal variants of these; 0 for those beyond the bound. `meanwhile` is
    called while the database works, at least once."""
    forms: dict[VariantKey, Form] = {}
    wanted = []
    for way in ways:
        plain = (way.choreography, False, digest(way.types))
        causal = (way.choreography, True, digest(way.causal))
        forms[plain], forms[causal] = way.types, way.causal
        wanted.append((plain, causal))
    few = len(forms) < CHUNK  # writing many that are new takes longer than looking for them
    numbers, last = _known(cursor, forms, meanwhile if few else None)
    if new := _within_bounds(cursor, sorted(forms.keys() - numbers.keys()), last):
        rows = ((name, causal, form.hex(), _text(forms[name, causal, form])) for name, causal, form in new)
        with pipelined():
            cursor.execute(_NEW_VARIANTS, arrays(rows))
            meanwhile()
            numbers |= _numbered(cursor.fetchall())
        if others := [key for key in new if key not in numbers]:
            numbers |= _known(cursor, others)[0]
    else:
        meanwhile()
    return [(numbers.get(plain, 0), numbers.get(causal, 0)) for plain, causal in wanted]


def _known(
    cursor: CursorWrapper, keys: Collection[VariantKey], meanwhile: Callable[[], None] | None = None
) -> tuple[dict[VariantKey, int], int]:
    """The numbers of those of these that have one, and the highest that there is."""
    if not keys:
        return {}, 0
    with pipelined():
        cursor.execute(_VARIANTS, arrays((name, causal, form.hex()) for name, causal, form in keys))
        if meanwhile:
            meanwhile()
        *rows, (*_, last) = cursor.fetchall()
    return _numbered(rows), last


def _numbered(rows: Iterable[tuple[Any, ...]]) -> dict[VariantKey, int]:
    return {(name, causal, bytes(form)): number for name, causal, form, number in rows}


def _within_bounds(cursor: CursorWrapper, keys: list[VariantKey], last: int) -> list[VariantKey]:
    if last + len(keys) <= MOST_VARIANTS:
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
    many sums of hours that were."""
    first, dropped = first_hourly(now), 0
    while True:
        with transaction.atomic(), binary_cursor() as cursor:
            alone(cursor)
            if settle_those(cursor, f"hours = {HOUR} AND bucket < %s", [first]):
                continue  # their days are to have them first
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
        figure = counts.setdefault(Key(*key), Figure())
        figure.count += count
        figure.total += int(total)
        figure.take(_durations.decode(durations))
    return counts


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
