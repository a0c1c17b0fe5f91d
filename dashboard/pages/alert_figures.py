"""The figures of one alert: how long answers usually take and now, and how the count went."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from django.conf import settings
from django.utils import timezone

from collector import config
from collector.correlation.choreography import Rule
from collector.queries.answers import Owed, answers, waited
from dashboard import graphs
from dashboard.alerts.log import CHOREOSCOPE
from dashboard.alerts.models import Alert, AlertEntry
from dashboard.graphs import Drawing, Happened
from dashboard.pages.shared import MOMENT, shared

_BEFORE = timedelta(hours=1)
"""What is usual is what was, for so long before the trouble began."""
_ABOUT_ANSWERS = (*Alert.WAITING, Alert.Kind.SERVICE_SILENT)
_SLOWLY = 60.0
_MOST_SIGNS = 40


class Figures(msgspec.Struct, frozen=True):
    """None where there is nothing to draw."""

    spread: Drawing | None
    course: Drawing | None


def figures(alert: Alert) -> Figures:
    """Four queries at most, shared by all who look."""
    key = ("alert-figures", alert.pk, timezone.get_current_timezone_name())
    return shared.get(key, MOMENT, lambda: Figures(_spread(alert), _course(alert)))


def _spread(alert: Alert) -> Drawing | None:
    if alert.kind not in _ABOUT_ANSWERS:
        return None
    now = timezone.now()
    rules = _rules(alert)
    dues = {rule.within for rule in rules}
    due = dues.pop() if len(dues) == 1 else None
    types = alert.awaited.split(" or ") if alert.awaited else []
    after = {name for rule in rules for name in rule.after}
    owed = Owed(alert.choreography, sorted(after), types, alert.service)
    began = alert.since - (due or timedelta())
    at_first = min(alert.since, alert.opened_at) - (due or timedelta())
    key = ("usual", alert.pk, at_first)
    usual = shared.get(key, _SLOWLY, lambda: answers(owed, at_first - _BEFORE, at_first))
    if alert.resolved_at:
        current = graphs.meanwhile(answers(owed, began, alert.resolved_at))
    else:
        current = graphs.waiting(waited(owed, now, due or timedelta()), whole=due is not None)
    return graphs.spread_figure([graphs.usually(usual), current], due.total_seconds() if due else None)


def _rules(alert: Alert) -> list[Rule]:
    """Those that say what it waits for."""
    if not alert.awaited:
        return []
    rules = config.current(settings.CHOREOSCOPE_CONFIG).rulebook.named(alert.choreography).rules
    return [rule for rule in rules if (rule.awaited, rule.service) == (alert.awaited, alert.service)]


def _course(alert: Alert) -> Drawing | None:
    if not alert.course or not alert.peak:
        return None
    entries = alert.entries.order_by("-at", "-id")[:_MOST_SIGNS]
    happened = [_happened(entry) for entry in reversed(entries)]
    until = _until(alert)
    course = [(float(at), count) for at, count in alert.course]
    return graphs.course_figure(course, happened, until.timestamp(), timezone.get_current_timezone())


def _happened(entry: AlertEntry) -> Happened:
    return Happened(entry.at.timestamp(), entry.kind, "" if entry.who == CHOREOSCOPE else entry.who)


def _until(alert: Alert) -> datetime:
    return alert.resolved_at or timezone.now()
