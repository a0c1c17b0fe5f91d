"""Celery's way in: what goes after a while."""

from __future__ import annotations

from celery import shared_task
from django.contrib.sessions.models import Session
from django.utils import timezone

from dashboard.alerts.upkeep import forget


@shared_task(ignore_result=True)
def upkeep() -> None:
    """Logins that have expired go as well."""
    now = timezone.now()
    forget(now)
    Session.objects.filter(expire_date__lt=now).delete()
