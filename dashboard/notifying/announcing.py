"""Alerts → notices: what people know of an alert is compared with what it is, and a notice is due where they differ.

In the database transaction that changes the alerts, so that none is lost and none is due twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from django.db.models import Q

from collector import config
from collector.config.alerting import SEVERITIES, Facts
from dashboard.alerts.models import Alert, Silence
from dashboard.notifying.models import Channel, Notice


def announce(settled: config.Config, now: datetime) -> bool:
    """Returns whether there is anything to tell. Three queries where there is not."""
    silences = list(Silence.in_force(now))
    channels = list(Channel.objects.order_by("id"))
    recently = Q(resolved_at__gte=now - timedelta(days=1), announced_at__isnull=False)
    alerts = list(Alert.objects.filter(~Q(state=Alert.State.RESOLVED) | recently).select_for_update().order_by("id"))
    _take_over({alert.id: alert for alert in alerts})
    notices: list[Notice] = []
    for alert in alerts:
        facts = alert.facts(_owner(settled, alert))
        kept_back = any(silence.fits(facts) for silence in silences) or settled.alerts.quiet(facts, now)
        kind = due(alert, now, kept_back=kept_back, update_every=settled.alerts.update_every)
        if kind:
            notices += _notices(alert, kind, _told(settled, channels, facts), now)
            _remember(alert, kind, now)
    Notice.objects.bulk_create(notices)
    return bool(notices)


def due(alert: Alert, now: datetime, *, kept_back: bool, update_every: timedelta) -> str:
    """What people have to be told of it now; empty: nothing."""
    known = alert.announced_at is not None
    if alert.state == Alert.State.RESOLVED:
        return "recovered" if known else ""
    if kept_back or alert.explained_by_id or alert.quiet_since or alert.state == Alert.State.SNOOZED:
        return ""
    if not known:
        return "raised" if alert.state == Alert.State.OPEN else ""
    if _rank(alert.severity) > _rank(alert.announced_severity):
        return "escalated"
    grown = alert.count >= 2 * max(1, alert.announced_count) and alert.state == Alert.State.OPEN
    assert alert.announced_at is not None
    return "updated" if grown and now - alert.announced_at >= update_every else ""


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else 0


def _take_over(alerts: dict[int, Alert]) -> None:
    """Where people know of what a new alert explains, they are told that it is the cause, not of another alert."""
    for alert in alerts.values():
        cause = alerts.get(alert.explained_by_id or 0)
        if cause is None or alert.announced_at is None or alert.state == Alert.State.RESOLVED:
            continue
        if cause.announced_at is None:
            cause.announced_at, cause.announced_severity = alert.announced_at, alert.announced_severity
            cause.announced_count = alert.announced_count
            cause.save(update_fields=["announced_at", "announced_severity", "announced_count"])
        alert.announced_at = None
        alert.save(update_fields=["announced_at"])


def _remember(alert: Alert, kind: str, now: datetime) -> None:
    alert.announced_at = None if kind == "recovered" else now
    alert.announced_severity, alert.announced_count = alert.severity, alert.count
    alert.save(update_fields=["announced_at", "announced_severity", "announced_count"])


def _owner(settled: config.Config, alert: Alert) -> str:
    service = settled.services.get(alert.service)
    return service.owner if service else ""


def _told(settled: config.Config, channels: Collection[Channel], facts: Facts) -> Iterator[Channel]:
    names = settled.alerts.channels(facts)
    return (channel for channel in channels if names is None or channel.name in names)


def _notices(alert: Alert, kind: str, channels: Iterator[Channel], now: datetime) -> list[Notice]:
    return [
        Notice(alert=alert, channel=channel, kind=kind, at=now, severity=alert.severity, count=alert.count)
        for channel in channels
    ]
