"""Regular work on the tables: the sweep with the configured rules, partitions ahead, and what is past its retention."""

from __future__ import annotations

from datetime import date, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from collector import config, deadlines
from collector.config.rules import registered
from collector.deadlines import Swept
from collector.health import heartbeats
from collector.models import Flow, Outcome, Transaction
from collector.storage import judgement, partitions, saving
from collector.storage.sql import binary_cursor

KEEP_STATISTICS = timedelta(hours=48)
CHUNK = 2_000
WRITER = "upkeep"


def sweep_now() -> Swept:
    return deadlines.sweep(registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook))


def keep_up() -> None:
    """Makes partitions ahead; drops payloads, events and statistics that are older than they are kept."""
    now = timezone.now()
    partitions.ensure_ahead(now.date())
    retention = config.current(settings.CHOREOSCOPE_CONFIG).retention
    partitions.drop_before((now - retention.payloads).date(), ("collector_payload",))
    oldest = (now - retention.events).date()
    # before their events go, so that an event that comes after all begins a transaction anew
    _forget_transactions(oldest)
    partitions.drop_before(oldest, tuple(table for table in partitions.TABLES if table != "collector_payload"))
    for statistics in (Flow, Outcome):
        old_rows = statistics.objects.filter(bucket__lt=now - KEEP_STATISTICS).values_list("pk", flat=True)
        while ids := list(old_rows[:CHUNK]):
            statistics.objects.filter(pk__in=ids).delete()
    heartbeats.forget("collector:", older_than=timedelta(days=1))


def _forget_transactions(oldest: date) -> None:
    """Drops transactions of earlier days, open ones too, and takes them out of all counts. Those that somebody holds
    just now are left for the next time."""
    old = Transaction.objects.filter(day__lt=oldest).order_by("id").values_list("id", flat=True)
    while ids := list(old[:CHUNK]):
        with transaction.atomic(), binary_cursor() as cursor:
            rows = judgement.lock_by_row(cursor, ids)
            saving.forget(cursor, rows, WRITER)
        if len(rows) < len(ids):
            break
