"""Notices → deliveries: what belongs together goes in one message, and beyond a rate everything in one digest."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import groupby

from django.db import transaction

from collector import config
from dashboard.alerts.models import Alert
from dashboard.notifying import messages
from dashboard.notifying.models import Channel, Delivery, Notice

AT_ONCE = 500
PATIENCE = timedelta(seconds=6)
"""How long a notice waits for Kafka to say why."""
_MINUTE = timedelta(minutes=1)


def pack(channel: Channel, settled: config.Config, now: datetime) -> int:
    """Makes deliveries of the channel's notices, in their order; returns how many. The caller holds the channel."""
    alerting = settled.alerts
    lately = channel.deliveries.filter(created_at__gt=now - _MINUTE).exclude(kind="test")
    room = alerting.most_per_minute - lately.count()
    if room <= 0:
        return 0
    with transaction.atomic():
        unpacked = channel.notices.filter(delivery=None, passed_over=False, at__lte=now - alerting.group_wait)
        notices = [entry for entry in unpacked.select_related("alert").order_by("id")[:AT_ONCE] if _is_ripe(entry, now)]
        telling, over = _latest(notices)
        Notice.objects.filter(pk__in=[entry.pk for entry in over]).update(passed_over=True)
        groups = _groups(telling, settled)
        if len(groups) > max(1, room - 1):
            groups = [telling]
        for group in groups:
            _deliver(channel, group, settled, now)
    return len(groups)


def _is_ripe(notice: Notice, now: datetime) -> bool:
    """Whether it is known why, if that can be; else it waits a little, and all of its alert with it."""
    alert = notice.alert
    asks = alert.about_transactions and bool(alert.service) and alert.state != Alert.State.RESOLVED
    return not asks or alert.explained_at is not None or now - notice.at > PATIENCE


def _latest(notices: list[Notice]) -> tuple[list[Notice], list[Notice]]:
    """Of each alert's notices the last, which says it all; of what came and went unheard of, none."""
    by_alert: dict[int, list[Notice]] = {}
    for notice in notices:
        by_alert.setdefault(notice.alert_id, []).append(notice)
    telling: list[Notice] = []
    for entries in by_alert.values():
        *_, last = entries
        unheard = entries[0].kind == "raised"
        if unheard and last.kind == "recovered":
            continue
        if unheard and last.kind != "raised":
            last.kind = "raised"
            last.save(update_fields=["kind"])
        telling.append(last)
    kept = {entry.pk for entry in telling}
    return sorted(telling, key=lambda entry: entry.pk), [entry for entry in notices if entry.pk not in kept]


def _groups(notices: list[Notice], settled: config.Config) -> list[list[Notice]]:
    """What agrees in all that is grouped by; what is not known agrees with nothing."""

    def key(notice: Notice) -> tuple[str, ...]:
        facts = notice.alert.facts(settled.services.get(notice.alert.service, config.Service()).owner)
        values = tuple(getattr(facts, name) for name in settled.alerts.group_by)
        return ("", *values) if values and all(values) else (str(notice.alert_id), *values)

    groups = [list(group) for _, group in groupby(sorted(notices, key=key), key)]
    return sorted(groups, key=lambda group: group[0].pk)


def _deliver(channel: Channel, notices: list[Notice], settled: config.Config, now: datetime) -> None:
    if not notices:
        return
    said = messages.compose(notices, settled, now)
    delivery = Delivery.objects.create(channel=channel, created_at=now, next_at=now, **said)
    Notice.objects.filter(pk__in=[entry.pk for entry in notices]).update(delivery=delivery)
    _remember(notices)


def _remember(notices: list[Notice]) -> None:
    """What was said is what counts by now: a count that grew meanwhile is no news any more."""
    for alert in sorted({entry.alert for entry in notices}, key=lambda alert: alert.pk):
        heard = Alert.objects.filter(pk=alert.pk, announced_count__lt=alert.count)
        heard.exclude(announced_at=None).update(announced_count=alert.count)
