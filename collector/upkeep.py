"""Regular work on the tables: the sweep, what was judged by other rules, partitions ahead, what is past retention."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet
from django.utils import timezone

from collector import config, deadlines, mined_rows, rejudging
from collector.config.rules import registered
from collector.deadlines import Swept
from collector.health import heartbeats
from collector.models import Clock, Flow, Outcome, Phase, Transaction
from collector.storage import judgement, partitions, saving
from collector.storage.judgement import Row
from collector.storage.sql import array, binary_cursor

_OF_TRANSACTIONS = ("collector_event", "collector_key", "collector_transition")
_ALIASES_OF_NOTHING = """
DELETE FROM collector_transaction WHERE id IN (
    SELECT a.id FROM collector_transaction a WHERE a.merged_into IS NOT NULL
    AND NOT EXISTS (SELECT FROM collector_transaction t WHERE t.id = a.merged_into) LIMIT %s)
"""
KEEP_STATISTICS = timedelta(hours=48)
CHUNK = 2_000
WRITER = "upkeep"


def sweep_now() -> Swept:
    return deadlines.sweep(registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook))


def judge_anew() -> Iterator[rejudging.Chunk]:
    """Open transactions that were last judged by other rules, in chunks that commit each; one query where there are
    none."""
    return rejudging.judge_anew(registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook))


def keep_up() -> None:
    """Makes partitions ahead; drops payloads, events and statistics that are older than they are kept."""
    now = timezone.now()
    partitions.ensure_ahead(now.date())
    retention = config.current(settings.CHOREOSCOPE_CONFIG).retention
    partitions.drop_before((now - retention.payloads).date(), ("collector_payload",))
    ordinary, oldest = (now - retention.events).date(), (now - retention.abnormal).date()
    # before their events go, so that an event that comes after all begins a transaction anew
    _forget_transactions(Transaction.objects.filter(day__lt=oldest))
    if oldest < ordinary:
        completed = Transaction.objects.filter(day__lt=ordinary, phase=Phase.COMPLETED)
        _forget_transactions(completed.exclude(state__has_key="deviations"), with_events=True)
    _forget_aliases()
    partitions.drop_before(oldest, _OF_TRANSACTIONS)
    partitions.drop_before(oldest, ("collector_failure",))
    partitions.drop_before(ordinary, ("collector_uncorrelated", "collector_undecodable"))
    for statistics in (Flow, Outcome):
        old_rows = statistics.objects.filter(bucket__lt=now - KEEP_STATISTICS).values_list("pk", flat=True)
        while ids := list(old_rows[:CHUNK]):
            statistics.objects.filter(pk__in=ids).delete()
    Clock.objects.filter(day__lt=(now - KEEP_STATISTICS).date()).delete()
    mined_rows.make_days(now)
    heartbeats.forget("collector:", older_than=timedelta(days=1))


def _forget_transactions(which: QuerySet[Transaction], *, with_events: bool = False) -> None:
    """Drops these transactions, open ones too, and takes them out of all counts. Those that somebody holds just now are
    left for the next time. Their events go by day, but for `with_events`."""
    old = which.order_by("id").values_list("id", flat=True)
    while ids := list(old[:CHUNK]):
        with transaction.atomic(), binary_cursor() as cursor:
            rows = judgement.lock_by_row(cursor, ids)
            if with_events:
                _delete_events(cursor, rows)
            saving.forget(cursor, rows, WRITER, timezone.now())
        if len(rows) < len(ids):
            break


def _forget_aliases() -> None:
    """Drops ids that lead to a transaction that is no longer there."""
    with connection.cursor() as cursor:
        cursor.execute(_ALIASES_OF_NOTHING, [CHUNK])
        while cursor.rowcount:
            cursor.execute(_ALIASES_OF_NOTHING, [CHUNK])


def _delete_events(cursor: CursorWrapper, rows: Sequence[Row]) -> None:
    """Of single transactions, while others of their day stay."""
    which = [array(sorted({row.day for row in rows})), array(row.id for row in rows)]
    for table in _OF_TRANSACTIONS:
        cursor.execute(f"DELETE FROM {table} WHERE day = ANY(%s::date[]) AND transaction = ANY(%s::bigint[])", which)
