"""Celery's way in: a hint that transitions may be waiting."""

from __future__ import annotations

from celery import shared_task

from collector import publish
from dashboard.alerts.process import process as process_alerts


@shared_task(ignore_result=True)
def process() -> None:
    processed = process_alerts()
    if processed.changed:
        publish.send((), alerts=True)
