"""Findings → alerts: raised where something was found, kept while it lasts, resolved when it is certainly over."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from collector import config
from collector.config.alerting import Facts, Judging
from dashboard.alerts import wording
from dashboard.alerts.findings import Finding, Key
from dashboard.alerts.log import note, resolve
from dashboard.alerts.models import Alert, Candidate

MOST_CALM = timedelta(minutes=5)
KEPT_AT = 0.8
"""What is raised at a share is kept down to so much of it."""


class Settling:
    """Makes the alerts of some kinds agree with what was found of them; one for each time."""

    def __init__(self, settled: config.Config, now: datetime) -> None:
        self._alerting, self._services, self._now = settled.alerts, settled.services, now

    def agree(self, kinds: Collection[str], findings: Iterable[Finding]) -> bool:
        """Returns whether any of the alerts changed. Two queries where none does."""
        found = {finding.key: finding for finding in findings}
        unresolved = Alert.unresolved().filter(kind__in=kinds).select_for_update()
        alerts: dict[Key, Alert] = {_key(alert): alert for alert in unresolved}
        self._candidates = {row.key: row for row in Candidate.objects.filter(kind__in=kinds)}
        changed = [self._take(alerts.get(key), finding) for key, finding in found.items()]
        changed += [self._miss(alert) for key, alert in alerts.items() if key not in found]
        gone = self._candidates.keys() - {_digest(key) for key in found}
        if gone:
            Candidate.objects.filter(key__in=gone).delete()
        return any(changed)

    def _take(self, alert: Alert | None, finding: Finding) -> bool:
        judging = self._alerting.judging(self._facts(finding))
        share = judging.share * (KEPT_AT if alert else 1.0)
        holds = judging.enabled and finding.share >= share and (alert is not None or self._reaches(finding, judging))
        if alert:
            return self._update(alert, finding, judging) if holds else self._miss(alert)
        if not holds or not self._lasts(finding, judging):
            return False
        self._raise(finding, judging)
        return True

    @staticmethod
    def _reaches(finding: Finding, judging: Judging) -> bool:
        countless = finding.total == 0 and finding.count == 0
        return finding.alarming and (countless or finding.count >= judging.at_least)

    def _facts(self, finding: Finding) -> Facts:
        owner = self._services[finding.service].owner if finding.service in self._services else ""
        types = tuple(finding.awaited.split(" or ")) if finding.awaited else ()
        return Facts(finding.kind, finding.choreography, finding.service, types, owner)

    def _lasts(self, finding: Finding, judging: Judging) -> bool:
        if not judging.lasting:
            return True
        key = _digest(finding.key)
        if key not in self._candidates:
            self._candidates[key] = Candidate.objects.create(key=key, kind=finding.kind, since=self._now)
        return self._now - self._candidates[key].since >= judging.lasting

    def _raise(self, finding: Finding, judging: Judging) -> None:
        """Raises an alert, or opens the last one of this cause again: what comes and goes is one alert, not many."""
        last = self._last(finding)
        if last:
            assert last.resolved_at is not None
            before = {"before_since": last.since.isoformat(), "before_until": last.resolved_at.isoformat()}
            last.state, last.resolved_at, last.flaps = Alert.State.OPEN, None, last.flaps + 1
            last.unanswered_since, last.since = self._now, finding.since
            self._fill(last, finding, judging)
            last.save()
            note(last, self._now, "reopened", count=finding.count, **before)
            return
        alert = Alert(opened_at=self._now, unanswered_since=self._now, since=finding.since)
        alert.kind, alert.choreography, alert.awaited, alert.service, alert.subject = finding.key
        self._fill(alert, finding, judging)
        alert.save()
        note(alert, self._now, "raised", count=finding.count, severity=alert.severity, sentence=finding.said)

    def _last(self, finding: Finding) -> Alert | None:
        kind, choreography, awaited, service, subject = finding.key
        before = Alert.objects.filter(
            kind=kind, choreography=choreography, awaited=awaited, service=service, subject=subject
        )
        within = before.filter(resolved_at__gte=self._now - self._alerting.reopen_within)
        return within.order_by("-resolved_at").first()

    def _fill(self, alert: Alert, finding: Finding, judging: Judging) -> None:
        """The alert follows what was found; the first deadline that passed stays, while those that wait come and go,
        as long as there are any."""
        if alert.count != finding.count or not alert.course:
            alert.course = wording.continued(alert.course, self._now, finding.count)
        alert.count, alert.total, alert.impact = finding.count, finding.total, finding.impact
        alert.names, alert.since = finding.names, min(alert.since, finding.since)
        before = alert.severity if alert.pk else ""
        alert.severity = judging.graveness(finding.count, before, self._unanswered(alert))
        alert.peak, alert.changed_at = max(alert.peak, finding.count), self._now

    def _unanswered(self, alert: Alert) -> timedelta:
        """For how long; of what another alert explains nobody was told."""
        if alert.unanswered_since is None or alert.explained_by_id:
            return timedelta()
        return self._now - alert.unanswered_since

    def _update(self, alert: Alert, finding: Finding, judging: Judging) -> bool:
        before, back = _shown(alert), alert.quiet_since is not None
        severity = alert.severity
        woken = alert.state == Alert.State.SNOOZED and bool(alert.snoozed_until and alert.snoozed_until <= self._now)
        if woken:
            alert.state, alert.snoozed_until, alert.unanswered_since = Alert.State.OPEN, None, self._now
        if back:
            alert.since = finding.since
        moved = alert.changed_at
        self._fill(alert, finding, judging)
        if not back and not woken and _shown(alert) == before:
            alert.changed_at = moved
            return False
        if back:
            alert.quiet_since, alert.flaps = None, alert.flaps + 1
        alert.save()
        if severity != alert.severity:
            kind = "escalated" if alert.severity == "critical" or severity == "info" else "eased"
            reason = "nobody has answered" if judging.neglected(self._unanswered(alert)) else ""
            note(alert, self._now, kind, count=alert.count, severity=alert.severity, reason=reason)
        if woken:
            note(alert, self._now, "woken", count=alert.count)
        return True

    def _miss(self, alert: Alert) -> bool:
        """Its cause is gone; it is resolved when that has lasted, longer for what came back before."""
        if alert.quiet_since is None:
            alert.quiet_since, alert.count, alert.changed_at = self._now, 0, self._now
            alert.course = wording.continued(alert.course, self._now, 0)
            alert.save()
        certain = alert.quiet_since + calm(alert, self._alerting.resolve_after)
        if self._now < certain or self._explains_what_lasts(alert):
            return alert.changed_at == self._now
        resolve(alert, self._now)
        return True

    @staticmethod
    def _explains_what_lasts(alert: Alert) -> bool:
        return alert.kind == Alert.Kind.SERVICE_SILENT and lasting(alert.explains.all())


def calm(alert: Alert, usual: timedelta) -> timedelta:
    """For how long its cause has to be gone until it is resolved, `usual` where it never came back."""
    return max(usual, min(usual * 2 ** min(alert.flaps, 8), MOST_CALM))


def lasting(explained: Iterable[Alert]) -> bool:
    """A service that speaks again has not caught up yet: what it explains is told of once, with it."""
    return any(alert.state != Alert.State.RESOLVED and alert.quiet_since is None for alert in explained)


def _key(alert: Alert) -> Key:
    return (alert.kind, alert.choreography, alert.awaited, alert.service, alert.subject)


def _digest(key: Key) -> str:
    return hashlib.sha256("\n".join(key).encode()).hexdigest()


def _shown(alert: Alert) -> tuple[object, ...]:
    return (alert.count, alert.total, alert.impact, alert.names, alert.since, alert.severity)
