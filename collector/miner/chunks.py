"""Changed transactions → counts: what each contributed before is subtracted, what it contributes now is added.

In chunks that commit each, in any number of processes at once: a miner takes rows of `Unmined` that no other holds and
deletes them in the database transaction that counts; killed, it leaves them. It locks what it keeps of each transaction
and only then reads the transaction, so whoever is last has seen all. Where nothing is kept yet, whoever keeps something
first has counted it, and others leave it for later. It never waits for collectors, nor they for it.

The order of locks: rows of `Unmined`, of `Mined` by transaction, of `Variant` by digest, new ones of `Mined` by
transaction. What differs is only appended to the counts, and settled when that has become much: by key.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import accumulate, chain, islice

import msgspec
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.backends.utils import CursorWrapper

from collector import config
from collector.correlation.causality import links_of
from collector.correlation.choreography import Choreography, RuleBook
from collector.correlation.shape import Course, Shape
from collector.miner.courses import Found, Went, courses
from collector.miner.rows import Way, append, number_variants, settle, types_of
from collector.mining.contribution import Contribution, causal_form, contribution, first_hourly
from collector.mining.counts import differences
from collector.storage import unmined
from collector.storage.sql import array, binary_cursor, pipelined

logger = logging.getLogger(__name__)

CHUNK = 30_000
"""Transactions that commit together, if they have no more events than this."""
MOST_EVENTS = 300_000
ROWS = 200
"""Rows of `Unmined` at most, as long as they name fewer transactions than that."""
ALONE = 100
"""How many transactions of a chunk that failed are then tried one by one."""

# What a crash takes with it is mined again, so no commit waits for the disk.
_BEGIN = "SELECT clock_timestamp(), set_config('synchronous_commit', 'off', true)"
_CLAIM = f"""
DELETE FROM collector_unmined WHERE id = ANY (ARRAY(
    SELECT id FROM (
        SELECT id, sum(named) OVER (ORDER BY id) - named AS before FROM (
            SELECT id, cardinality(transactions) AS named FROM collector_unmined
            ORDER BY id LIMIT {ROWS} FOR UPDATE SKIP LOCKED
        ) AS free
    ) AS counted WHERE before < %s)) RETURNING transactions
"""
_LOCK = """
SELECT transaction, body FROM collector_mined WHERE transaction = ANY(%s::bigint[]) ORDER BY transaction FOR UPDATE
"""
_TRANSACTIONS = """
SELECT id, transaction_id, day, choreography, CASE WHEN overdue_since IS NULL THEN phase ELSE 'stuck' END,
    NOT partial AND NOT oversized AND merged_into IS NULL, event_count
