"""One alert: what, why, since when, what was done and who was told; and what people do with one or many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from collector import actions, config
from collector.config.rules import registered
from dashboard.alerts import lifecycle
from dashboard.alerts.models import Alert
from dashboard.notifying.explaining import examples_of
from dashboard.pages import frame

_MOST_LOGGED = 200
_MOST_ABANDONED = 2_000
_WIDE, _HIGH = 600, 100
SNOOZES = ((15, "15 minutes"), (60, "1 hour"), (240, "4 hours"), (1440, "1 day"))


@require_safe
def page(request: HttpRequest, alert_id: int) -> HttpResponse:
    return frame.page(request, "alert.html", "alerts", _context(alert_id))


@require_safe
def fragment(request: HttpRequest, alert_id: int) -> HttpResponse:
    return frame.fragment(request, "alerts/one.html", _context(alert_id))


@require_POST
def act(request: HttpRequest) -> HttpResponse:
    """On all that are ticked, or the one whose page it is; then back to where one was."""
    ticked = request.POST.getlist("alert")[: lifecycle.AT_ONCE]
    ids = [int(text) for text in ticked if text.isascii() and text.isdigit()]
    who, reason = request.user.get_username(), request.POST.get("reason", "").strip()[: lifecycle.LONGEST_REASON]
    deeds: dict[str, Callable[[], Any]] = {
        "acknowledge": lambda: lifecycle.acknowledge(ids, who, reason),
        "snooze": lambda: lifecycle.snooze(ids, who, timezone.now() + _minutes(request), reason),
        "resolve": lambda: lifecycle.close(ids, who, reason),
        "reopen": lambda: lifecycle.reopen(ids, who, reason),
        "abandon": lambda: _abandon(ids, who, reason),
    }
    deed = deeds.get(request.POST.get("deed", ""))
    if deed and ids:
        deed()
    back = request.POST.get("back", "")
    return redirect("alert", int(back)) if back.isascii() and back.isdigit() else redirect("alerts")


def _minutes(request: HttpRequest) -> timedelta:
    known = {str(minutes): minutes for minutes, _ in SNOOZES}
    return timedelta(minutes=known.get(request.POST.get("minutes", ""), 60))


def _abandon(ids: Sequence[int], who: str, reason: str) -> None:
    """Closes the transactions that they are about, as many as go at once; the reason is what will be left of them."""
    rulebook = registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook)
    for alert in Alert.unresolved().filter(pk__in=ids):
        names = examples_of(alert, _MOST_ABANDONED)
        if names and reason:
            actions.abandon(names, who, reason, rulebook)


def _context(alert_id: int) -> dict[str, Any]:
    """Seven queries."""
    alert = Alert.objects.select_related("explained_by").filter(pk=alert_id).first()
    if alert is None:
        raise Http404
    service = config.current(settings.CHOREOSCOPE_CONFIG).services.get(alert.service)
    notices = alert.notices.select_related("channel", "delivery").order_by("-id")
    return {
        "alert": alert,
        "service": service.about("", alert.service) if service else None,
        "examples": examples_of(alert),
        "explains": list(alert.explains.order_by("id")[:50]),
        "log": list(alert.entries.order_by("-at", "-id")[:_MOST_LOGGED]),
        "notices": list(notices[:_MOST_LOGGED]),
        "points": _points(alert.course),
        "chart": f"0 0 {_WIDE} {_HIGH}",
        "snoozes": SNOOZES,
    }


def _points(course: Sequence[Sequence[int]]) -> str:
    """Of the line that shows how the count went; empty while there is but one point."""
    if len(course) < 2:
        return ""
    begin, end = course[0][0], course[-1][0]
    most = max(count for _, count in course) or 1
    wide = max(1, end - begin)
    places = ((_WIDE * (at - begin) / wide, _HIGH - 4 - (_HIGH - 8) * count / most) for at, count in course)
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
