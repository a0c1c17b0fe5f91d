"""Which alert explains which: people are told of causes, and find under each what follows from it. PURE."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

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


class Related(Protocol):
    id: int
    kind: str
    service: str
    subject: str


def explanations(alerts: Iterable[Related]) -> dict[int, int]:
    """For each alert that another one explains, the id of that one, the deepest cause there is. While no collector is
    alive, nothing is known of what it would read; a service that says nothing at all explains what waits for it."""
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
        waiting = [alert for alert in alerts if alert.kind in WAITING and alert.service == silent.service]
        found |= {alert.id: silent.id for alert in waiting if alert.id not in found}
    return found
