"""Signs of life of collectors, sweep and workers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from collector.models import Heartbeat


def beat(name: str, detail: dict[str, Any] | None = None) -> None:
    Heartbeat.objects.update_or_create(name=name, defaults={"at": timezone.now(), "detail": detail or {}})


def age(name: str, now: datetime | None = None) -> timedelta | None:
    """How long ago the last sign of life was; None where there never was one."""
    at = Heartbeat.objects.filter(name=name).values_list("at", flat=True).first()
    return None if at is None else (now or timezone.now()) - at


def forget(prefix: str, older_than: timedelta) -> None:
    """Drops what has long stopped beating: collectors get new names with every start."""
    Heartbeat.objects.filter(name__startswith=prefix, at__lt=timezone.now() - older_than).delete()
