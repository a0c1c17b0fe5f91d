"""What was open at a moment in the past: alerts as they stood, and from them how many waited where."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q

from collector.correlation.choreography import RuleBook
from dashboard.alerts import wording
from dashboard.alerts.findings import LEARNED
from dashboard.alerts.models import Alert
from dashboard.graphs import Waiting

MOST = 100


def alerts(since: datetime, until: datetime) -> list[Alert]:
    """Those that were open within the range, the newest first, with their counts at its end; of one that was over by
    then, the most within it. One query."""
    open_then = Q(resolved_at=None) | Q(resolved_at__gte=since)
    found = list(Alert.objects.filter(open_then, opened_at__lt=until).order_by("-opened_at", "-id")[:MOST])
    for alert in found:
        alert.count = count_at(alert, until) or most_within(alert, since, until)
        if alert.resolved_at is not None and alert.resolved_at >= until:
            alert.state = Alert.State.OPEN
        if alert.quiet_since is not None and alert.quiet_since >= until:
            alert.quiet_since = None
    return found


def count_at(alert: Alert, moment: datetime) -> int:
    """How many it concerned then: 0 where it was over, or had not been raised."""
    if alert.opened_at > moment or (alert.resolved_at is not None and alert.resolved_at <= moment):
        return 0
    return wording.count_at(alert.course, moment)


def most_within(alert: Alert, since: datetime, until: datetime) -> int:
    within: list[int] = [count for at, count in alert.course if since.timestamp() <= at < until.timestamp()]
    return max([wording.count_at(alert.course, since), *within])


def stuck(found: Iterable[Alert], moment: datetime) -> int:
    return sum(count_at(alert, moment) for alert in found if alert.about_transactions)


def waits(found: Iterable[Alert], moment: datetime, rulebook: RuleBook, choreography: str = "") -> list[Waiting]:
    """Who was stuck where. The rules say what triggers the step; how many waited in time is not known any more."""
    waiting = []
    for alert in found:
        count = count_at(alert, moment) if alert.about_transactions else 0
        if count and choreography in ("", alert.choreography):
            after = _triggers(rulebook, alert)
            waiting.append(Waiting(after, alert.awaited, alert.service, count, count, alert.names == LEARNED))
    return waiting


def _triggers(rulebook: RuleBook, alert: Alert) -> tuple[str, ...]:
    rules = rulebook.named(alert.choreography).rules
    return next((rule.after for rule in rules if " or ".join(rule.expect) == alert.awaited), ())
