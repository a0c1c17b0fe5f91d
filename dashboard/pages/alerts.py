"""Open alerts, one per cause, and those resolved lately."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from collector import config
from dashboard.alerts.models import Alert
from dashboard.pages import frame
from dashboard.pages.alert import SNOOZES
from dashboard.pages.shared import MOMENT, shared

_MOST_OPEN = 200
_MOST_RESOLVED = 50


def page(request: HttpRequest) -> HttpResponse:
    return frame.page(request, "alerts.html", "alerts", _context())


def fragment(request: HttpRequest) -> HttpResponse:
    return frame.fragment(request, "alerts/content.html", _context())


def _context() -> dict[str, Any]:
    return shared.get("alerts", MOMENT, _lists)


def _lists() -> dict[str, Any]:
    """Two queries."""
    services = config.current(settings.CHOREOSCOPE_CONFIG).services
    unresolved = Alert.objects.exclude(state=Alert.State.RESOLVED).order_by("-opened_at", "-id")[:_MOST_OPEN]
    resolved = Alert.objects.filter(state=Alert.State.RESOLVED).order_by("-opened_at", "-id")[:_MOST_RESOLVED]
    return {
        "unresolved": [(alert, _service(services, alert.service)) for alert in unresolved],
        "resolved": list(resolved),
        "snoozes": SNOOZES,
    }


def _service(services: Mapping[str, config.Service], name: str) -> config.Service | None:
    """An alert is about many transactions: only links that lead to none of them apply."""
    service = services.get(name)
    return service.about("", name) if service else None
