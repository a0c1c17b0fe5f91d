"""What happened with an alert and who was told of it, in one order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.alerts.log import CHOREOSCOPE
from dashboard.alerts.models import Alert, AlertEntry
from dashboard.notifying.models import Delivery, Notice
from dashboard.pages.wording import clock, number

MOST = 200
_ICONS = {
    "raised": "alert-triangle",
    "reopened": "alert-triangle",
    "escalated": "alert-triangle",
    "resolved": "circle-check",
    "acknowledged": "check",
    "snoozed": "moon",
}
_TOLD = "bell"


@dataclass(frozen=True)
class Chapter:
    """`what` in a word or two, by `who` (empty: by itself), and what else there is to say; `bad`: it went wrong."""

    at: datetime
    icon: str
    what: str
    who: str = ""
    said: str = ""
    bad: bool = False

    @property
    def tells(self) -> bool:
        """Whether it is about somebody who was to be told."""
        return self.icon == _TOLD


def story(alert: Alert) -> list[Chapter]:
    """The newest first; two queries."""
    entries = alert.entries.order_by("-at", "-id")[:MOST]
    notices = alert.notices.select_related("channel", "delivery").order_by("-id")[:MOST]
    chapters = [*(_done(entry) for entry in entries), *(_told(notice) for notice in notices)]
    return sorted(chapters, key=lambda chapter: chapter.at, reverse=True)[:MOST]


def _done(entry: AlertEntry) -> Chapter:
    who = "" if entry.who == CHOREOSCOPE else entry.who
    icon = _ICONS.get(entry.kind, "clock")
    return Chapter(entry.at, icon, entry.kind.capitalize(), who, "; ".join(_details(entry.detail)))


def _details(detail: dict[str, Any]) -> Iterator[str]:
    if detail.get("reason"):
        yield str(detail["reason"])
    if "count" in detail:
        yield f"{number(detail['count'])} at that time"
    if "before_since" in detail:
        since, until = (clock(datetime.fromisoformat(detail[name])) for name in ("before_since", "before_until"))
        yield f"before that from {since} to {until}"
    if "severity" in detail:
        yield str(detail["severity"])
    if "until" in detail:
        yield f"until {clock(datetime.fromisoformat(detail['until']))}"


def _told(notice: Notice) -> Chapter:
    delivery = notice.delivery
    if notice.passed_over:
        state, bad = "not sent: a later one said it all", False
    elif delivery is None:
        state, bad = "waiting", False
    else:
        state, bad = _state(delivery), delivery.state == Delivery.State.FAILED
    return Chapter(notice.at, _TOLD, f"{notice.kind.capitalize()}: told {notice.channel.name}", said=state, bad=bad)


def _state(delivery: Delivery) -> str:
    if delivery.state == Delivery.State.SENT:
        again = f", at attempt {delivery.attempts}" if delivery.attempts > 1 else ""
        return f"sent{f' {clock(delivery.sent_at)}' if delivery.sent_at else ''}{again}"
    tried = f" after {delivery.attempts} attempt{'' if delivery.attempts == 1 else 's'}" if delivery.attempts else ""
    return f"{delivery.state}{tried}{f'. {delivery.error}' if delivery.error else ''}"
