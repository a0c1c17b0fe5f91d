"""The first page: what flows, where it stops, and for how many. Now, or in any range of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from math import inf
from typing import Any, TypeVar

import msgspec
from django.conf import settings
from django.db.models import Case, Count, Q, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from collector import config, queries
from collector.config.alerting import SEVERITIES
from collector.config.rules import registered
from dashboard import graphs
from dashboard.alerts.models import Alert
from dashboard.graphs import Drawing
from dashboard.pages import frame, news, past, period
from dashboard.pages.bars import bars
from dashboard.pages.chosen import Chosen, chosen
from dashboard.pages.flowing import flows, only, waits
from dashboard.pages.folding import FOLDS, folded, groups
from dashboard.pages.period import Period
from dashboard.pages.rows import Listed, listed_rows
from dashboard.pages.shared import MOMENT, shared

Value = TypeVar("Value")
TABS = (("", "All"), ("running", "Running"), ("stuck", "Stuck"), ("compensated", "Compensated"), ("failed", "Failed"))
VIEWS = {"services": graphs.services_figure, "events": graphs.events_figure, "topics": graphs.topics_figure}
_NEWEST = 12
_MOST_ALERTS = 6
_SLOWLY = 2.0
"""Seconds that sums over minutes may be old."""
_LATELY = 30.0
"""Seconds that the size of the map may be old before it is drawn: it changes with what is on it, not with how much."""
_SHARE = 1 / 300
"""A range of time up to now is made anew when so much of it has passed."""


def page(request: HttpRequest) -> HttpResponse:
    """The graph's size is known before it is drawn, so that nothing moves when it is: the size that it had lately."""
    wanted = _chosen(request)
    clear = period.to_be_rewritten(request, wanted.period)
    if clear:
        return redirect(clear)
    room = _map(wanted, _LATELY)
    context = {**_context(wanted, room.note), "map_room": room}
    return frame.page(request, "overview.html", "overview", context, 400 if wanted.period.complaint else 200)


def fragment(request: HttpRequest) -> HttpResponse:
    wanted = _chosen(request)
    return frame.fragment_once(
        request, "overview/content.html", wanted.key, lambda: _context(wanted, _map(wanted).note)
    )


def drawings(request: HttpRequest) -> HttpResponse:
    """The map for static/js/overview.js."""
    wanted = _chosen(request)
    content = shared.get(("overview-json", wanted.key), MOMENT, lambda: msgspec.json.encode(_map(wanted)))
    return HttpResponse(content, content_type="application/json", headers={"Cache-Control": "no-store"})


def flow_map() -> queries.FlowMap:
    kept = shared.get("live-flows", inf, queries.LiveFlows)
    return shared.get("flows", _SLOWLY, lambda: kept.flow_map(timezone.now()))


def waiting() -> list[queries.WaitingStep]:
    """One query; one more now and then, for the rules."""
    declared = config.current(settings.CHOREOSCOPE_CONFIG).rulebook
    rulebook = shared.get("rulebook", _SLOWLY, lambda: registered(declared))
    return shared.get("waiting", MOMENT, lambda: queries.waiting(rulebook))


def _chosen(request: HttpRequest) -> Chosen:
    return chosen(request, [word for word, _ in TABS], list(VIEWS))


def _map(wanted: Chosen, seconds: float = MOMENT) -> Drawing:
    """No older than so many seconds."""
    return shared.get(("overview-map", wanted.key), seconds, lambda: _drawn(wanted))


def _drawn(wanted: Chosen) -> Drawing:
    flowing, rulebook = _flowing(wanted.period), config.current(settings.CHOREOSCOPE_CONFIG).rulebook
    if wanted.period.since is None or wanted.period.live:
        found = waits(waiting(), wanted.choreography)
    else:
        found = past.waits(_past_alerts(wanted.period), wanted.period.end, rulebook, wanted.choreography)
    drawn, pending = only(flows(flowing, rulebook, wanted.choreography), found, wanted.service, wanted.event_type)
    if wanted.fold:
        drawn, pending = folded(drawn, pending, groups(wanted.fold), wanted.unfolded)
    return VIEWS[wanted.view](drawn, pending, window_seconds=flowing.seconds, detail=wanted.detail)


def _flowing(asked: Period) -> queries.FlowMap:
    if asked.since is None:
        return flow_map()
    return _slowly("flows-of", asked, lambda within, _: queries.flow_map_of(within))


def _past_alerts(asked: Period) -> list[Alert]:
    since = asked.since or asked.now
    return shared.get(("alerts-of", asked.query), _SLOWLY, lambda: past.alerts(since, asked.end))


