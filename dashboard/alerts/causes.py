"""Which alert explains which: people are told of causes, and find under each what follows from it. PURE.

Nothing explains what began before it, as far as beginnings are known; but for a collector that is down or behind: it
causes nothing, but as long as nothing is read nobody knows whether the rest is still so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from collector.queries.evidence import WINDOW
from dashboard.alerts import wording

WAITING = ("stuck", "stuck_compensating")
UNKNOWN_WHILE_BEHIND = (*WAITING, "service_silent")
UNKNOWN_WHILE_DOWN = (
    *UNKNOWN_WHILE_BEHIND,
    "failed",
    "deviating",
    "slow",
    "coverage",
    "undecodable",
    "sweep_late",
)


LEFT_BEHIND = ("deviating", "slow")
"""What transactions that waited are still counted as when they have got their answers."""


class Related(Protocol):
    id: int
    kind: str
    choreography: str
    service: str
    subject: str
    count: int
    peak: int
    course: Sequence[Sequence[int]]
    since: datetime


def explanations(alerts: Iterable[Related], over: Iterable[Related] = ()) -> dict[int, int]:
    """For each alert that another one explains, the id of that one, the deepest cause there is. While no collector is
    alive, nothing is known of what it would read; a service that says nothing at all explains what waits for it.
    `over`: alerts that were resolved lately, which may still explain what they left behind."""
    alerts = sorted(alerts, key=lambda alert: alert.id)
    found: dict[int, int] = {}
    for kind, explained in (
        ("collector_down", (*UNKNOWN_WHILE_DOWN, "collector_behind")),
        ("collector_behind", UNKNOWN_WHILE_BEHIND),
    ):
        cause = next((alert for alert in alerts if alert.kind == kind and alert.id not in found), None)
        if cause:
            found |= {alert.id: cause.id for alert in alerts if alert.kind in explained and alert.id not in found}
    for silent in (alert for alert in alerts if alert.kind == "service_silent" and alert.id not in found):
        waiting = [alert for alert in alerts if alert.kind in WAITING and _waits_since(alert, silent)]
        found |= {alert.id: silent.id for alert in waiting if alert.id not in found}
    late = [alert for alert in (*alerts, *over) if alert.kind in WAITING]
    for alert in alerts:
        cause = _left_behind_by(alert, late)
        if cause and alert.id not in found:
            found[alert.id] = found.get(cause.id, cause.id)
    return found


def _waits_since(alert: Related, silent: Related) -> bool:
    """Whether it began to wait when the service was silent, or at least half of it did: one that has been stuck for
    days does not keep hundreds from being explained. Silence is said to have begun no later than it did."""
    held = wording.count_at(alert.course, silent.since)
    return alert.service == silent.service and (alert.since >= silent.since or 0 < 2 * held <= alert.count)


def _left_behind_by(alert: Related, late: Iterable[Related]) -> Related | None:
    """Those that wait, or waited, deviate by their delay, and take long: where they are at least half of those that do,
    that is no news. And what was said of them on the bus is what it holds back. All that only where they did before it
    began; what is counted over some minutes began at the end of the first of them at the latest."""
    if alert.kind == "bus_held":
        before = [one for one in late if one.since <= alert.since]
        return max(before, key=lambda one: one.peak, default=None)
    if alert.kind not in LEFT_BEHIND:
        return None
    there = [one for one in late if one.choreography == alert.choreography and one.since <= alert.since + WINDOW]
    enough = 2 * sum(one.peak for one in there) >= alert.count
    return max(there, key=lambda one: one.peak, default=None) if enough else None
