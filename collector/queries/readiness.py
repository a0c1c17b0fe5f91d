"""Whether the parts that reading depends on are alive, and how far behind the topics it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from collector.models import Heartbeat, Topic

FRESH = timedelta(seconds=10)


@dataclass(frozen=True)
class Part:
    """A part that readiness depends on. `age_seconds`: since its last sign of life, where it gives any."""

    name: str
    ok: bool
    age_seconds: float | None
    sentence: str


def behind_seconds(now: datetime) -> float | None:
    """How far behind the slowest topic is; None where nothing was read to its end yet. One query."""
    watermarks = list(Topic.objects.filter(vanished_at=None).values_list("watermark", flat=True))
    known = [watermark for watermark in watermarks if watermark is not None]
    if not known or len(known) < len(watermarks):
        return None
    return max(0.0, (now - min(known)).total_seconds())


def parts(now: datetime) -> list[Part]:
    """Collector and sweep, by their heartbeats. One query."""
    beats = dict(Heartbeat.objects.values_list("name", "at"))
    collectors = [at for name, at in beats.items() if name.startswith("collector:")]
    return [
        _part("collector", max(collectors, default=None), now, "Start one with `python manage.py collect`."),
        _part("sweep", beats.get("sweep"), now, "Deadlines are not checked; start the Celery worker and beat."),
    ]


def _part(name: str, at: datetime | None, now: datetime, remedy: str) -> Part:
    if at is None:
        return Part(name, False, None, f"The {name} has never run. {remedy}")
    age = max(0.0, (now - at).total_seconds())
    if age > FRESH.total_seconds():
        return Part(name, False, age, f"The {name} last gave a sign of life {age:.0f} s ago. {remedy}")
    return Part(name, True, age, f"The {name} is alive.")
