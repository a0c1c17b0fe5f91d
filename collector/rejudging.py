"""Open transactions judged anew, where they were last judged by other rules than those that hold now.

In chunks that commit each, beside collectors and sweeps. What has been judged says by which rules, so that this can be
interrupted at any moment and goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec
from django.db import transaction

from collector.correlation.choreography import RuleBook
from collector.storage import context, judgement, saving, totals
from collector.storage.sql import binary_cursor
from collector.storage.tally import Tally

CHUNK = 500
PASSES = 5
"""How often to come back to those that somebody else held."""
WRITER = "rules"

_COUNT = "SELECT count(*) FROM collector_transaction WHERE ended_at IS NULL AND NOT oversized AND rules <> %s"
_OPEN = """
SELECT id, started_at FROM collector_transaction
WHERE ended_at IS NULL AND NOT oversized AND rules <> %s AND (started_at, id) < (%s, %s)
ORDER BY started_at DESC, id DESC LIMIT %s
"""


class Chunk(msgspec.Struct, frozen=True):
    """`examined`: how many were looked at; `changed`: ids of those that are otherwise than before."""

    examined: int
    changed: tuple[str, ...]
    alerts: bool


def outdated(rulebook: RuleBook) -> int:
    """How many open transactions were judged by other rules."""
    with binary_cursor() as cursor:
        cursor.execute(_COUNT, [rulebook.version])
        count: int = cursor.fetchall()[0][0]
        return count


def judge_anew(rulebook: RuleBook) -> Iterator[Chunk]:
    """Judges them, the newest first, a chunk at each step."""
    for _ in range(PASSES):
        place: tuple[datetime | str, int] = ("infinity", 0)
        left = 0
        while True:
            found, chunk, place = _chunk(rulebook, place)
            if not found:
                break
            left += found - chunk.examined
            yield chunk
        if not left:
            return


def _chunk(rulebook: RuleBook, place: tuple[datetime | str, int]) -> tuple[int, Chunk, tuple[datetime | str, int]]:
    """How many were found after this place, what came of those that nobody else holds, and the place to go on from."""
    with transaction.atomic(), binary_cursor() as cursor:
        cursor.execute(_OPEN, [rulebook.version, *place, CHUNK])
        found = cursor.fetchall()
        if not found:
            return 0, Chunk(0, (), alerts=False), place
        rows = judgement.lock_by_row(cursor, sorted(row for row, _ in found))
        ctx = context.load(cursor, rulebook)
        events = judgement.skeletons(cursor, rows, ctx.topic_names)
        changes = [judgement.judge(row, events[row.id], ctx) for row in rows if events[row.id]]
        saving.save(cursor, changes, WRITER, ctx.now, rulebook)
        tally = Tally(ctx.now)
        for change in changes:
            tally.count_outcome(change)
        totals.save(cursor, tally, WRITER)
    changed = tuple(change.row.transaction_id for change in changes if change.changed)
    alerts = any(change.causes != change.old_causes for change in changes)
    return len(found), Chunk(len(rows), changed, alerts), (found[-1][1], found[-1][0])
