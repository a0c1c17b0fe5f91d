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
from contextlib import contextmanager
from datetime import datetime

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
from collector.storage.sql import array, arrays, binary_cursor

logger = logging.getLogger(__name__)

CHUNK = 30_000
"""Transactions that commit together, if they have no more events than this."""
MOST_EVENTS = 300_000
ROWS = 100
"""Rows of `Unmined` at a time, as long as they name fewer transactions than that."""
AT_ONCE = 4
"""So many of them are taken with one statement."""
ALONE = 100
"""How many transactions of a chunk that failed are then tried one by one."""

_CLAIM = f"""
DELETE FROM collector_unmined WHERE id = ANY (ARRAY(
    SELECT id FROM collector_unmined ORDER BY id LIMIT {AT_ONCE} FOR UPDATE SKIP LOCKED)) RETURNING transactions
"""
_SIZES = "SELECT id, event_count FROM collector_transaction WHERE id = ANY(%s::bigint[]) ORDER BY id"
_LOCK = """
SELECT transaction, body FROM collector_mined WHERE transaction = ANY(%s::bigint[]) ORDER BY transaction FOR UPDATE
"""
_TRANSACTIONS = """
SELECT id, transaction_id, day, choreography, CASE WHEN overdue_since IS NULL THEN phase ELSE 'stuck' END,
    NOT partial AND NOT oversized AND merged_into IS NULL, event_count
FROM collector_transaction WHERE id = ANY(%s::bigint[])
"""
_KEEP = """
UPDATE collector_mined m SET body = decode(v.body, 'hex') FROM unnest(%s::bigint[], %s::text[]) AS v(transaction, body)
WHERE m.transaction = v.transaction
"""
_KEEP_NEW = """
INSERT INTO collector_mined (transaction, body) SELECT transaction, decode(body, 'hex')
FROM unnest(%s::bigint[], %s::text[]) AS v(transaction, body) ORDER BY transaction
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
    taken = 0
    while taken < most:
        try:
            chunk = _chunk(rulebook)
        except (OperationalError, InterfaceError):
            raise  # the database is away, or somebody else goes first: all is as it was
        except Exception:
            logger.exception("Mining failed; now one transaction after the other")
            chunk = _one_by_one(rulebook)
        if not chunk:
            break
        taken += chunk
    return taken


def _chunk(rulebook: RuleBook) -> int:
    with _uncollected(), transaction.atomic(), binary_cursor() as cursor:
        ids = _claim(cursor, CHUNK)
        _take(cursor, ids, rulebook)
        return len(ids)


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


def _one_by_one(rulebook: RuleBook) -> int:
    with transaction.atomic(), binary_cursor() as cursor:
        ids = _claim(cursor, ALONE)
        for row in ids:
            try:
                with transaction.atomic():
                    _take(cursor, [row], rulebook)
            except (OperationalError, InterfaceError):
                raise
            except Exception:
                logger.exception("Transaction in row %s cannot be mined", row)
        return len(ids)


def _take(cursor: CursorWrapper, ids: Sequence[int], rulebook: RuleBook) -> None:
    """Exchanges what these transactions, in order, contributed before for what they contribute now."""
    if not ids:
        return
    cursor.execute("SELECT clock_timestamp()")
    now: datetime = cursor.fetchall()[0][0]
    cursor.execute(_LOCK, [array(ids)])
    kept = {row: _body.decode(body) for row, body in cursor.fetchall()}
    cursor.execute(_TRANSACTIONS, [array(ids)])
    stored = {found.id: found for found in map(Found._make, cursor.fetchall())}
    went = list(courses(cursor, [found for found in stored.values() if found.countable]))
    after = _contributions(went, _numbered(cursor, went, rulebook), first_hourly(now))
    gone = [row for row in kept if row not in after]
    # what is no longer stored stays counted; what contributes nothing needs no row
    _exchange(cursor, {row: body for row, body in kept.items() if row in stored}, after)
    if gone:
        unmined.forget(cursor, gone)


def _claim(cursor: CursorWrapper, most: int) -> list[int]:
    """The changed transactions that this miner takes now, in order; what is too much for once is put back."""
    found: set[int] = set()
    for _ in range(ROWS // AT_ONCE):
        cursor.execute(_CLAIM)
        rows = cursor.fetchall()
        found.update(row for (named,) in rows for row in named)
        if len(rows) < AT_ONCE or len(found) >= most:
            break
    changed = sorted(found)
    if not changed:
        return []
    cursor.execute(_SIZES, [array(changed)])
    sizes = dict(cursor.fetchall())
    events = 0
    for place, row in enumerate(changed):
        events += sizes.get(row, 0)
        if place and (place >= most or events > MOST_EVENTS):
            unmined.note(cursor, changed[place:])
            return changed[:place]
    return changed


def _numbered(cursor: CursorWrapper, went: Iterable[Went], rulebook: RuleBook) -> Numbers:
    """What led to what is worked out once for each shape that a choreography's transactions have."""
    choreographies: dict[str, Choreography] = {}
    ways: dict[tuple[str, Shape], Way] = {}
    for name, shape in {(one.found.choreography, one.shape): None for one in went}:
        choreography = choreographies.setdefault(name, rulebook.named(name))
        causal = causal_form(shape.types, links_of(Course((), shape), choreography))
        ways[name, shape] = Way(name, shape.types, causal)
    return dict(zip(ways, number_variants(cursor, list(ways.values())), strict=True))


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
    if again := sorted(after.keys() & before.keys()):
        cursor.execute(_KEEP, arrays((row, _stored(after[row])) for row in again))
    if new := sorted(after.keys() - before.keys()):
        cursor.execute(_KEEP_NEW, arrays((row, _stored(after[row])) for row in new))
        others = set(new) - {row for (row,) in cursor.fetchall()}
        unmined.note(cursor, others)  # somebody else was faster, and may have seen less
        for row in others:
            del after[row]
    append(cursor, differences(after.values(), _whole(cursor, before.values())))


def _stored(found: Contribution) -> str:
    shortened = msgspec.structs.replace(found, types=()) if found.variant else found
    return _encoded(shortened).hex()


def _whole(cursor: CursorWrapper, stored: Iterable[Contribution]) -> list[Contribution]:
    """With the types that were left out."""
    stored = list(stored)
    types = types_of(cursor, {found.variant for found in stored if found.variant})
    return [msgspec.structs.replace(found, types=types[found.variant]) if found.variant else found for found in stored]
