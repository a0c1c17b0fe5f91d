"""Celery's way in: what is found ahead, and what goes after a while."""

from __future__ import annotations

from celery import shared_task
from django.contrib.sessions.models import Session
from django.utils import timezone

from dashboard import ahead
from dashboard.alerts.upkeep import forget


@shared_task(ignore_result=True)
def look_ahead() -> None:
    ahead.prepare()


@shared_task(ignore_result=True)
def upkeep() -> None:
    """Logins that have expired go as well."""
    now = timezone.now()
    forget(now)
    Session.objects.filter(expire_date__lt=now).delete()
