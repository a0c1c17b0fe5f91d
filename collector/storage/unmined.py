"""What tells the miner that transactions have changed: one narrow row for each batch that changed some.

Not one for each transaction, and no mark on the transactions' own rows: it costs a batch one small statement, whatever
its size, and no index follows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db.backends.utils import CursorWrapper

from collector.storage.sql import Statement, array, run

_CHANGED = "INSERT INTO collector_unmined (transactions) VALUES (%s::bigint[])"
# in the order in which miners lock them
_FORGET = """
DELETE FROM collector_mined WHERE transaction IN (
    SELECT transaction FROM collector_mined WHERE transaction = ANY(%s::bigint[]) ORDER BY transaction FOR UPDATE)
"""


def note(cursor: CursorWrapper, transactions: Iterable[int]) -> None:
    """These rows of transactions, locked here, are no longer what was mined of them."""
    run(cursor, noting(transactions))


def noting(transactions: Iterable[int]) -> Iterator[Statement]:
    """The statement by which `note` says so; none for none."""
    if changed := list(transactions):
        yield _CHANGED, [array(changed)]


def forget(cursor: CursorWrapper, transactions: Iterable[int]) -> None:
    """These are no longer stored: what was counted of them stays, and will not change."""
    cursor.execute(_FORGET, [array(transactions)])
