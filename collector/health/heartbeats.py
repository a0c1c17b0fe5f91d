"""Signs of life of collectors, sweep and workers; by the database's clock, which is the same for all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec
from django.db import connection
from django.utils import timezone

from collector.models import Heartbeat

ALERTS, NOTIFICATIONS, BEAT = "alerts", "notifications", "beat"
"""Signs of life of what the Celery worker does each second, and of its clock."""

_BEAT = """
INSERT INTO collector_heartbeat AS h (name, at, detail) VALUES (%s, clock_timestamp(), %s::jsonb)
ON CONFLICT (name) DO UPDATE SET at = excluded.at, detail = excluded.detail
"""
_ADD = """
INSERT INTO collector_heartbeat AS h (name, at, detail) VALUES (%s, clock_timestamp(), %s::jsonb)
ON CONFLICT (name) DO UPDATE SET at = excluded.at, detail = (
    SELECT jsonb_object_agg(key, value::bigint + coalesce((h.detail ->> key)::bigint, 0))
    FROM jsonb_each_text(excluded.detail))
"""


def beat(name: str, detail: Mapping[str, Any] | None = None) -> None:
    """One statement; `detail` takes the place of what was there."""
    _upsert(_BEAT, name, detail or {})


def add(name: str, **counts: int) -> None:
    """A sign of life that adds these numbers to those of its detail. One statement."""
    _upsert(_ADD, name, counts)


def _upsert(statement: str, name: str, detail: Mapping[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [name, msgspec.json.encode(detail).decode()])


def age(name: str) -> timedelta | None:
    """How long ago the last sign of life was; None where there never was one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp() - at FROM collector_heartbeat WHERE name = %s", [name])
        found = cursor.fetchone()
    return found[0] if found else None


def forget(prefix: str, older_than: timedelta) -> None:
    """Drops what has long stopped beating: collectors get new names with every start."""
    Heartbeat.objects.filter(name__startswith=prefix, at__lt=timezone.now() - older_than).delete()
