"""What every alert has in common: an end, and entries in its log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dashboard.alerts.models import Alert, AlertEntry


def resolve(alert: Alert, now: datetime) -> bool:
    alert.count, alert.state, alert.changed_at, alert.resolved_at = 0, Alert.State.RESOLVED, now, now
    alert.save(update_fields=["count", "state", "changed_at", "resolved_at"])
    note(alert, now, "resolved", after_seconds=round((now - alert.opened_at).total_seconds(), 1), peak=alert.peak)
    return True


def note(alert: Alert, now: datetime, kind: str, **detail: Any) -> None:
    AlertEntry.objects.create(alert=alert, at=now, kind=kind, detail=detail)
