"""What every page carries around its content: navigation, how far behind reading is, and what is not well."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from collector import queries
from collector.queries.readiness import BEAT_REMEDY, WORKER_REMEDY
from dashboard.alerts.models import Alert
from dashboard.pages import wording
from dashboard.pages.shared import MOMENT, shared

_MOST_ALERTS = 100
REMEDIES = (queries.REMEDY, queries.SWEEP_REMEDY, WORKER_REMEDY, BEAT_REMEDY)
DEMO_REMEDY = "It is part of the demo: end the demo with Ctrl-C, and start it again."


@dataclass(frozen=True)
class Entry:
    name: str
    title: str
    icon: str


ENTRIES = (
    Entry("overview", "Overview", "layout-dashboard"),
    Entry("transactions", "Transactions", "list-details"),
    Entry("choreographies", "Choreographies", "sitemap"),
    Entry("alerts", "Alerts", "bell"),
    Entry("services", "Services", "server"),
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
        if not settings.DEMO_CONTROL_URL:
            return self.readiness.sentences
        # The demo's processes are the demo's own: one that is started beside it would not belong to it.
        return [_in_demo(sentence) for sentence in self.readiness.sentences]

    @property
    def unread(self) -> str:
        """Since when nothing is read; empty while something is."""
        if self.readiness.reading:
            return ""
        since = self.readiness.liveness.since
        return f"nothing read since {wording.dated(since, self.now)}" if since else "nothing read yet"

    @property
    def unjudged(self) -> str:
        """Since when deadlines wait; empty where none does."""
        found = self.readiness.unjudged
        if found is None:
            return ""
        judged = "not judged" if found.wholly else "not all judged"
        return f"{judged} since {wording.dated(found.since, self.now)}" if found.since else f"{judged} yet"


def _in_demo(sentence: str) -> str:
    for remedy in REMEDIES:
        sentence = sentence.replace(remedy, DEMO_REMEDY)
    return sentence


def frame() -> Frame:
    return shared.get("frame", MOMENT, _frame)


def _frame() -> Frame:
    """Three queries."""
    now = timezone.now()
    return Frame(
        now=now,
        open_alerts=Alert.causes()[:_MOST_ALERTS].count(),
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


def fragment_once(
    request: HttpRequest, template: str, key: Hashable, context: Callable[[], dict[str, Any]]
) -> HttpResponse:
    """The same, written once for all who look at the same (`key`): where nothing on it is about who looks."""
    zone = timezone.get_current_timezone_name()
    content = shared.get((template, zone, key), MOMENT, lambda: fragment(request, template, context()).content)
    return HttpResponse(content, headers={"Cache-Control": "no-store"})
