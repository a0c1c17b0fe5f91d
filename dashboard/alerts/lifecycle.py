"""What people do with alerts: acknowledge, snooze, resolve, silence. Each step is logged: who, when, why."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from collector import actions, publish, queries
from dashboard.alerts.log import note, resolve
from dashboard.alerts.models import Alert, Silence

AT_ONCE = 200
LONGEST_SNOOZE = timedelta(days=30)
LONGEST_REASON = 500


class Impossible(Exception):
    """It cannot be done as things are; says why in a sentence."""


def acknowledge(ids: Collection[int], who: str, reason: str = "") -> list[int]:
    """Somebody looks after them: no more raised or updated, but escalated and recovered. Returns which it was done to,
    as all here: those that are resolved are left alone."""

    def step(alert: Alert, now: datetime) -> None:
        alert.state, alert.snoozed_until, alert.unanswered_since = Alert.State.ACKNOWLEDGED, None, None
        alert.save(update_fields=["state", "snoozed_until", "unanswered_since"])
        note(alert, now, "acknowledged", who, reason=reason)

    return _each(ids, step)


def snooze(ids: Collection[int], who: str, until: datetime, reason: str = "") -> list[int]:
    """Nobody hears of them until then. Raises Impossible for a moment that has passed, or is far away."""
    now = timezone.now()
    if not now < until <= now + LONGEST_SNOOZE:
        raise Impossible(f"An alert can be snoozed for up to {LONGEST_SNOOZE.days} days from now.")

    def step(alert: Alert, at: datetime) -> None:
        alert.state, alert.snoozed_until, alert.unanswered_since = Alert.State.SNOOZED, until, None
        alert.save(update_fields=["state", "snoozed_until", "unanswered_since"])
        note(alert, at, "snoozed", who, reason=reason, until=until.isoformat())

    return _each(ids, step)


def close(ids: Collection[int], who: str, reason: str = "") -> list[int]:
    """Resolved by a person. Where the cause is still there, it is opened again at once: what is wrong can't be talked
    away; that is what silences are for."""
    return _each(ids, lambda alert, now: resolve(alert, now, who, reason))


def reopen(ids: Collection[int], who: str, reason: str = "") -> list[int]:
    """Acknowledged or snoozed no more."""

    def step(alert: Alert, now: datetime) -> None:
        if alert.state != Alert.State.OPEN:
            alert.state, alert.snoozed_until, alert.unanswered_since = Alert.State.OPEN, None, now
            alert.save(update_fields=["state", "snoozed_until", "unanswered_since"])
            note(alert, now, "taken back", who, reason=reason)

    return _each(ids, step)


def decide(ids: Collection[int], who: str, reason: str, *, discard: bool) -> int:
    """What the breaker holds back goes out on the bus after all, or never; returns how many events that were. Raises
    Impossible where nothing is held back, and without a reason for what cannot be taken back."""
    if discard and not reason:
        raise Impossible("Nothing was discarded: say why, since it cannot be taken back.")
    held = Alert.unresolved().filter(pk__in=sorted(ids)[:AT_ONCE], kind=Alert.Kind.BUS_HELD).first()
    if held is None or queries.breaking().tripped_at is None:
        raise Impossible("Nothing is held back from the bus any more.")
    count = actions.release_announcements(discard=discard)
    kind = "discarded" if discard else "released"
    note(held, timezone.now(), kind, who, reason=reason, count=count)
    publish.send((), alerts=True)
    return count


def silence(matcher: dict[str, str], who: str, reason: str, ends_at: datetime) -> Silence:
    """Nobody is told of what matches until then. Raises Impossible where it would say nothing, or too much."""
    now = timezone.now()
    given = {name: matcher.get(name, "").strip() for name in Silence.PARTS}
    if not any(given.values()):
        raise Impossible("Say what to silence: a kind, a choreography, a service or an event type.")
    if not reason.strip():
        raise Impossible("Say why: whoever finds it later has to know.")
    if not now < ends_at <= now + LONGEST_SNOOZE:
        raise Impossible(f"A silence ends within {LONGEST_SNOOZE.days} days from now.")
    return Silence.objects.create(
        **given, reason=reason.strip()[:LONGEST_REASON], who=who, created_at=now, ends_at=ends_at
    )


def end_silence(identity: int, who: str) -> bool:
    """Ends it now; returns whether there was one in force."""
    now = timezone.now()
    return bool(Silence.in_force(now).filter(pk=identity).update(ends_at=now, ended_by=who))


def _each(ids: Collection[int], step: Callable[[Alert, datetime], None]) -> list[int]:
    with transaction.atomic():
        found = Alert.unresolved().filter(pk__in=sorted(ids)[:AT_ONCE]).select_for_update().order_by("id")
        now = timezone.now()
        done = []
        for alert in found:
            step(alert, now)
            done.append(alert.pk)
    if done:
        publish.send((), alerts=True)
    return done
