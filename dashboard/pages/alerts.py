"""Open alerts, one per cause, what each explains under it, and those resolved lately; or those in one state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from collector import config, queries
from dashboard.alerts.models import Alert
from dashboard.pages import frame
from dashboard.pages.alert import SNOOZES
from dashboard.pages.shared import MOMENT, shared

_MOST_OPEN = 200
_MOST_RESOLVED = 50
State = Alert.State
TABS = (("", "All"), *((state.value, state.value.capitalize()) for state in State))


@dataclass(frozen=True)
class Listed:
    """`service`: what is declared of it. `nested`: listed under what explains it."""

    alert: Alert
    service: config.Service | None
    nested: bool


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    context = _context(request)
    return frame.page(request, "alerts.html", "alerts", context, 400 if context["complaint"] else 200)


@require_safe
def fragment(request: HttpRequest) -> HttpResponse:
    return frame.fragment(request, "alerts/content.html", _context(request))


def _context(request: HttpRequest) -> dict[str, Any]:
    asked = request.GET.get("state", "")
    state, cursor = (asked if asked in State.values else ""), request.GET.get("cursor", "")[:200]
    around = {"tabs": TABS, "state": state, "cursor": cursor, "snoozes": SNOOZES, "complaint": ""}
    try:
        return {**around, **shared.get(("alerts", state, cursor), MOMENT, lambda: _lists(state, cursor))}
    except queries.BadParameter as error:
        return {**around, "complaint": str(error)}


def _lists(state: str, cursor: str) -> dict[str, Any]:
    """Two queries."""
    listed, more = _listed(state) if state != State.RESOLVED else (None, False)
    resolved, following = None, None
    if not state or state == State.RESOLVED:
        found = Alert.objects.filter(state=State.RESOLVED)
        resolved, following = queries.keyset(found, ("opened_at", "id"), cursor, _MOST_RESOLVED)
    older = urlencode({"state": State.RESOLVED.value, "cursor": following}) if following else ""
    return {"unresolved": listed, "more": more, "resolved": resolved, "older": older}


def _listed(state: str) -> tuple[list[Listed], bool]:
    """And whether there are more than are listed."""
    services = config.current(settings.CHOREOSCOPE_CONFIG).services
    unresolved = Alert.objects.filter(state=state) if state else Alert.unresolved()
    found = list(unresolved.select_related("explained_by").order_by("-opened_at", "-id")[: _MOST_OPEN + 1])
    listed = [Listed(alert, _service(services, alert.service), nested) for alert, nested in _nested(found[:_MOST_OPEN])]
    return listed, len(found) > _MOST_OPEN


def _nested(alerts: Iterable[Alert]) -> Iterator[tuple[Alert, bool]]:
    """Each that is explained under what explains it, where that is listed, too."""
    known = {alert.pk: alert for alert in alerts}
    explained: dict[int, list[Alert]] = {}
    for alert in known.values():
        if alert.explained_by_id in known:
            explained.setdefault(alert.explained_by_id, []).append(alert)
    for alert in known.values():
        if alert.explained_by_id not in known:
            yield alert, False
            yield from ((child, True) for child in explained.get(alert.pk, ()))


def _service(services: Mapping[str, config.Service], name: str) -> config.Service | None:
    """An alert is about many transactions: only links that lead to none of them apply."""
    service = services.get(name)
    return service.about("", name) if service else None
