"""What was found → alerts → notices: one alert per cause, raised, counted and resolved from what is stored.

Transitions only say *that* something changed; how many transactions wait for what is always read from the `Overdue`
rows, so that working through a transition twice, late, or in any order comes to the same alerts. How well reading is
has no transitions, and is looked at every time; the rest every few seconds.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from django.conf import settings
from django.db import connection, transaction

from collector import config, queries
from collector.actions import claim_transitions
from collector.health import heartbeats
from dashboard.alerts import causes, findings
from dashboard.alerts.models import Alert, Candidate
from dashboard.alerts.settling import Settling
from dashboard.notifying import announcing

CHUNK = 2_000
LOOK_EVERY, COMPARE_EVERY = timedelta(seconds=10), timedelta(seconds=30)
STILL_EXPLAINS = timedelta(minutes=10)
"""Longer than what transactions that waited leave behind is counted: the last five minutes."""
_LOCK = 0x63686F61
_LOOKED, _COMPARED = "evidence", "comparison"


class Processed(msgspec.Struct, frozen=True):
    """What came of it: transitions worked through, and whether any alert changed."""

    transitions: int = 0
    changed: bool = False


def process() -> Processed:
    """Brings the alerts up to date. Many at once are safe; they take turns."""
    total, changed = 0, False
    while True:
        with transaction.atomic():
            now = _take_turn()
            claimed = claim_transitions(CHUNK)
            changed = _settle(now, bool(claimed), last=claimed < CHUNK) or changed
        total += claimed
        heartbeats.beat(heartbeats.ALERTS, {"transitions": total})
        if claimed < CHUNK:
            return Processed(total, changed)


def _settle(now: datetime, transitions: bool, *, last: bool) -> bool:
    """Makes the alerts agree with what is not well now, and notes whom to tell."""
    settled = config.current(settings.CHOREOSCOPE_CONFIG)
    settling = Settling(settled, now)
    changed = False
    looking = last and _is_time(_LOOKED, LOOK_EVERY)
    restless = last and _restless(now)
    if transitions or looking or restless:
        waiting = findings.overdue(with_impact=settled.policy.weighs)
        changed = settling.agree(Alert.WAITING, waiting)
        changed = settling.agree([Alert.Kind.SERVICE_SILENT], findings.silent(waiting, now)) or changed
    if last:
        changed = settling.agree(findings.WELL, findings.reading(queries.readiness(now), now)) or changed
        if looking:
            seldom = findings.seldom(now, publishes=settled.bus.publish)
            changed = settling.agree(findings.SELDOM, seldom) or changed
        if looking and _is_time(_COMPARED, COMPARE_EVERY):
            declared = {name for name, found in settled.rulebook.by_name.items() if found.declared}
            changed = settling.agree(findings.UNUSUAL, findings.unlike_usual(now, declared)) or changed
    if changed or restless:
        _explain(now)
        changed = announcing.announce(settled, now) or changed
    return changed


def _restless(now: datetime) -> bool:
    """Whether time alone may bring a change: while any alert is not resolved, or may yet be raised, or people have yet
    to be told that it is over."""
    told = Alert.objects.filter(resolved_at__gte=now - timedelta(hours=1)).exclude(announced_at=None)
    return Alert.unresolved().exists() or told.exists() or Candidate.objects.exists()


def _is_time(name: str, every: timedelta) -> bool:
    age = heartbeats.age(name)
    if age is not None and age < every:
        return False
    heartbeats.beat(name)
    return True


def _explain(now: datetime) -> None:
    alerts = list(Alert.unresolved())
    over = Alert.objects.filter(kind__in=Alert.WAITING, resolved_at__gte=now - STILL_EXPLAINS)
    found = causes.explanations(alerts, list(over))
    for alert in alerts:
        if alert.explained_by_id != found.get(alert.id):
            alert.explained_by_id = found.get(alert.id)
            alert.save(update_fields=["explained_by"])


def _take_turn() -> datetime:
    """Returns the time by the database's clock, which signs of life and watermarks go by as well."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s), clock_timestamp()", [_LOCK])
        now: datetime = cursor.fetchone()[1]
    return now
