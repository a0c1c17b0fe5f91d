"""Regular work on the tables: the sweep, what was judged by other rules, partitions ahead, what is past retention."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet
from django.utils import timezone

from collector import config, deadlines, hours, rejudging
from collector.config.rules import registered
from collector.deadlines import Swept
from collector.health import heartbeats
from collector.miner.retention import forget as forget_counts
from collector.miner.rows import drop_hours
from collector.models import Clock, Flow, FlowHour, Outcome, OutcomeHour, Phase, Transaction
from collector.storage import judgement, partitions, saving
from collector.storage.judgement import Row
from collector.storage.sql import array, binary_cursor

_OF_TRANSACTIONS = ("collector_event", "collector_key", "collector_transition")
_ALIASES = """
WITH RECURSIVE below AS (
    SELECT id, merged_into AS root FROM collector_transaction WHERE merged_into = ANY(%s::bigint[])
    UNION ALL
    SELECT t.id, below.root FROM below JOIN collector_transaction t ON t.merged_into = below.id
)
SELECT id, root FROM below ORDER BY id
"""
KEEP_STATISTICS = timedelta(hours=48)
SWEEPS_FOR = 0.5
"""Seconds after which a sweep begins no other chunk."""
CHUNK = 2_000
WRITER = "upkeep"
_sweeping = threading.Lock()


def sweep_now() -> Swept:
    """One at a time in a process, and not for long: where very much is due at once, sweeps must not take all of a
    worker's threads from the alerts about it. The next one goes on."""
    if not _sweeping.acquire(blocking=False):
        return Swept()
    try:
        return deadlines.sweep(registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook), seconds=SWEEPS_FOR)
    finally:
        _sweeping.release()


def judge_anew() -> Iterator[rejudging.Chunk]:
    """Open transactions that were last judged by other rules, in chunks that commit each; one query where there are
    none."""
    return rejudging.judge_anew(registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook))


def keep_up() -> None:
    """Makes partitions ahead; drops payloads, events, statistics and counts that are older than they are kept."""
    now = timezone.now()
    partitions.ensure_ahead(now.date())
    retention = config.current(settings.CHOREOSCOPE_CONFIG).retention
    partitions.drop_before((now - retention.payloads).date(), ("collector_payload",))
    ordinary, oldest = (now - retention.events).date(), (now - retention.abnormal).date()
    # before their events go, so that an event that comes after all begins a transaction anew
    all_forgotten = _forget_transactions(Transaction.objects.filter(day__lt=oldest))
    if oldest < ordinary:
        completed = Transaction.objects.filter(day__lt=ordinary, phase=Phase.COMPLETED)
        _forget_transactions(completed.exclude(state__has_key="deviations"), with_events=True)
    if all_forgotten:
        partitions.drop_before(oldest, _OF_TRANSACTIONS)
    partitions.drop_before(oldest, ("collector_failure",))
    partitions.drop_before(ordinary, ("collector_uncorrelated", "collector_undecodable"))
    hours.sum_hours(now)
    longest = max(retention.events, retention.abnormal)
    for statistics, kept in (
        (Flow, KEEP_STATISTICS),
        (Outcome, KEEP_STATISTICS),
        (FlowHour, longest),
        (OutcomeHour, longest),
    ):
        old_rows = statistics.objects.filter(bucket__lt=now - kept).values_list("pk", flat=True)
        while ids := list(old_rows[:CHUNK]):
            statistics.objects.filter(pk__in=ids).delete()
    Clock.objects.filter(day__lt=(now - KEEP_STATISTICS).date()).delete()
    drop_hours(now)
    forget_counts(now - retention.counts)
    heartbeats.forget("collector:", older_than=timedelta(days=1))


def _forget_transactions(which: QuerySet[Transaction], *, with_events: bool = False) -> bool:
    """Drops these transactions, open ones too, and their aliases, and takes them out of all counts. Those that somebody
    holds just now are left for the next time: then False. Their events go by day, but for `with_events`."""
    old = which.order_by("id").values_list("id", flat=True)
    while ids := list(old[:CHUNK]):
        with transaction.atomic(), binary_cursor() as cursor:
            locked = judgement.lock_by_row(cursor, ids)
            still = set(which.filter(id__in=ids).values_list("id", flat=True))
            found = [row for row in locked if row.id in still]
            rows, aliases = _with_aliases(cursor, found)
            if with_events:
                _delete_events(cursor, rows)
            saving.forget(cursor, [*rows, *aliases], WRITER, timezone.now())
        if len(locked) < len(ids) or len(rows) < len(found):
            return False
    return True


def _with_aliases(cursor: CursorWrapper, rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Those of these locked transactions whose aliases nobody holds just now; and these aliases, locked. An alias must
    not outlive what it leads to: whoever met it would look for that in vain."""
    cursor.execute(_ALIASES, [array(row.id for row in rows)])
    roots = dict(cursor.fetchall())
    aliases = judgement.lock_by_row(cursor, list(roots)) if roots else []
    held = {roots[row] for row in roots.keys() - {alias.id for alias in aliases}}
    return [row for row in rows if row.id not in held], [row for row in aliases if roots[row.id] not in held]


def _delete_events(cursor: CursorWrapper, rows: Sequence[Row]) -> None:
    """Of single transactions, while others of their day stay."""
    which = [array(sorted({row.day for row in rows})), array(row.id for row in rows)]
    for table in _OF_TRANSACTIONS:
        cursor.execute(f"DELETE FROM {table} WHERE day = ANY(%s::date[]) AND transaction = ANY(%s::bigint[])", which)
