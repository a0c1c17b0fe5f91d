"""Deliveries → the world: at least once, in order for each channel, tried again where that may help.

Work is rows: whoever works on a channel holds it for a while, and lets go of it by dying, too: at once where PostgreSQL
notices that, else when the while is over. What was sent and not noted as such is sent again, with the same id.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone

from collector import config
from dashboard.notifying import channels, explaining, outlets
from dashboard.notifying.models import Channel, Delivery
from dashboard.notifying.packing import pack

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=2), timedelta(minutes=10)
GIVEN_UP_AFTER = timedelta(hours=24)
SENDERS = 2
"""So many threads of a process send at a time."""
_LONGEST_ERROR = 500
_senders = threading.BoundedSemaphore(SENDERS)

_HOLD = """
UPDATE notifying_channel SET leased_until = clock_timestamp() + make_interval(secs => %(lease)s),
    leased_by = pg_backend_pid()
WHERE id = (
    SELECT c.id FROM notifying_channel c
    WHERE c.enabled AND NOT c.id = ANY(%(done)s) AND (c.leased_until IS NULL OR c.leased_until < clock_timestamp()
        OR NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = c.leased_by))
    AND (EXISTS (SELECT FROM notifying_notice n WHERE n.channel_id = c.id AND n.delivery_id IS NULL
                 AND NOT n.passed_over AND n.at <= clock_timestamp() - make_interval(secs => %(wait)s))
         OR EXISTS (SELECT FROM notifying_delivery d WHERE d.channel_id = c.id AND d.state = 'waiting'
                    AND d.next_at <= clock_timestamp()))
    ORDER BY c.id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, clock_timestamp()
"""
_STILL_HELD = """
UPDATE notifying_channel SET leased_until = clock_timestamp() + make_interval(secs => %s)
WHERE id = %s AND leased_by = pg_backend_pid()
"""
_LET_GO = (
    "UPDATE notifying_channel SET leased_until = NULL, leased_by = NULL WHERE id = %s AND leased_by = pg_backend_pid()"
)


def deliver() -> int:
    """Sends what is due through every channel that nobody else sends through; returns how many were taken. Servers that
    do not answer must not take all of a worker's threads: where enough of this process are at it, nothing happens."""
    if not _senders.acquire(blocking=False):
        return 0
    try:
        return _deliver()
    finally:
        _senders.release()


def _deliver() -> int:
    settled = config.current(settings.CHOREOSCOPE_CONFIG)
    explaining.explain(timezone.now())
    sent = 0
    done: list[int] = []
    while held := _hold(done, settled.alerts.group_wait):
        channel, now = held
        done.append(channel.pk)
        try:
            pack(channel, settled, now)
            sent += _send_all(channel, settled.alerts.allow)
        finally:
            _let_go(channel)
    return sent


def try_again(delivery: Delivery) -> None:
    """A person wants it sent now, whatever came of it before."""
    Delivery.objects.filter(pk=delivery.pk).update(state=Delivery.State.WAITING, next_at=timezone.now(), attempts=0)


def _hold(done: list[int], wait: timedelta) -> tuple[Channel, datetime] | None:
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, {"lease": LEASE.total_seconds(), "done": done, "wait": wait.total_seconds()})
        found = cursor.fetchone()
    return (Channel.objects.get(pk=found[0]), found[1]) if found else None


def _is_still_held(channel: Channel) -> bool:
    """And for a while longer. Not so where this worker was frozen for so long that another one took it over."""
    with connection.cursor() as cursor:
        cursor.execute(_STILL_HELD, [LEASE.total_seconds(), channel.pk])
        return cursor.rowcount == 1


def _let_go(channel: Channel) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_LET_GO, [channel.pk])


def _send_all(channel: Channel, allowed: Iterable[str]) -> int:
    """In their order, up to the first that is not taken: what follows waits behind it, unless it is given up."""
    sent = 0
    waiting = channel.deliveries.filter(state=Delivery.State.WAITING)
    while delivery := waiting.select_related("channel").order_by("id").first():
        now = timezone.now()
        if delivery.next_at > now or not _is_still_held(channel):
            break
        try:
            outlets.send(delivery, allowed)
        except outlets.Failed as failure:
            _failed(delivery, failure, now)
            if not _is_given_up(delivery):
                break
            if not delivery.channel.enabled:
                break
        else:
            delivery.state, delivery.sent_at, delivery.error = Delivery.State.SENT, timezone.now(), ""
            delivery.attempts += 1
            delivery.save(update_fields=["state", "sent_at", "error", "attempts"])
            Channel.objects.filter(pk=channel.pk).exclude(trouble="").update(trouble="")
            sent += 1
    return sent


def _is_given_up(delivery: Delivery) -> bool:
    return delivery.state == Delivery.State.FAILED


def _failed(delivery: Delivery, failure: outlets.Failed, now: datetime) -> None:
    """Tried again later and later; what never can be taken, or has not been for a day, disables its channel."""
    delivery.attempts, delivery.error = delivery.attempts + 1, str(failure)[:_LONGEST_ERROR]
    logger.warning("channel %s: delivery %s was not taken: %s", delivery.channel.name, delivery.uid, delivery.error)
    if failure.permanent or now - delivery.created_at > GIVEN_UP_AFTER:
        delivery.state = Delivery.State.FAILED
        channels.disable(delivery.channel, delivery.error)
    else:
        delivery.next_at = now + _wait(delivery.attempts)
        Channel.objects.filter(pk=delivery.channel_id).update(trouble=f"Tried again later: {delivery.error}")
    delivery.save(update_fields=["attempts", "error", "state", "next_at"])


def _wait(attempts: int) -> timedelta:
    """Twice as long each time, more or less: not all who were refused at once come back at once."""
    usual = min(FIRST_WAIT * 2 ** min(attempts - 1, 12), LONGEST_WAIT)
    return usual * random.uniform(0.75, 1.25)  # noqa: S311 - nothing depends on its being guessed