def _slowly(what: str, asked: Period, make: Callable[[queries.Span, datetime], Value]) -> Value:
    """What is read of a range, kept for as long as it hardly changes."""

    def made() -> Value:
        now = timezone.now()
        within = queries.span(asked.since or now, asked.until or now, now)
        return make(within, now)

    return shared.get((what, asked.query), max(_SLOWLY, asked.length.total_seconds() * _SHARE), made)


def _context(wanted: Chosen, note: str) -> dict[str, Any]:
    """`note`: what is to be said of the map."""
    asked = wanted.period
    common = (
        shared.get(("overview", timezone.get_current_timezone_name()), MOMENT, _common)
        if asked.since is None
        else shared.get(("overview", asked.query), MOMENT, lambda: _common_of(asked))
    )
    slots, slot = common["slots"]
    flowing = _flowing(asked)
    return {
        **common,
        "chosen": wanted,
        "period": asked,
        "usual": period.USUAL,
        "folds": FOLDS,
        "complaint": asked.complaint,
        "bars": bars(slots, slot),
        "map_note": note,
        "choreographies": flowing.choreographies,
        "services": sorted({edge.target_service for edge in flowing.events if edge.target_service}),
        "types": sorted({edge.target_type for edge in flowing.events}),
        "flow_seconds": flowing.seconds,
        "newest": shared.get(("newest", wanted.status, asked.query), MOMENT, lambda: _newest(wanted.status, asked)),
        "tabs": TABS,
        "views": tuple(VIEWS),
        "demo": bool(settings.DEMO_CONTROL_URL),
    }


def _common() -> dict[str, Any]:
    """Of now."""
    now = timezone.now()
    figures = queries.figures(now)
    alerts = _gravest()
    _count_anew(alerts)
    return {
        "figures": figures,
        "stuck_where": _stuck_where(bool(figures.stuck), alerts, frame.frame()),
        "slots": shared.get("over-time", _SLOWLY, lambda: (queries.over_time(now), queries.SLOT)),
        "alerts": alerts,
        "more_alerts": frame.frame().open_alerts - _MOST_ALERTS,
        "changes": news.told(shared.get("changes", _SLOWLY, lambda: queries.changes(now))),
    }


def _gravest() -> list[Alert]:
    """Open alerts, the gravest first, of equal ones the newest; those whose cause is gone last. What another one
    explains is only counted, in `explained`. One query."""
    rank = Case(*(When(severity=name, then=place) for place, name in enumerate(SEVERITIES)), default=0)
    explained = Count("explains", filter=~Q(explains__state=Alert.State.RESOLVED))
    causes = Alert.causes().annotate(explained=explained, rank=rank, settles=Q(quiet_since__isnull=False))
    return list(causes.order_by("settles", "-rank", "-since", "-id")[:_MOST_ALERTS])


def _common_of(asked: Period) -> dict[str, Any]:
    """Of a range. Alerts are those of its whole length, counted as they stood at its end."""
    found = _slowly("past", asked, queries.past)
    alerts = _past_alerts(asked)
    since = asked.since or asked.now
    return {
        "past": found,
        "stuck_then": past.stuck(alerts, asked.end),
        "slots": (found.slots, found.slot),
        "alerts": alerts[:_MOST_ALERTS],
        "more_alerts": len(alerts) - _MOST_ALERTS,
        "changes": news.told(queries.changes(asked.end, since)),
    }


def _count_anew(alerts: list[Alert]) -> None:
    """An alert's stored count is brought up to date each second. Beside figures of this moment it has to be theirs."""
    now: Counter[tuple[str, str, str]] = Counter()
    for step in waiting():
        now[step.choreography, step.awaited, step.service] += step.overdue.count
        now["", "", step.service] += step.overdue.count
    for alert in alerts:
        silent = alert.kind == Alert.Kind.SERVICE_SILENT and not alert.settling
        count = now[alert.choreography, alert.awaited, alert.service] if alert.about_transactions or silent else 0
        if count:
            alert.count, alert.quiet_since = count, None


def _stuck_where(any_stuck: bool, alerts: list[Alert], around: frame.Frame) -> str:
    """Whom the stuck ones wait for, as far as a line can say it."""
    unjudged = around.readiness.unjudged
    if unjudged and (unjudged.wholly or not any_stuck):
        return around.unjudged
    if not any_stuck:
        return "nothing is overdue"
    services = {alert.service for alert in alerts if alert.service}
    if not services:
        return "waiting for an answer"
    return f"all wait for {services.pop()}" if len(services) == 1 else f"waiting for {len(services)} services"


def _newest(status: str, asked: Period) -> list[Listed]:
    """Of a range those that began within it, as they are now."""
    bounds: dict[str, datetime] = asked.bounds
    return listed_rows(queries.newest(_NEWEST, status, **bounds))
