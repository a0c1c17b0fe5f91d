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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.backends.utils import CursorWrapper

from collector import config
from collector.correlation.choreography import RuleBook
from collector.miner.counting import Counting
from collector.miner.courses import Found
from collector.miner.rows import settle
from collector.mining.contribution import first_hourly
from collector.storage import unmined
from collector.storage.sql import array, binary_cursor

logger = logging.getLogger(__name__)

CHUNK = 30_000
"""Transactions that commit together, if they have no more events than this."""
MOST_EVENTS = 300_000
ROWS = 200
"""Rows of `Unmined` at most, as long as they name fewer transactions than that."""
ALONE = 100
"""How many transactions of a chunk that failed are then tried one by one."""

# What a crash takes with it is mined again, so no commit waits for the disk; events are put in order in memory.
_CLAIM = f"""
DELETE FROM collector_unmined WHERE id = ANY (ARRAY(
    SELECT id FROM (
        SELECT id, sum(named) OVER (ORDER BY id) - named AS before FROM (
            SELECT id, cardinality(transactions) AS named FROM collector_unmined
            ORDER BY id LIMIT {ROWS} FOR UPDATE SKIP LOCKED
        ) AS free
    ) AS counted WHERE before < %s))
RETURNING transactions, clock_timestamp(), set_config('synchronous_commit', 'off', true),
    set_config('work_mem', '32MB', true)
"""
_LOCK = """
SELECT transaction, body FROM collector_mined WHERE transaction = ANY(%s::bigint[]) ORDER BY transaction FOR UPDATE
"""
_TRANSACTIONS = """
SELECT id, transaction_id, day, choreography, CASE WHEN overdue_since IS NULL THEN phase ELSE 'stuck' END,
    NOT partial AND NOT oversized AND merged_into IS NULL, event_count
FROM collector_transaction WHERE id = ANY(%s::bigint[])
"""


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
        ids, now, more = _claim(cursor, CHUNK)
        taken = _take(cursor, ids, rulebook, now) if now and ids else 0
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
        ids, now, more = _claim(cursor, ALONE)
        if now is None:
            return 0, more
        for row in ids:
            try:
                with transaction.atomic():
                    _take(cursor, [row], rulebook, now)
            except (OperationalError, InterfaceError):
                raise
            except Exception:
                logger.exception("Transaction in row %s cannot be mined", row)
        return len(ids), more


def _take(cursor: CursorWrapper, ids: Sequence[int], rulebook: RuleBook, now: datetime) -> int:
    """Exchanges what these transactions, in order, contributed before for what they contribute now. What is too much
    for once is put back; returns how many were taken."""
    wanted = array(ids)
    cursor.execute(_LOCK, [wanted])
    kept: dict[int, bytes] = dict(cursor.fetchall())
    cursor.execute(_TRANSACTIONS, [wanted])
    stored = {one.id: one for one in map(Found._make, cursor.fetchall())}
    taken = _fitting(ids, stored)
    if taken < len(ids):
        later = ids[taken:]
        unmined.note(cursor, later)
        for row in later:
            kept.pop(row, None)
            stored.pop(row, None)
    counting = Counting(rulebook, first_hourly(now))
    # what is no longer stored stays counted
    counting.subtract(cursor, {row: body for row, body in kept.items() if row in stored})
    counting.add(cursor, [one for one in stored.values() if one.countable])
    contributing = counting.exchange(cursor)
    if gone := [row for row in kept if row not in contributing]:  # what contributes nothing needs no row
        unmined.forget(cursor, gone)
    return taken


def _claim(cursor: CursorWrapper, most: int) -> tuple[list[int], datetime | None, bool]:
    """The changed transactions that this miner takes now, in order, what time it is, if there are any, and whether
    there may be more; what is too much for once is put back."""
    cursor.execute(_CLAIM, [most])
    rows = cursor.fetchall()
    named = [transactions for transactions, *_ in rows]
    changed = sorted(set(chain.from_iterable(named)))
    unmined.note(cursor, changed[most:])
    return changed[:most], rows[0][1] if rows else None, len(rows) == ROWS or sum(map(len, named)) >= most


def _fitting(ids: Sequence[int], stored: dict[int, Found]) -> int:
    """How many of them have no more events than are taken at once; at least one."""
    events = 0
    for place, row in enumerate(ids):
        events += stored[row].events if row in stored else 0
        if place and events > MOST_EVENTS:
            return place
    return len(ids)
