"""Regular work on the tables: the sweep with the configured rules, partitions ahead, and what is past its retention."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from collector import config, deadlines, heartbeats, partitions
from collector.deadlines import Swept
from collector.models import Flow, Outcome, Transaction
from collector.rules import registered

KEEP_STATISTICS = timedelta(hours=48)
CHUNK = 2_000


def sweep_now() -> Swept:
    return deadlines.sweep(registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook))


def keep_up() -> None:
    """Makes partitions ahead; drops payloads, events and statistics that are older than they are kept."""
    now = timezone.now()
    partitions.ensure_ahead(now.date())
    retention = config.current(settings.CHOREOSCOPE_CONFIG).retention
    partitions.drop_before((now - retention.payloads).date(), ("collector_payload",))
    oldest = (now - retention.events).date()
    partitions.drop_before(oldest, tuple(table for table in partitions.TABLES if table != "collector_payload"))
    old_transactions = Transaction.objects.filter(day__lt=oldest).order_by("id").values_list("id", flat=True)
    while ids := list(old_transactions[:CHUNK]):
        Transaction.objects.filter(id__in=ids).delete()
    for statistics in (Flow, Outcome):
        old_rows = statistics.objects.filter(bucket__lt=now - KEEP_STATISTICS).values_list("pk", flat=True)
        while ids := list(old_rows[:CHUNK]):
            statistics.objects.filter(pk__in=ids).delete()
    heartbeats.forget("collector:", older_than=timedelta(days=1))
