"""What is past retention: alerts that were resolved long ago, with their log and what was sent of them; silences."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import connection, transaction

from collector import config
from dashboard.alerts.models import Alert, Silence
from dashboard.notifying.models import Delivery

CHUNK = 500


def forget(now: datetime) -> int:
    """Returns how many alerts went. Messages stay as long as one of the alerts that they tell of."""
    before = now - config.current(settings.CHOREOSCOPE_CONFIG).retention.alerts
    gone = 0
    old = Alert.objects.filter(resolved_at__lt=before).order_by("resolved_at").values_list("pk", flat=True)
    while ids := list(old[:CHUNK]):
        _drop(ids)
        gone += len(ids)
    Delivery.objects.filter(created_at__lt=before, notices=None).delete()
    Silence.objects.filter(ends_at__lt=before).delete()
    return gone


def _drop(ids: list[int]) -> None:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL choreoscope.forgets = 'on'")  # else the log refuses to lose an entry
        Alert.objects.filter(pk__in=ids).delete()
