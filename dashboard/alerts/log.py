"""What every alert has in common: an end, and entries in its log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dashboard.alerts import wording
from dashboard.alerts.models import Alert, AlertEntry

CHOREOSCOPE = "choreoscope"


def resolve(alert: Alert, now: datetime, who: str = CHOREOSCOPE, reason: str = "") -> None:
    if alert.count:
        alert.course = wording.continued(alert.course, now, 0)
    alert.count, alert.state, alert.changed_at, alert.resolved_at = 0, Alert.State.RESOLVED, now, now
    alert.quiet_since, alert.snoozed_until, alert.unanswered_since, alert.explained_by = None, None, None, None
    alert.save()
    lasted = round((now - alert.began).total_seconds(), 1)
    note(alert, now, "resolved", who, reason=reason, after_seconds=lasted, peak=alert.peak)


def note(alert: Alert, now: datetime, kind: str, who: str = CHOREOSCOPE, **detail: Any) -> None:
    """What is empty is left out."""
    kept = {name: value for name, value in detail.items() if value not in ("", None)}
    AlertEntry.objects.create(alert=alert, at=now, kind=kind, who=who, detail=kept)
