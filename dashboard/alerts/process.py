"""Transition → Alert: one alert per cause, raised, counted and resolved from what the collector has stored.

Transitions only say *that* something changed; how many transactions wait for what is always read from the `Overdue`
rows, so that working through a transition twice, late, or in any order comes to the same alerts. How well reading is
has no transitions, and is looked at every time.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from django.conf import settings
from django.db import connection, transaction

from collector import config
from collector.actions import claim_transitions
from collector.queries.overdue import OverdueCause, overdue_causes
from dashboard.alerts import reading
from dashboard.alerts.log import note, resolve
from dashboard.alerts.models import Alert

CHUNK = 2_000
REOPENED_WITHIN = timedelta(minutes=5)
_LOCK = 0x63686F61

CauseKey = tuple[str, str, str, str]
"""Kind, choreography, awaited types, service."""


class Processed(msgspec.Struct, frozen=True):
    """What came of it: transitions worked through, and whether any alert changed."""

    transitions: int = 0
    changed: bool = False


def process() -> Processed:
    """Brings the alerts up to date: those of transactions if transitions ask for it, those of reading always.

    Many at once are safe; they take turns.
    """
    total, changed = 0, False
    while True:
        with transaction.atomic():
            now = _take_turn()
            claimed = claim_transitions(CHUNK)
            if claimed:
                changed = settle(now) or changed
            if claimed < CHUNK:
                changed = reading.settle(now) or changed
        total += claimed
        if claimed < CHUNK:
            return Processed(total, changed)


def settle(now: datetime) -> bool:
    """Makes the alerts agree with what is overdue now; returns whether any of them changed."""
    causes = {_key(cause): cause for cause in overdue_causes(with_impact=_is_weighed())}
    alerts = {
        (alert.kind, alert.choreography, alert.awaited, alert.service): alert
        for alert in Alert.unresolved().exclude(kind__in=Alert.READING).select_for_update()
    }
    changed = [_raise(key, causes[key], now) for key in causes.keys() - alerts.keys()]
    changed += [_update(alert, causes[key], now) for key, alert in alerts.items() if key in causes]
    changed += [resolve(alert, now) for key, alert in alerts.items() if key not in causes]
    return any(changed)


def _is_weighed() -> bool:
    return config.current(settings.CHOREOSCOPE_CONFIG).policy.weighs


def _take_turn() -> datetime:
    """Returns the time by the database's clock, which signs of life and watermarks go by as well."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s), clock_timestamp()", [_LOCK])
        now: datetime = cursor.fetchone()[1]
    return now


def _key(cause: OverdueCause) -> CauseKey:
    kind = Alert.Kind.STUCK_COMPENSATING if cause.compensation else Alert.Kind.STUCK
    return (kind, cause.choreography, cause.awaited, cause.service)


def _raise(key: CauseKey, cause: OverdueCause, now: datetime) -> bool:
    """Raises an alert, or opens the last one of this cause again: what comes and goes is one alert, not many."""
    kind, choreography, awaited, service = key
    before = Alert.objects.filter(kind=kind, choreography=choreography, awaited=awaited, service=service)
    last = before.filter(resolved_at__gte=now - REOPENED_WITHIN).order_by("-resolved_at").first()
    if last is not None:
        last.state, last.resolved_at = Alert.State.OPEN, None
        last.save(update_fields=["state", "resolved_at"])
        _update(last, cause, now)
        note(last, now, "reopened", count=cause.count)
        return True
    alert = Alert.objects.create(
        kind=kind,
        choreography=choreography,
        awaited=awaited,
        service=service,
        count=cause.count,
        peak=cause.count,
        impact=cause.impact,
        since=cause.since,
        opened_at=now,
        changed_at=now,
    )
    note(alert, now, "raised", count=cause.count)
    return True


def _update(alert: Alert, cause: OverdueCause, now: datetime) -> bool:
    """The count follows the cause; the first deadline that passed stays, while those that wait come and go."""
    since = min(alert.since, cause.since)
    if (alert.count, alert.since, alert.impact) == (cause.count, since, cause.impact):
        return False
    alert.count, alert.since, alert.impact, alert.changed_at = cause.count, since, cause.impact, now
    alert.peak = max(alert.peak, cause.count)
    alert.save(update_fields=["count", "since", "impact", "changed_at", "peak"])
    return True
