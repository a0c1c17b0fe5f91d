"""Several ids of one transaction: names that lead to another row, and rows that become one.

Every id has a row of its own, so that the unique index on ids lets nobody overlook another's. Where an event links two
ids, one row takes what the other has, and the other stays as an alias (`merged_into`), without events and state.
Aliases are never taken back, so what is known of them can only be too little; `Moved` says so, and the database
transaction begins anew with them in mind. Rows are locked in the order of their numbers before any of this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from collector.storage.arriving import Group
from collector.storage.judgement import Row
from collector.storage.sql import array, arrays

ATTEMPTS = 10
_LAST_RANK = 32_767

_ROOTS = """
WITH RECURSIVE up AS (
    SELECT transaction_id AS name, merged_into FROM collector_transaction
    WHERE transaction_id = ANY(%s::text[]) AND merged_into IS NOT NULL
    UNION ALL
    SELECT up.name, t.merged_into FROM up JOIN collector_transaction t ON t.id = up.merged_into
    WHERE t.merged_into IS NOT NULL
)
SELECT up.name, t.transaction_id FROM up JOIN collector_transaction t ON t.id = up.merged_into
WHERE t.merged_into IS NULL
"""
_PLACES = """
INSERT INTO collector_transaction (failed_delivery_count, abandoned_by, abandoned_reason, version, rules, first_seen_at,
    day, transaction_id, choreography, phase, started_at, last_event_at, ended_by, event_count, redelivery_count,
    partial, oversized, historic, state)
SELECT 0, '', '', 0, 0, %s, %s, name, '', 'running', %s, %s, '', 0, 0, false, false, false, '{}'
FROM unnest(%s::text[]) AS v(name) ORDER BY name COLLATE "C" ON CONFLICT (transaction_id) DO NOTHING
"""
_RANKS = """
UPDATE collector_transaction t SET link_rank = v.rank
FROM unnest(%s::bigint[], %s::int[]) AS v(id, rank) WHERE t.id = v.id
"""
_PAIRS = "%s::date[], %s::bigint[], %s::date[], %s::bigint[]"
# The copies of one event on both sides: the smaller one stays. Of one and the same record both have counted the same
# redeliveries; of different ones each has counted its own, and one of the two is a redelivery itself.
_TWICE = f"""
SELECT v.loser, s.source, s.event_id, (l.record_time, lt.name COLLATE "C", l.partition, l."offset")
       < (s.record_time, st.name COLLATE "C", s.partition, s."offset"),
       CASE WHEN (s.topic_id, s.partition, s."offset") = (l.topic_id, l.partition, l."offset")
            THEN greatest(s.redeliveries, l.redeliveries) ELSE s.redeliveries + l.redeliveries + 1 END,
       s.redeliveries + l.redeliveries
FROM unnest({_PAIRS}) AS v(day, survivor, loser_day, loser)
JOIN collector_event l ON l.day = v.loser_day AND l.transaction = v.loser
JOIN collector_event s ON s.day = v.day AND s.transaction = v.survivor
    AND s.source = l.source AND s.event_id = l.event_id
JOIN collector_topic st ON st.id = s.topic_id JOIN collector_topic lt ON lt.id = l.topic_id
"""
_DROP_COPIES = """
DELETE FROM collector_event e USING unnest(%s::date[], %s::bigint[], %s::text[], %s::text[])
    AS v(day, transaction, source, event_id)
WHERE e.day = v.day AND e.transaction = v.transaction AND e.source = v.source AND e.event_id = v.event_id
"""
_COUNT_COPIES = """
UPDATE collector_event e SET redeliveries = v.n
FROM unnest(%s::date[], %s::bigint[], %s::text[], %s::text[], %s::int[]) AS v(day, transaction, source, event_id, n)
WHERE e.day = v.day AND e.transaction = v.transaction AND e.source = v.source AND e.event_id = v.event_id
"""
_MOVE = f"""
UPDATE {{table}} t SET day = v.day, transaction = v.survivor
FROM unnest({_PAIRS}) AS v(day, survivor, loser_day, loser) WHERE t.day = v.loser_day AND t.transaction = v.loser
"""
_COPY_KEYS = f"""
INSERT INTO collector_key (day, transaction, value, name)
SELECT v.day, v.survivor, k.value, k.name FROM unnest({_PAIRS}) AS v(day, survivor, loser_day, loser)
JOIN collector_key k ON k.day = v.loser_day AND k.transaction = v.loser ON CONFLICT DO NOTHING
"""
_DROP_KEYS = f"""
DELETE FROM collector_key k USING unnest({_PAIRS}) AS v(day, survivor, loser_day, loser)
WHERE k.day = v.loser_day AND k.transaction = v.loser
"""
_SURVIVORS = """
UPDATE collector_transaction s SET version = CASE WHEN s.version = 0 THEN 0 ELSE s.version + 1 END,
    redelivery_count = v.redeliveries, impact = greatest(s.impact, l.impact),
    failed_delivery_count = s.failed_delivery_count + l.failed_delivery_count,
    abandoned_at = coalesce(s.abandoned_at, l.abandoned_at),
    abandoned_by = CASE WHEN s.abandoned_at IS NULL THEN l.abandoned_by ELSE s.abandoned_by END,
    abandoned_reason = CASE WHEN s.abandoned_at IS NULL THEN l.abandoned_reason ELSE s.abandoned_reason END
