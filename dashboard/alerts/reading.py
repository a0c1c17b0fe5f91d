"""How well reading is → Alert: one per trouble that lasts, resolved when the trouble is over.

Choreoscope calls for help for itself here. What waits meanwhile raises no alert: watermarks stand still.
"""

from __future__ import annotations

from datetime import datetime

from collector import queries
from collector.health.liveness import Trouble
from dashboard.alerts.log import note, resolve
from dashboard.alerts.models import Alert

Key = tuple[str, str]
"""Kind and subject."""


def settle(now: datetime) -> bool:
    """Makes the alerts agree with how reading is; returns whether any of them changed. Three queries if none does.

    A trouble raises an alert when it is alarming, and keeps it until it is over altogether: what comes and goes at the
    threshold is one alert.
    """
    found = queries.readiness(now).liveness.troubles
    troubles: dict[Key, Trouble] = {(trouble.kind, trouble.subject): trouble for trouble in found}
    alerts = {
        (alert.kind, alert.subject): alert
        for alert in Alert.unresolved().filter(kind__in=Alert.READING).select_for_update()
    }
    changed = [resolve(alerts[key], now) for key in alerts.keys() - troubles.keys()]
    changed += [_update(alerts[key], troubles[key], now) for key in alerts.keys() & troubles.keys()]
    changed += [_raise(trouble, now) for key, trouble in troubles.items() if trouble.alarming and key not in alerts]
    return any(changed)


def _raise(trouble: Trouble, now: datetime) -> bool:
    alert = Alert.objects.create(
        kind=trouble.kind,
        subject=trouble.subject,
        names=trouble.names,
        since=trouble.since or now,
        opened_at=now,
        changed_at=now,
    )
    note(alert, now, "raised", sentence=trouble.sentence)
    return True


def _update(alert: Alert, trouble: Trouble, now: datetime) -> bool:
    if alert.names == trouble.names:
        return False
    alert.names, alert.changed_at = trouble.names, now
    alert.save(update_fields=["names", "changed_at"])
    return True
