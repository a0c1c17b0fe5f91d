"""The `alerts:` part of the configuration: when something is an alert, how grave it is, and who is told of it.

The collector itself does nothing with it; it is read here since there is one file, and every complaint names its line.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from collector.config.yaml_reader import Node

SEVERITIES = ("info", "warning", "critical")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
GROUPS = ("kind", "choreography", "service", "owner")
_MATCHED = ("kind", "choreography", "service", "event_type", "owner", "severity")
_NONE = timedelta(0)


class Judging(msgspec.Struct, frozen=True):
    """When what was found is an alert, and how grave it is.

    `share`: of all that could be concerned; `lasting`: for so long; `critical_from`: with so many it is critical;
    `critical_after`: when nobody has answered for so long.
    """

    severity: str = "warning"
    at_least: int = 1
    share: float = 0.0
    lasting: timedelta = _NONE
    critical_from: int | None = None
    critical_after: timedelta | None = None
    enabled: bool = True

    def graveness(self, count: int, before: str = "", unanswered: timedelta = _NONE) -> str:
        """How grave it is with so many, `unanswered` for so long. What was critical `before` stays so until there are
        clearly fewer."""
        if self.neglected(unanswered):
            return "critical"
        if self.critical_from is None or self.severity == "critical":
            return self.severity
        least = self.critical_from * (0.8 if before == "critical" else 1.0)
        return "critical" if count >= least else self.severity

    def neglected(self, unanswered: timedelta) -> bool:
        return self.critical_after is not None and unanswered >= self.critical_after


KINDS: dict[str, Judging] = {
    "stuck": Judging(critical_from=100),
    "stuck_compensating": Judging("critical"),
    "failed": Judging(at_least=10, share=0.5),
    "deviating": Judging(at_least=20, share=0.2, lasting=timedelta(minutes=1)),
    "slow": Judging(at_least=20, share=0.2, lasting=timedelta(minutes=1)),
    "service_silent": Judging("critical"),
    "loop": Judging(),
    "fan_out": Judging(),
    "dead_letters": Judging(),
    "ingestion_gap": Judging("critical"),
    "undecodable": Judging(at_least=20, share=0.05),
    "coverage": Judging(at_least=20, share=0.2),
    "collector_down": Judging("critical"),
    "collector_behind": Judging(),
    "partition_unreadable": Judging("critical"),
    "topic_forbidden": Judging(),
    "sweep_late": Judging("critical", lasting=timedelta(seconds=20)),
    "bus_held": Judging(),
}
"""Every kind of alert, and how it is judged where nothing is configured."""


class Facts(msgspec.Struct, frozen=True):
    """What of an alert matchers look at; `event_types` are those that it waits for."""

    kind: str
    choreography: str = ""
    service: str = ""
    event_types: tuple[str, ...] = ()
    owner: str = ""
    severity: str = ""


class Match(msgspec.Struct, frozen=True):
    """Patterns that all have to match, whole; what is not given matches anything."""

    patterns: dict[str, re.Pattern[str]] = {}

    def fits(self, facts: Facts) -> bool:
        return all(any(map(pattern.fullmatch, self._values(facts, name))) for name, pattern in self.patterns.items())

    @staticmethod
    def _values(facts: Facts, name: str) -> tuple[str, ...]:
        return facts.event_types if name == "event_type" else (getattr(facts, name),)


class Rule(msgspec.Struct, frozen=True):
    """What is judged otherwise where it matches."""

    match: Match
    changes: dict[str, Any]


class QuietHours(msgspec.Struct, frozen=True):
    """When nobody is told of what matches, unless it is critical. `until` may lie on the next day."""

    days: frozenset[int]
    start: time
    until: time
    zone: str
    match: Match

    def hold(self, now: datetime) -> bool:
        there = now.astimezone(ZoneInfo(self.zone))
        clock, day = there.time(), there.weekday()
        if self.start < self.until:
            return day in self.days and self.start <= clock < self.until
        return (day in self.days and clock >= self.start) or ((day - 1) % 7 in self.days and clock < self.until)


class Route(msgspec.Struct, frozen=True):
    """To which channels, by name, what matches goes."""

    match: Match
    to: tuple[str, ...]


class Alerting(msgspec.Struct, frozen=True):
    """The whole part. Without routes, every channel is told of everything."""

    rules: tuple[Rule, ...] = ()
    quiet_hours: tuple[QuietHours, ...] = ()
    routes: tuple[Route, ...] = ()
    resolve_after: timedelta = timedelta(seconds=10)
    reopen_within: timedelta = timedelta(minutes=5)
    update_every: timedelta = timedelta(minutes=1)
    group_by: tuple[str, ...] = ("service",)
    group_wait: timedelta = timedelta(seconds=2)
    most_per_minute: int = 6
    link: str = ""
    allow: tuple[str, ...] = ()
    heartbeat: str = ""
    heartbeat_every: timedelta = timedelta(minutes=1)

    def judging(self, facts: Facts) -> Judging:
        """The usual one of its kind, with what every rule that matches says, in their order."""
        found = KINDS[facts.kind]
        for rule in self.rules:
            if rule.match.fits(facts):
                found = msgspec.structs.replace(found, **rule.changes)
        return found

    def quiet(self, facts: Facts, now: datetime) -> bool:
        if facts.severity == "critical":
            return False
        return any(hours.match.fits(facts) and hours.hold(now) for hours in self.quiet_hours)

    def channels(self, facts: Facts) -> frozenset[str] | None:
        """The names of those that are told; None: all."""
        if not self.routes:
            return None
        return frozenset(name for route in self.routes if route.match.fits(facts) for name in route.to)


def read(node: Node) -> Alerting:
    spans = ("resolve_after", "reopen_within", "update_every", "group_wait", "heartbeat_every")
    known = ("rules", "quiet_hours", "routes", "group_by", "most_per_minute", "link", "allow", "heartbeat", *spans)
    entries = node.mapping(known)
    given: dict[str, Any] = {name: entries[name].duration() for name in spans if name in entries}
    given |= {name: _address(entries[name]) for name in ("link", "heartbeat") if name in entries}
    lists = {"rules": _rule, "quiet_hours": _quiet_hours, "routes": _route, "allow": _network}
    given |= {name: tuple(map(read_one, entries[name].items())) for name, read_one in lists.items() if name in entries}
    if "group_by" in entries:
        choices = {name: name for name in GROUPS}
        given["group_by"] = tuple(item.choice(choices) for item in entries["group_by"].one_or_more())
    if "most_per_minute" in entries:
        given["most_per_minute"] = entries["most_per_minute"].count()
    return Alerting(**given)


def _rule(node: Node) -> Rule:
    entries = node.mapping(
        (*_MATCHED[:-1], "severity", "at_least", "share", "for", "critical_from", "critical_after", "enabled")
    )
    changes: dict[str, Any] = {}
    if "severity" in entries:
        changes["severity"] = entries["severity"].choice({name: name for name in SEVERITIES})
    for name in ("at_least", "critical_from"):
        if name in entries:
            changes[name] = entries[name].count()
    if "share" in entries:
        changes["share"] = entries["share"].read_as(_share, "a share such as 20%")
    if "for" in entries:
        changes["lasting"] = entries["for"].duration()
    if "critical_after" in entries:
        changes["critical_after"] = entries["critical_after"].duration()
    if "enabled" in entries:
        changes["enabled"] = entries["enabled"].flag()
    if not changes:
        node.fail("says nothing: give severity, at_least, share, for, critical_from, critical_after or enabled")
    return Rule(_match(entries, _MATCHED[:-1]), changes)


def _quiet_hours(node: Node) -> QuietHours:
    entries = node.mapping(("days", "from", "to", "timezone", "match"))
    for name in ("from", "to"):
        if name not in entries:
            node.fail(f"{name} is missing: a time of day such as 22:00")
    start, until = (entries[name].read_as(time.fromisoformat, "a time of day such as 22:00") for name in ("from", "to"))
    if start == until:
        entries["to"].fail("is the same as from: the hours would never begin or never end")
    days = entries["days"].one_or_more() if "days" in entries else []
    numbers = {name: number for number, name in enumerate(DAYS)}
    return QuietHours(
        days=frozenset(item.choice(numbers) for item in days) or frozenset(range(7)),
        start=start,
        until=until,
        zone=entries["timezone"].read_as(_zone, "a time zone such as Europe/Berlin")
        if "timezone" in entries
        else "UTC",
        match=_match(entries["match"].mapping(_MATCHED)) if "match" in entries else Match(),
    )


def _route(node: Node) -> Route:
    entries = node.mapping((*_MATCHED, "to"))
    if "to" not in entries:
        node.fail("to is missing: the names of channels")
    return Route(_match(entries), entries["to"].texts(or_one=True))


def _match(entries: Mapping[str, Node], names: tuple[str, ...] = _MATCHED) -> Match:
    for name, known in (("kind", KINDS), ("severity", SEVERITIES)):
        if name in names and name in entries:
            pattern = entries[name].pattern()
            if not any(map(pattern.fullmatch, known)):
                entries[name].fail(f"matches none; there are {', '.join(known)}")
    return Match({name: entries[name].pattern() for name in names if name in entries})


def _address(node: Node) -> str:
    text = node.text().rstrip("/")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        node.fail(f"expected an address that begins with https:// or http://, not {text!r}")
    return text


def _network(node: Node) -> str:
    return node.read_as(lambda text: str(ipaddress.ip_network(text)), "a network such as 10.0.0.0/8, or an address")


def _share(text: str) -> float:
    found = float(text.removesuffix("%")) / 100 if text.endswith("%") else float(text)
    if not 0 <= found <= 1:
        raise ValueError(f"{text!r} is not between 0% and 100%")
    return found


def _zone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"there is no time zone {text!r}") from error
