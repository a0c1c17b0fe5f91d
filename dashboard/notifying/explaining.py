"""Asks Kafka, for each alert, whether the service that owes the answers has read what asks for them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q

from collector import queries
from collector.queries.overdue import examples
from dashboard.alerts.models import Alert

AGAIN_AFTER = timedelta(seconds=30)
AT_ONCE = 3


def explain(now: datetime) -> int:
    """Those first that nobody has asked about; returns how many. Outside of any database transaction: Kafka may take
    its time."""
    old = Q(explained_at=None) | Q(explained_at__lt=now - AGAIN_AFTER)
    waiting = Alert.unresolved().filter(old, kind__in=Alert.WAITING, quiet_since=None)
    asked = list(waiting.order_by("explained_at", "id")[:AT_ONCE])
    for alert in asked:
        verdict = _verdict(alert)
        Alert.objects.filter(pk=alert.pk).update(verdict=verdict, explained_at=now)
    return len(asked)


def examples_of(alert: Alert, most: int = 5) -> list[str]:
    """Ids of transactions that it is about, those that have waited longest first."""
    if not alert.about_transactions:
        return []
    compensation = alert.kind == Alert.Kind.STUCK_COMPENSATING
    return examples(alert.choreography, alert.awaited, alert.service, compensation=compensation, most=most)


def _verdict(alert: Alert) -> str:
    compensation = alert.kind == Alert.Kind.STUCK_COMPENSATING
    cause = (alert.choreography, alert.awaited)
    return queries.reading(queries.OverdueWith(alert.service, {cause}, (compensation,)))
