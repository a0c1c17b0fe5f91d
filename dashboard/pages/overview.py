"""The first page: what flows now, where it stops, and for how many."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from collector import config, queries
from dashboard import graphs
from dashboard.alerts.models import Alert
from dashboard.graphs import Drawing
from dashboard.pages import frame
from dashboard.pages.bars import bars
from dashboard.pages.flowing import flows, waits
from dashboard.pages.rows import Listed, listed_rows
from dashboard.pages.shared import MOMENT, shared

TABS = (("", "All"), ("running", "Running"), ("stuck", "Stuck"), ("compensated", "Compensated"), ("failed", "Failed"))
VIEWS = {"services": graphs.services_figure, "events": graphs.events_figure}
_NEWEST = 12
_MOST_ALERTS = 6
_SLOWLY = 2.0
"""Seconds that sums over minutes may be old."""
_VERY_SLOWLY = 60.0
"""Seconds until the map learns which edges it may forget."""


def page(request: HttpRequest) -> HttpResponse:
    """The graph's height is known before it is drawn, so that nothing moves when it is."""
    chosen = _chosen(request)
    height = _map(chosen["view"], chosen["choreography"]).height
    return frame.page(request, "overview.html", "overview", {**_context(request), "map_height": height})


def fragment(request: HttpRequest) -> HttpResponse:
    return frame.fragment(request, "overview/content.html", _context(request))


def drawings(request: HttpRequest) -> HttpResponse:
    """The live map for static/js/overview.js."""
    chosen = _chosen(request)
    key = ("overview-json", chosen["view"], chosen["choreography"])
    content = shared.get(key, MOMENT, lambda: msgspec.json.encode(_map(chosen["view"], chosen["choreography"])))
    return HttpResponse(content, content_type="application/json", headers={"Cache-Control": "no-store"})


def flow_map() -> queries.FlowMap:
    remembered = shared.get("remembered", _VERY_SLOWLY, lambda: queries.remembered(timezone.now()))
    return shared.get("flows", _SLOWLY, lambda: queries.flow_map(timezone.now(), remembered))


def _map(view: str, choreography: str) -> Drawing:
    return shared.get(("overview-map", view, choreography), MOMENT, lambda: _drawn(view, choreography))


def _drawn(view: str, choreography: str) -> Drawing:
    flowing, rulebook = flow_map(), config.current(settings.CHOREOSCOPE_CONFIG).rulebook
    return VIEWS[view](
        flows(flowing, rulebook, choreography), waits(waiting(), choreography), window_seconds=flowing.seconds
    )


def _chosen(request: HttpRequest) -> dict[str, str]:
    """What the address asks for; anything else than what there is counts as not asked for."""
    status, view = request.GET.get("status", ""), request.GET.get("view", "")
    return {
        "status": status if status in dict(TABS) else "",
        "view": view if view in VIEWS else "services",
        "choreography": request.GET.get("choreography", "")[:500].replace("\x00", ""),
    }


def _context(request: HttpRequest) -> dict[str, Any]:
    chosen = _chosen(request)
    common = shared.get("overview", MOMENT, _common)
    newest = shared.get(("newest", chosen["status"]), MOMENT, lambda: _newest(chosen["status"]))
    demo = bool(settings.DEMO_CONTROL_URL)
    return {**common, **chosen, "newest": newest, "tabs": TABS, "views": tuple(VIEWS), "demo": demo}


def _common() -> dict[str, Any]:
    now = timezone.now()
    figures = queries.figures(now)
    alerts = list(Alert.objects.exclude(state=Alert.State.RESOLVED).order_by("-opened_at", "-id")[:_MOST_ALERTS])
    _count_anew(alerts)
    return {
        "figures": figures,
        "stuck_where": _stuck_where(figures, alerts, frame.frame()),
        "bars": shared.get("over-time", _SLOWLY, lambda: bars(queries.over_time(now))),
        "choreographies": flow_map().choreographies,
        "flow_seconds": flow_map().seconds,
        "alerts": alerts,
        "changes": shared.get("changes", _SLOWLY, lambda: queries.changes(now)),
    }


def _count_anew(alerts: list[Alert]) -> None:
    """An alert's stored count is brought up to date each second. Beside figures of this moment it has to be theirs."""
    now: Counter[tuple[str, str, str]] = Counter()
    for step in waiting():
        now[step.choreography, step.awaited, step.service] += step.overdue.count
    for alert in alerts:
        alert.count = now[alert.choreography, alert.awaited, alert.service] or alert.count


def waiting() -> list[queries.WaitingStep]:
    return shared.get("waiting", MOMENT, queries.waiting)


def _stuck_where(figures: queries.Figures, alerts: list[Alert], around: frame.Frame) -> str:
    """Whom the stuck ones wait for, as far as a line can say it."""
    unjudged = around.readiness.unjudged
    if unjudged and (unjudged.wholly or not figures.stuck):
        return around.unjudged
    if not figures.stuck:
        return "nothing is overdue"
    services = {alert.service for alert in alerts if alert.service}
    if not services:
        return "waiting for an answer"
    return f"all wait for {services.pop()}" if len(services) == 1 else f"waiting for {len(services)} services"


def _newest(status: str) -> list[Listed]:
    return listed_rows(queries.newest(_NEWEST, status))
