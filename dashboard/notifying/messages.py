"""What a delivery says: title, text and, for webhooks, the same as data. Its templates can be overridden."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.template.loader import render_to_string

from collector import config
from dashboard.alerts.models import Alert
from dashboard.notifying.explaining import examples_of
from dashboard.notifying.models import Notice
from dashboard.pages import wording

LONGEST_TITLE = 200
_MOST_LISTED = 20


def compose(notices: Sequence[Notice], settled: config.Config, now: datetime) -> dict[str, Any]:
    """Of one notice a message about it, of several a digest: kind, title, text, content and severity."""
    told = [_about(notice, settled, now) for notice in notices]
    kind = notices[0].kind if len(notices) == 1 else "digest"
    link = f"{settled.alerts.link}/alerts" if settled.alerts.link else ""
    context = {
        "kind": kind,
        "alerts": told[:_MOST_LISTED],
        "alert": told[0],
        "more": max(0, len(told) - _MOST_LISTED),
        "counts": {name: sum(notice.kind == name for notice in notices) for name in dict.fromkeys(_kinds(notices))},
        "count": len(told),
        "link": link,
    }
    title = " ".join(render_to_string("notifications/title.txt", context).split())
    return {
        "kind": kind,
        "title": title[:LONGEST_TITLE],
        "text": render_to_string("notifications/text.txt", context).strip() + "\n",
        "content": {"alerts": told} if kind == "digest" else told[0],
        "severity": "critical" if any(notice.severity == "critical" for notice in notices) else notices[0].severity,
    }


def _kinds(notices: Sequence[Notice]) -> list[str]:
    return [notice.kind for notice in notices]


def _about(notice: Notice, settled: config.Config, now: datetime) -> dict[str, Any]:
    alert = notice.alert
    service = settled.services.get(alert.service, config.Service()).about("", alert.service)
    address = f"{settled.alerts.link}/alerts/{alert.pk}" if settled.alerts.link else ""
    return {
        "id": alert.pk,
        "happened": notice.kind,
        "kind": alert.kind,
        "state": alert.state,
        "severity": notice.severity,
        "sentence": alert.sentence,
        "verdict": alert.verdict,
        "choreography": alert.choreography,
        "awaited": alert.awaited,
        "service": alert.service,
        "subject": alert.subject,
        "count": alert.count,
        "peak": alert.peak,
        "trend": alert.trend,
        "impact": alert.impact,
        "since": alert.since.isoformat(),
        "since_words": wording.full(alert.since)[:-8] + " UTC",
        "lasted": wording.between(alert.began, alert.resolved_at or now),
        "owner": service.owner,
        "contact": service.contact,
        "runbook": service.runbook,
        "links": dict(service.links),
        "link": address,
        "examples": [_example(name, settled.alerts.link) for name in examples_of(alert)],
        "explains": [child.sentence for child in alert.explains.exclude(state=Alert.State.RESOLVED)[:5]],
    }


def _example(transaction_id: str, link: str) -> dict[str, str]:
    return {
        "transaction": transaction_id,
        "link": f"{link}/transactions/{quote(transaction_id, safe='')}" if link else "",
    }
