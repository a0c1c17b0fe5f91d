"""Celery's way in: a hint that transitions may be waiting."""

from __future__ import annotations

import threading

from celery import shared_task

from collector import publish
from dashboard.alerts.process import process as process_alerts

_processing = threading.Lock()


@shared_task(ignore_result=True)
def process() -> None:
    """One thread of a process at a time: those that would wait for their turn are others' to work with."""
    if not _processing.acquire(blocking=False):
        return
    try:
        changed = process_alerts().changed
    finally:
        _processing.release()
    if changed:
        publish.send((), alerts=True)
