"""One alert: what, why, since when, usual and now, what was done and who was told; what people do with one or many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from collector import actions, config, queries
from collector.config.rules import registered
from dashboard import ahead
from dashboard.accounts.roles import any_operator
from dashboard.alerts import lifecycle
from dashboard.alerts.models import Alert
from dashboard.alerts.settling import calm, lasting
from dashboard.notifying.explaining import examples_of
from dashboard.pages import frame
from dashboard.pages.alert_figures import figures
from dashboard.pages.alert_leads import contacts, leads
from dashboard.pages.alert_story import story
from dashboard.pages.shared import shared
from dashboard.pages.wording import clock, counted

_MOST_ABANDONED = 2_000
_COMPARED_EVERY, _SELDOM = 5.0, 60.0
SNOOZES = ((15, "15 minutes"), (60, "1 hour"), (240, "4 hours"), (1440, "1 day"))


@require_safe
def page(request: HttpRequest, alert_id: int) -> HttpResponse:
    """The figures' heights are known before they are drawn, so that nothing moves when they are."""
    alert = _alert(alert_id)
    return frame.page(request, "alert.html", "alerts", {**_context(alert), "figures": figures(alert)})


@require_safe
def fragment(request: HttpRequest, alert_id: int) -> HttpResponse:
    return frame.fragment(request, "alerts/one.html", _context(_alert(alert_id)))


@require_safe
def drawings(request: HttpRequest, alert_id: int) -> HttpResponse:
    """The figures for static/js/alert.js."""
    content = msgspec.json.encode(figures(_alert(alert_id)))
    return HttpResponse(content, content_type="application/json", headers={"Cache-Control": "no-store"})


@require_safe
def common(request: HttpRequest, alert_id: int) -> HttpResponse:
    """What the affected have in common. Apart from the page, since many transactions are looked at for it."""
    alert = _alert(alert_id)
    waits = alert.about_transactions and alert.state != Alert.State.RESOLVED
    looked = compared(alert) if waits else None
    response = render(request, "alerts/common.html", {"looked": looked, "now": timezone.now()})
    response.headers["Cache-Control"] = "no-store"
    return response


@require_POST
def act(request: HttpRequest) -> HttpResponse:
    """On all that are ticked, or the one whose page it is; then back to where one was, which says what was done."""
    ticked = request.POST.getlist("alert")[: lifecycle.AT_ONCE]
    ids = [int(text) for text in ticked if text.isascii() and text.isdigit()]
    who, reason = request.user.get_username(), request.POST.get("reason", "").strip()[: lifecycle.LONGEST_REASON]
    until = timezone.now() + _minutes(request)
    deeds: dict[str, Callable[[], str]] = {
        "acknowledge": lambda: _said("acknowledged", lifecycle.acknowledge(ids, who, reason)),
        "snooze": lambda: _said(f"snoozed until {clock(until)}", lifecycle.snooze(ids, who, until, reason)),
        "resolve": lambda: _said("resolved", lifecycle.close(ids, who, reason)),
        "reopen": lambda: _said("open again", lifecycle.reopen(ids, who, reason)),
        "abandon": lambda: _abandon(ids, who, reason),
        "publish": lambda: f"Released: {counted(lifecycle.decide(ids, who, reason, discard=False), 'event')}.",
        "discard": lambda: f"Discarded: {counted(lifecycle.decide(ids, who, reason, discard=True), 'event')}.",
    }
    deed = deeds.get(request.POST.get("deed", ""))
    if deed and ids:
        try:
            messages.success(request, deed())
        except lifecycle.Impossible as error:
            messages.error(request, str(error))
        shared.clear()
    back = request.POST.get("back", "")
    return redirect("alert", int(back)) if back.isascii() and back.isdigit() else redirect("alerts")


def _said(what: str, done: Sequence[int]) -> str:
    return f"{counted(len(done), 'alert')} {what}."


def _minutes(request: HttpRequest) -> timedelta:
    known = {str(minutes): minutes for minutes, _ in SNOOZES}
    return timedelta(minutes=known.get(request.POST.get("minutes", ""), 60))


def _abandon(ids: Sequence[int], who: str, reason: str) -> str:
    """Closes the transactions that they are about, as many as go at once; the reason is what will be left of them."""
    if not reason:
        raise lifecycle.Impossible("Nothing was closed: say why, since the reason is what will be left of them.")
    rulebook = registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook)
    closed = 0
    for alert in Alert.unresolved().filter(pk__in=ids):
        names = examples_of(alert, _MOST_ABANDONED)
        closed += len(actions.abandon(names, who, reason, rulebook)) if names else 0
    return f"{counted(closed, 'transaction')} closed."


def _alert(alert_id: int) -> Alert:
    alert = Alert.objects.select_related("explained_by").filter(pk=alert_id).first()
    if alert is None:
        raise Http404("There is no such alert.")
    return alert


def _context(alert: Alert) -> dict[str, Any]:
    """Five queries; one more now and then, for those who may not operate."""
    chapters, explains = story(alert), list(alert.explains.order_by("id")[:50])
    settled = config.current(settings.CHOREOSCOPE_CONFIG)
    return {
        "alert": alert,
        "contacts": contacts(alert, settled),
        "any_operator": lambda: shared.get("operators", _SELDOM, any_operator),
        "bus": settled.bus if alert.kind == Alert.Kind.BUS_HELD and _waits(alert) else None,
        "leads": leads(alert, explains),
        "examples": examples_of(alert),
        "explains": explains,
        "closes_at": _closes_at(alert, explains, settled.alerts.resolve_after),
        "story": chapters,
        "told": any(chapter.tells for chapter in chapters),
        "snoozes": SNOOZES,
    }


def _closes_at(alert: Alert, explains: Sequence[Alert], usual: timedelta) -> datetime | None:
    """When it closes by itself; None where that is not known: what it explains lasts, or it has not settled."""
    lasts = alert.kind == Alert.Kind.SERVICE_SILENT and lasting(explains)
    return None if alert.quiet_since is None or lasts else alert.quiet_since + calm(alert, usual)


def _waits(alert: Alert) -> bool:
    return alert.state != Alert.State.RESOLVED and not alert.settling


def compared(alert: Alert) -> ahead.Compared:
    """As a worker or somebody here found it, as long as the same transactions are stuck, or anew. One query, and six
    more where it is found anew."""
    key = ("common", alert.pk)

    def look() -> ahead.Compared:
        stuck = queries.affected(ahead.cause_of(alert))
        here: ahead.Compared | None = shared.kept(key)
        if here and here.holds(timezone.now(), stuck):
            return here
        return ahead.kept_comparison(alert, stuck) or ahead.compare(alert, stuck)

    return shared.get(key, _COMPARED_EVERY, look)