FROM unnest(%s::bigint[], %s::bigint[], %s::int[]) AS v(survivor, loser, redeliveries)
JOIN collector_transaction l ON l.id = v.loser WHERE s.id = v.survivor
"""
_ALIASES = """
UPDATE collector_transaction t SET merged_into = v.survivor, version = t.version + 1, phase = 'completed',
    ended_at = %s, overdue_since = NULL, event_count = 0, redelivery_count = 0, failed_delivery_count = 0,
    impact = NULL, state = '{}'
FROM unnest(%s::bigint[], %s::bigint[]) AS v(id, survivor) WHERE t.id = v.id
"""


class Moved(Exception):
    """A transaction that was to be written to is an alias by now, or gone: begin anew, and look for aliases first."""


def roots(cursor: CursorWrapper, names: Sequence[str]) -> dict[str, str]:
    """For those of these ids that are aliases: the id of the transaction that they lead to."""
    if not names:
        return {}
    cursor.execute(_ROOTS, [array(names)])
    return dict(cursor.fetchall())


def make_places(cursor: CursorWrapper, names: Sequence[str], now: datetime) -> None:
    """Rows for those of these ids that have none: with version 0, to be judged like new ones."""
    cursor.execute(_PLACES, [now, now.date(), now, now, array(names)])


def join(
    cursor: CursorWrapper, rows: Sequence[Row], groups: Iterable[Group], aliases: Mapping[str, str], now: datetime
) -> dict[str, Row]:
    """Makes one of these locked rows that the groups say are one. Returns those that have become aliases, with the row
    that has taken what they had."""
    by_name = {row.transaction_id: row for row in rows}
    leads_to: dict[str, str] = {}

    def find(name: str) -> str:
        while name in leads_to:
            name = leads_to[name]
        return name

    groups = list(groups)
    _rank(cursor, by_name, groups, aliases)
    for group in groups:
        members = {find(aliases.get(name, name)) for _, name in group}
        first = min(members, key=lambda name: _order(by_name[name]))
        leads_to |= dict.fromkeys(members - {first}, first)
    merged = {name: by_name[find(name)] for name in leads_to}
    for pairs in _rounds((by_name[name], merged[name]) for name in sorted(merged) if not by_name[name].is_new):
        _merge(cursor, pairs)
    if merged:
        cursor.execute(_ALIASES, [now, *arrays((by_name[name].id, into.id) for name, into in merged.items())])
    return merged


def _order(row: Row) -> tuple[int, str]:
    return (_LAST_RANK if row.link_rank is None else row.link_rank, row.transaction_id)


def _rank(cursor: CursorWrapper, rows: Mapping[str, Row], groups: Iterable[Group], aliases: Mapping[str, str]) -> None:
    """Notes by the first of which path an id was ever linked: by it the transaction goes, if it can."""
    changed = {}
    for group in groups:
        for rank, name in group:
            row = rows.get(name) if name not in aliases else None
            if row is not None and (row.link_rank is None or rank < row.link_rank):
                row.link_rank = changed[row.id] = rank
    if changed:
        cursor.execute(_RANKS, arrays(sorted(changed.items())))


def _rounds(pairs: Iterable[tuple[Row, Row]]) -> Iterator[list[tuple[Row, Row]]]:
    """Divided so that each row takes from one other at a time."""
    left = list(pairs)
    while left:
        taking: set[int] = set()
        now: list[tuple[Row, Row]] = []
        later: list[tuple[Row, Row]] = []
        for loser, survivor in left:
            (later if survivor.id in taking else now).append((loser, survivor))
            taking.add(survivor.id)
        yield now
        left = later


def _merge(cursor: CursorWrapper, pairs: Sequence[tuple[Row, Row]]) -> None:
    """Moves what the first of each pair has to the second."""
    places = arrays((survivor.day, survivor.id, loser.day, loser.id) for loser, survivor in pairs)
    by_loser = {loser.id: (loser, survivor) for loser, survivor in pairs}
    cursor.execute(_TWICE, places)
    twice = cursor.fetchall()
    if twice:
        drop, keep = [], []
        for row, source, event_id, loser_first, count, before in twice:
            loser, survivor = by_loser[row]
            kept, dropped = (loser, survivor) if loser_first else (survivor, loser)
            drop.append((dropped.day, dropped.id, source, event_id))
            keep.append((kept.day, kept.id, source, event_id, count))
            survivor.redelivery_count += count - before
            survivor.event_count -= 1
        cursor.execute(_DROP_COPIES, arrays(drop))
        cursor.execute(_COUNT_COPIES, arrays(keep))
    for table in ("collector_event", "collector_transition"):
        cursor.execute(_MOVE.format(table=table), places)
    cursor.execute(_COPY_KEYS, places)
    cursor.execute(_DROP_KEYS, places)
    for loser, survivor in pairs:
        _take(loser, survivor)
    taken = ((survivor.id, loser.id, survivor.redelivery_count) for loser, survivor in pairs)
    cursor.execute(_SURVIVORS, arrays(taken))


def _take(loser: Row, survivor: Row) -> None:
    """The same of the rows as they were read."""
    survivor.redelivery_count += loser.redelivery_count
    survivor.event_count += loser.event_count
    survivor.oversized = survivor.oversized or loser.oversized
    if survivor.oversized:
        survivor.started_at = min(survivor.started_at, loser.started_at)
        survivor.last_event_at = max(survivor.last_event_at, loser.last_event_at)
    survivor.abandoned_at = survivor.abandoned_at or loser.abandoned_at
    survivor.version += not survivor.is_new
