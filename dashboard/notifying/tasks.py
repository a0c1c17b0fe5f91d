"""Celery's way in: a hint that somebody may have to be told."""

from __future__ import annotations

from celery import shared_task

from collector.health import heartbeats
from dashboard.notifying.heartbeat import ping
from dashboard.notifying.sending import deliver as deliver_due


@shared_task(ignore_result=True)
def deliver() -> None:
    heartbeats.beat(heartbeats.NOTIFICATIONS)
    deliver_due()
    heartbeats.beat(heartbeats.NOTIFICATIONS)


@shared_task(ignore_result=True)
def heartbeat() -> None:
    ping()
