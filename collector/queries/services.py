"""Services: those that are declared, and those that events came from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings

from collector import config
from collector.config import Service
from collector.models import Clock, EventType

MOST_TYPES = 10_000
CLOCK_DAYS = timedelta(days=1)


@dataclass
class Known:
    """`types` are those that it was seen to emit; `clock` what its events show of its clock since yesterday, where that
    is off."""

    name: str
    service: Service = field(default_factory=Service)
    types: list[str] = field(default_factory=list)
    clock: Clock | None = None


def clocks(names: Iterable[str], now: datetime) -> list[Clock]:
    """Of these services, those whose clocks are off by what their events have shown since yesterday. One query."""
    found = Clock.objects.filter(service__in=list(names), day__gte=(now - CLOCK_DAYS).date()).order_by("day")
    return [clock for _, clock in sorted({clock.service: clock for clock in found}.items())]


def services(now: datetime) -> list[Known]:
    """By name. Two queries."""
    declared = config.current(settings.CHOREOSCOPE_CONFIG).services
    found = {name: Known(name, service) for name, service in declared.items()}
    emitted = EventType.objects.order_by("service", "type").values_list("service", "type").distinct()
    for name, kind in emitted[:MOST_TYPES]:
        found.setdefault(name, Known(name)).types.append(kind)
    for clock in Clock.objects.filter(day__gte=(now - CLOCK_DAYS).date()).order_by("day"):
        found.setdefault(clock.service, Known(clock.service)).clock = clock
    return [found[name] for name in sorted(found) if name]
