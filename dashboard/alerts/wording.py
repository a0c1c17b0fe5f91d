"""What alerts say. PURE: of an alert it takes what it holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Protocol

_TREND_SECONDS = 60
_MOST_POINTS, _FEWEST_POINTS, _NEWEST_POINTS = 120, 70, 20
"""Beyond the most, old ones go until the fewest are left; the newest stay."""
_POINTS_APART = 2
"""Seconds: what changes more often moves the last point."""


class Speaking(Protocol):
    """What the sentences are made of."""

    kind: str
    choreography: str
    awaited: str
    service: str
    subject: str
    names: str
    state: str
    quiet_since: datetime | None
    count: int
    total: int
    peak: int
    since: datetime


def sentence(alert: Speaking, zone: tzinfo = UTC) -> str:
    """ "17 transactions wait for ShipmentDispatched from shipping", "orders[2] cannot be read". Times of day in `zone`,
    which they name. What is over is said in the past, also while it is not certain yet."""
    over = alert.state == "resolved" or alert.quiet_since is not None
    if alert.kind in ("stuck", "stuck_compensating"):
        return _waiting(alert, over)
    return _reading(alert, over) or _read(alert, over, zone)


def _waiting(alert: Speaking, over: bool) -> str:
    count = alert.count or alert.peak
    verb = "waited" if over else "waits" if count == 1 else "wait"
    source = f" from {alert.service}" if alert.service else ""
    past = f", past {alert.names}" if alert.names else ""
    return f"{counted(count, 'transaction')} {verb} for {alert.awaited}{source}{past}"


def _reading(alert: Speaking, over: bool) -> str:
    """About Choreoscope itself."""
    match alert.kind:
        case "collector_down":
            return f"No collector {'was' if over else 'is'} alive"
        case "collector_behind":
            return f"Reading {'was' if over else 'is'} behind: {alert.names}"
        case "partition_unreadable":
            return f"{alert.names} {'could not' if over else 'cannot'} be read"
        case "topic_forbidden":
            return f"Kafka {'did' if over else 'does'} not let us read {alert.names}: the right Read is missing"
        case "sweep_late":
            return f"Deadlines {'were' if over else 'are'} not checked"
    return ""


def _read(alert: Speaking, over: bool, zone: tzinfo) -> str:
    """About what is read."""
    count = alert.count or alert.peak
    of = f" of {number(alert.total)}" if alert.total > count else ""
    match alert.kind:
        case "failed":
            said = f"{number(count)}{of} transactions of {alert.choreography} failed within five minutes"
        case "bus_held":
            verb = "waited" if over else "waits" if count == 1 else "wait"
            said = f"{counted(count, 'event')} for the bus {verb} until a person decides"
        case "deviating":
            say = f" (most: {alert.names})" if alert.names else ""
            said = f"{number(count)}{of} transactions of {alert.choreography} {'deviated' if over else 'deviate'}{say}"
        case "slow":
            said = f"{number(count)}{of} transactions of {alert.choreography} took long: half of them {alert.names}"
        case "service_silent":
            waiting = f"; {counted(count, 'transaction')} {'waited' if over else 'wait'} for it" if count else ""
            since = f"{alert.since.astimezone(zone):%H:%M:%S %Z}"
            says = "was silent from" if over else "has published nothing since"
            said = f"{alert.service} {says} about {since}{waiting}"
        case "loop" | "fan_out":
            looped, ran = ("looped", "ran away") if over else ("loop", "run away")
            what = looped if alert.kind == "loop" else ran
            said = f"{counted(count, 'transaction')} of {alert.choreography} {what}: {alert.names}"
        case "dead_letters":
            because = f" ({alert.names})" if alert.names else ""
            said = f"{counted(count, 'event')} could not be delivered and went to {alert.subject}{because}"
        case "ingestion_gap":
            said = f"{counted(max(alert.total, 1), 'record')} of {alert.subject} were lost before they were read"
        case "undecodable":
            said = (
                f"{number(count)}{of} records on {alert.subject} could not be read within five minutes ({alert.names})"
            )
        case _:
            name = "named" if over else "name"
            said = f"{number(count)}{of} events of {alert.service} on {alert.subject} {name} no transaction"
    return said


def trend(course: Sequence[Sequence[int]]) -> str:
    """By the last point, and the last before it that is a minute older; or the first."""
    if len(course) < 2:
        return "steady"
    at, count = course[-1]
    before = next((value for moment, value in reversed(course[:-1]) if moment <= at - _TREND_SECONDS), course[0][1])
    return "growing" if count > before else "shrinking" if count < before else "steady"


def count_at(course: Sequence[Sequence[int]], moment: datetime) -> int:
    return next((count for at, count in reversed(course) if at <= moment.timestamp()), 0)


def continued(course: Sequence[Sequence[int]], now: datetime, count: int) -> list[list[int]]:
    """The course with this point; thinned out, so that it stays short and still begins where it began."""
    points = [list(point) for point in course]
    at = int(now.timestamp())
    if points and (points[-1][0] == at or _moves([*(moment for moment, _ in points[-2:]), at])):
        points.pop()
    points.append([at, count])
    return points if len(points) <= _MOST_POINTS else _thinned(points)


def _moves(moments: Sequence[int]) -> bool:
    """What held for long stays, above all a count of nothing between two times of trouble."""
    return len(moments) > 2 and all(after - at < _POINTS_APART for at, after in pairwise(moments))


def _thinned(points: list[list[int]]) -> list[list[int]]:
    """Without the old points that stand closest to their neighbours."""
    while len(points) > _FEWEST_POINTS:
        old = range(1, len(points) - _NEWEST_POINTS)
        del points[min(old, key=lambda place: points[place + 1][0] - points[place - 1][0])]
    return points


def alike(pattern: str, values: Iterable[str]) -> bool:
    """Whether one of them is as the pattern, in which `*` stands for anything."""
    return any(fnmatchcase(value, pattern.replace("[", "[[]")) for value in values)


def number(value: int) -> str:
    return f"{value:,}".replace(",", "\u202f")


def counted(count: int, noun: str) -> str:
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"
