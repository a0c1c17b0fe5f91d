"""What every page carries around its content: navigation, how far behind reading is, and what is not well."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from collector import queries
from dashboard.alerts.models import Alert
from dashboard.pages.shared import MOMENT, shared

_MOST_ALERTS = 100


@dataclass(frozen=True)
class Entry:
    name: str
    title: str
    icon: str


ENTRIES = (
    Entry("overview", "Overview", "layout-dashboard"),
    Entry("transactions", "Transactions", "list-details"),
    Entry("alerts", "Alerts", "bell"),
    Entry("ingestion", "Ingestion", "database-import"),
)
DEMO = Entry("demo", "Demo", "flask")


@dataclass(frozen=True)
class Frame:
    """The same for all viewers at a moment."""

    now: datetime
    open_alerts: int
    readiness: queries.Readiness

    @property
    def behind(self) -> float | None:
        """Seconds."""
        behind = self.readiness.liveness.behind
        return None if behind is None else behind.total_seconds()

    @property
    def troubles(self) -> list[str]:
        return self.readiness.sentences


def frame() -> Frame:
    return shared.get("frame", MOMENT, _frame)


def _frame() -> Frame:
    """Three queries."""
    now = timezone.now()
    unresolved = Alert.objects.exclude(state=Alert.State.RESOLVED)
    return Frame(
        now=now,
        open_alerts=unresolved[:_MOST_ALERTS].count(),
        readiness=queries.readiness(now),
    )


def page(request: HttpRequest, template: str, active: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """A whole page."""
    around = {
        "frame": frame(),
        "entries": (*ENTRIES, DEMO) if settings.DEMO_CONTROL_URL else ENTRIES,
        "active": active,
        "now": timezone.now(),
    }
    return render(request, template, {**around, **context}, status=status)


def alone(request: HttpRequest) -> HttpResponse:
    """What is around the content, for pages whose content does not change by itself."""
    return fragment(request, "frame/nothing.html", {})


def fragment(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """The part of a page that changes, and with it what has changed around it."""
    response = render(
        request, "frame/fragment.html", {"frame": frame(), "now": timezone.now(), "content": template, **context}
    )
    response.headers["Cache-Control"] = "no-store"
    return response