FROM collector_transaction WHERE id = ANY(%s::bigint[])
"""
# All bodies are sent as one, which is several times faster than an array of them.
_BODIES = """(
    SELECT transaction, substring(%s::bytea FROM start FOR size) AS body
    FROM unnest(%s::bigint[], %s::int[], %s::int[]) AS w(transaction, start, size)
) AS v"""
_KEEP = f"UPDATE collector_mined m SET body = v.body FROM {_BODIES} WHERE m.transaction = v.transaction"
_KEEP_NEW = f"""
INSERT INTO collector_mined (transaction, body) SELECT transaction, body FROM {_BODIES} ORDER BY transaction
ON CONFLICT DO NOTHING RETURNING transaction
"""

_body = msgspec.msgpack.Decoder(Contribution)
_encoded = msgspec.msgpack.Encoder().encode


Numbers = dict[tuple[str, Shape], tuple[int, int]]
"""By choreography and shape, those of the variant and of the causal variant."""


def mine_now() -> int:
    """With the configured rules, which say what led to what where events do not."""
    taken = mine(config.current(settings.CHOREOSCOPE_CONFIG).rulebook)
    while settle():
        pass
    return taken


def mine(rulebook: RuleBook, *, most: int = CHUNK) -> int:
    """Takes in what has changed until nothing is left, or `most` transactions were; returns how many.

    A transaction that cannot be counted is named in the log, and left as it was counted until it changes again.
    """
    taken, more = 0, True
    while more and taken < most:
        try:
            chunk, more = _chunk(rulebook)
        except (OperationalError, InterfaceError):
            raise  # the database is away, or somebody else goes first: all is as it was
        except Exception:
            logger.exception("Mining failed; now one transaction after the other")
            chunk, more = _one_by_one(rulebook)
        taken += chunk
    return taken


def _chunk(rulebook: RuleBook) -> tuple[int, bool]:
    """How many were taken, and whether there may be more."""
    with _uncollected(), transaction.atomic(), binary_cursor() as cursor:
        ids, more = _claim(cursor, CHUNK)
        taken = _take(cursor, ids, rulebook)
        return taken, more or taken < len(ids)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Within, no cyclic garbage is looked for: a chunk makes millions of objects and none, and looking through them
    again and again took a third of its time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _one_by_one(rulebook: RuleBook) -> tuple[int, bool]:
    with transaction.atomic(), binary_cursor() as cursor:
        ids, more = _claim(cursor, ALONE)
        for row in ids:
            try:
                with transaction.atomic():
                    _take(cursor, [row], rulebook)
            except (OperationalError, InterfaceError):
                raise
            except Exception:
                logger.exception("Transaction in row %s cannot be mined", row)
        return len(ids), more


def _take(cursor: CursorWrapper, ids: Sequence[int], rulebook: RuleBook) -> int:
    """Exchanges what these transactions, in order, contributed before for what they contribute now. What is too much
    for once is put back; returns how many were taken."""
    if not ids:
        return 0
    cursor.execute(_BEGIN)
    now: datetime = cursor.fetchall()[0][0]
    cursor.execute(_LOCK, [array(ids)])
    kept = {row: _body.decode(body) for row, body in cursor.fetchall()}
    cursor.execute(_TRANSACTIONS, [array(ids)])
    stored = {found.id: found for found in map(Found._make, cursor.fetchall())}
    taken = _fitting(ids, stored)
    if taken < len(ids):
        later = ids[taken:]
        unmined.note(cursor, later)
        for row in later:
            kept.pop(row, None)
            stored.pop(row, None)
    went, numbers = _went(cursor, [found for found in stored.values() if found.countable], rulebook)
    after = _contributions(went, numbers, first_hourly(now))
    gone = [row for row in kept if row not in after]
    # what is no longer stored stays counted; what contributes nothing needs no row
    _exchange(cursor, {row: body for row, body in kept.items() if row in stored}, after)
    if gone:
        unmined.forget(cursor, gone)
    return taken


def _claim(cursor: CursorWrapper, most: int) -> tuple[list[int], bool]:
    """The changed transactions that this miner takes now, in order, and whether there may be more; what is too much for
    once is put back."""
    cursor.execute(_CLAIM, [most])
    rows = cursor.fetchall()
    changed = sorted({row for (named,) in rows for row in named})
    unmined.note(cursor, changed[most:])
    return changed[:most], len(rows) == ROWS or sum(len(named) for (named,) in rows) >= most


def _fitting(ids: Sequence[int], stored: dict[int, Found]) -> int:
    """How many of them have no more events than are taken at once; at least one."""
    events = 0
    for place, row in enumerate(ids):
        events += stored[row].events if row in stored else 0
        if place and events > MOST_EVENTS:
            return place
    return len(ids)


def _went(cursor: CursorWrapper, rows: Sequence[Found], rulebook: RuleBook) -> tuple[list[Went], Numbers]:
    """What led to what is worked out once for each shape that a choreography's transactions have, while the database
    reads more of them."""
    choreographies: dict[str, Choreography] = {}
    ways: dict[tuple[str, Shape], Way] = {}
    went = []
    with closing(courses(cursor, rows)) as read:
        for one in read:
            went.append(one)
            name, shape = place = (one.found.choreography, one.shape)
            if place not in ways:
                choreography = choreographies.setdefault(name, rulebook.named(name))
                causal = causal_form(shape.types, links_of(Course((), shape), choreography))
                ways[place] = Way(name, shape.types, causal)
    return went, dict(zip(ways, number_variants(cursor, list(ways.values())), strict=True))


def _contributions(went: Iterable[Went], numbers: Numbers, hourly: int) -> dict[int, Contribution]:
    return {
        one.found.id: contribution(
            one.found.choreography,
            one.found.status,
            one.shape.types,
            one.began,
            one.gaps,
            hourly,
            numbers[one.found.choreography, one.shape],
        )
        for one in went
    }


def _exchange(cursor: CursorWrapper, before: dict[int, Contribution], after: dict[int, Contribution]) -> None:
    """Subtracts what these contributed before, adds what they contribute now, and keeps that."""
    whole = _whole(cursor, before.values())
    if again := sorted(after.keys() & before.keys()):
        cursor.execute(_KEEP, _bodies(after, again))
    told = differences(after.values(), whole)
    if new := sorted(after.keys() - before.keys()):
        with pipelined():
            cursor.execute(_KEEP_NEW, _bodies(after, new))
            first = list(islice(told, len(new) // 4))  # takes about as long
            others = set(new) - {row for (row,) in cursor.fetchall()}
        told = chain(first, told)
        if others:  # somebody else was faster, and may have seen less
            unmined.note(cursor, others)
            for row in others:
                del after[row]
            told = differences(after.values(), whole)
    append(cursor, told)


def _bodies(found: dict[int, Contribution], wanted: Iterable[int]) -> list[bytes | str]:
    """What is kept of these, as `_BODIES` reads it."""
    stored = [_stored(found[row]) for row in wanted]
    sizes = list(map(len, stored))
    return [b"".join(stored), array(wanted), array(accumulate(sizes[:-1], initial=1)), array(sizes)]


def _stored(found: Contribution) -> bytes:
    return _encoded(msgspec.structs.replace(found, types=()) if found.variant else found)


def _whole(cursor: CursorWrapper, stored: Iterable[Contribution]) -> list[Contribution]:
    """With the types that were left out."""
    stored = list(stored)
    types = types_of(cursor, {found.variant for found in stored if found.variant})
    return [msgspec.structs.replace(found, types=types[found.variant]) if found.variant else found for found in stored]
