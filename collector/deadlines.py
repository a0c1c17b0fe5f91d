"""Due transactions → transitions: the sweep.

One function, safe to run anywhere and many times at once: Celery's beat calls it, and a collector that sees no recent
sweep calls it itself. Its cost follows what is due, not what is open.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from django.db import transaction
from django.db.backends.utils import CursorWrapper

from collector.correlation.choreography import RuleBook
from collector.health import heartbeats
from collector.storage import context, failures, judgement, saving, totals
from collector.storage.judgement import Change
from collector.storage.sql import array, binary_cursor
from collector.storage.tally import Tally

CHUNK = 2_000
WRITER = "sweep"
SOON, LATER = timedelta(milliseconds=100), timedelta(seconds=1)
"""When to look again at what is due by one watermark, but not by those that matter to it: if reading is up to date, and
if it is further behind than that."""

# No deadline has passed that lies beyond every watermark: a collector that is down or behind costs the sweep nothing.
_DUE = """
SELECT transaction FROM collector_deadline
WHERE due_at <= (SELECT max(watermark) FROM collector_topic WHERE vanished_at IS NULL)
ORDER BY due_at LIMIT %s
"""
_SETTLE = """
WITH v AS (SELECT * FROM unnest(%s::bigint[], %s::timestamptz[]) AS v(transaction, due_at)),
gone AS (DELETE FROM collector_deadline d USING v WHERE d.transaction = v.transaction AND v.due_at IS NULL)
UPDATE collector_deadline d SET due_at = v.due_at FROM v WHERE d.transaction = v.transaction AND v.due_at IS NOT NULL
"""


class Swept(msgspec.Struct, frozen=True):
    """What a sweep came to: how many transactions it examined, and the ids of those that changed."""

    examined: int = 0
    changed: tuple[str, ...] = ()
    alerts: bool = False


def sweep(rulebook: RuleBook, *, most: int = 20 * CHUNK, seconds: float = math.inf) -> Swept:
    """Judges the transactions that are due for a check, in chunks that commit each, until none is due; after so many
    `seconds` it begins no other chunk. And counts the failed deliveries of those that are there by now."""
    examined, changed, alerts = 0, [], False
    began = time.monotonic()
    while examined < most and (not examined or time.monotonic() - began < seconds):
        chunk, changes = _chunk(rulebook)
        examined += chunk
        changed += [change.row.transaction_id for change in changes if change.changed]
        alerts = alerts or any(change.causes != change.old_causes for change in changes)
        if chunk < CHUNK:
            break
    changed += failures.attach()
    heartbeats.add("sweep", sweeps=1, examined=examined, changed=len(changed))
    return Swept(examined, tuple(changed), alerts)


def _chunk(rulebook: RuleBook) -> tuple[int, list[Change]]:
    with transaction.atomic(), binary_cursor() as cursor:
        cursor.execute(_DUE, [CHUNK])
        due = [row for (row,) in cursor.fetchall()]
        if not due:
            return 0, []
        rows = judgement.lock_by_row(cursor, sorted(due))
        ctx = context.load(cursor, rulebook)
        judged = [row for row in rows if not row.oversized]
        events = judgement.skeletons(cursor, judged, ctx.topic_names)
        changes = [judgement.judge(row, events[row.id], ctx) for row in judged if events[row.id]]
        saving.save(cursor, [change for change in changes if change.changed], WRITER, ctx.now, rulebook)
        tally = Tally(ctx.now)
        for change in changes:
            tally.count_outcome(change)
        totals.save(cursor, tally, WRITER)
        next_checks = {change.row.id: change.state.next_check for change in changes}
        held = {row.id for row in rows}
        # rows that are gone are settled as well; rows that somebody else holds just now stay due
        settled = [row for row in due if row in held] + _vanished(cursor, [row for row in due if row not in held])
        again = look_again(ctx.now, ctx.reading.through_all())
        moments = [_next(next_checks.get(row), again) for row in settled]
        cursor.execute(_SETTLE, [array(settled), array(moments)])
        return len(due), changes


def look_again(now: datetime, through: datetime | None) -> datetime:
    """When to look again at what waits for a watermark, the least of which is `through` (None: not known)."""
    up_to_date = through is not None and now - through < LATER
    return now + (SOON if up_to_date else LATER)


def _next(next_check: datetime | None, again: datetime) -> datetime | None:
    return None if next_check is None else max(next_check, again)


def _vanished(cursor: CursorWrapper, rows: Sequence[int]) -> list[int]:
    """Those of these transactions that are no longer there."""
    if not rows:
        return []
    cursor.execute("SELECT id FROM collector_transaction WHERE id = ANY(%s::bigint[])", [array(rows)])
    present = {row for (row,) in cursor.fetchall()}
    return [row for row in rows if row not in present]
