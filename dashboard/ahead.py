"""What takes long to find, found ahead by a worker and kept in Redis, once for all web processes.

Whoever looks at it then waits for nothing; it says itself how old it is. It is a cache and no more: where nothing is
kept, or Redis is away, the page finds it itself, as it would without a worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, TypeVar

import msgspec
import redis
from django.conf import settings
from django.utils import timezone

from collector import config, queries
from collector.config.rules import registered
from collector.correlation.choreography import RuleBook
from collector.queries.feed import feed
from dashboard.alerts.models import Alert

LATELY = timedelta(days=7)
"""Rules are tried on what began since then, and deviations counted."""
MOST = 20
"""Choreographies whose rules are looked at ahead, those with the most transactions."""
ENOUGH = 250
"""Of rules looked for in so many transactions, a few minutes more tell nothing new."""
SELDOM, RARELY = timedelta(minutes=10), timedelta(minutes=1)
"""How old what was found may be, if it was found in ENOUGH, and in fewer."""
ANEW = timedelta(minutes=4)
"""When they are looked at anew: long before they are too old, so that a busy worker may be late."""
FED = timedelta(minutes=2)
"""How old what changed lately may be, and what few healthy transactions were compared with; they are looked for each
time."""
MOST_ALERTS = 100
"""Alerts whose transactions are compared ahead, those opened last."""
PATIENCE = 2.0
"""Seconds of reading, twice: whoever looks at rules that were not looked at ahead waits for it."""
_AT_ONCE, _COMPARING = 3.0, 1.0
"""Seconds after which no other choreography is begun, and no other alert: the rest is looked at the next time."""
_NEVER = datetime.min.replace(tzinfo=UTC)
_TIMEOUT, _LEFT_ALONE = 0.2, 5.0
"""Seconds that Redis may take, and that it is not asked again after it failed."""

Value = TypeVar("Value")


class Rules(msgspec.Struct, frozen=True):
    """A choreography's rules: those that its transactions follow, and what those in force would have raised."""

    at: datetime
    found: queries.Responses
    tried: queries.Trial

    def holds(self, now: datetime) -> bool:
        return now - self.at < (SELDOM if self.found.transactions >= ENOUGH else RARELY)


class Feed(msgspec.Struct, frozen=True):
    """What changed lately."""

    at: datetime
    changes: list[queries.Change]

    def holds(self, now: datetime) -> bool:
        return now - self.at < FED


class Compared(msgspec.Struct, frozen=True):
    """What these transactions of an alert have in common, which are the newest that are stuck."""

    at: datetime
    stuck: list[int]
    found: queries.Comparison

    def holds(self, now: datetime, stuck: list[int]) -> bool:
        """As long as the same are stuck: others are compared at once."""
        return self.stuck == stuck and now - self.at < (SELDOM if self.found.enough else FED)

    def is_due(self, now: datetime, stuck: list[int]) -> bool:
        return self.stuck != stuck or not self.found.enough or now - self.at >= ANEW


class _Store:
    """Redis, for as long as it answers quickly."""

    def __init__(self) -> None:
        self._away_until = 0.0

    def read(self, key: str, kind: type[Value]) -> Value | None:
        stored = self._asked(lambda client: client.get(_named(key)))
        try:
            return msgspec.msgpack.decode(stored, type=kind) if isinstance(stored, bytes) else None
        except msgspec.MsgspecError:  # of another version
            return None

    def write(self, key: str, value: object) -> None:
        content = msgspec.msgpack.encode(value)
        self._asked(lambda client: client.set(_named(key), content, ex=SELDOM))

    def _asked(self, ask: Callable[[redis.Redis], object]) -> object:
        if time.monotonic() < self._away_until:
            return None
        try:
            return ask(_client(settings.REDIS_URL))
        except redis.RedisError:
            self._away_until = time.monotonic() + _LEFT_ALONE
            return None


_store: Final = _Store()


@lru_cache(maxsize=1)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)


def _named(key: str) -> str:
    return f"choreoscope.ahead.{key}"


def kept_rules(name: str, version: int) -> Rules | None:
    """By this version of the rules in force; None where they were not looked at, or too long ago."""
    kept = _store.read(_rules_key(name, version), Rules)
    return kept if kept and kept.holds(timezone.now()) else None


def look_at_rules(name: str, rulebook: RuleBook) -> Rules:
    now = timezone.now()
    found = queries.responses(name, now, rulebook, PATIENCE)
    return Rules(now, found, queries.trial(name, now - LATELY, rulebook, patience=PATIENCE))


def kept_feed() -> Feed | None:
    kept = _store.read("feed", Feed)
    return kept if kept and kept.holds(timezone.now()) else None


def look_for_changes() -> Feed:
    now = timezone.now()
    return Feed(now, feed(now))


def cause_of(alert: Alert) -> queries.Cause:
    compensation = alert.kind == Alert.Kind.STUCK_COMPENSATING
    return queries.Cause(alert.choreography, alert.awaited, alert.service, compensation)


def kept_comparison(alert: Alert, stuck: list[int]) -> Compared | None:
    """Of these transactions; None where they were not compared, or too long ago."""
    kept = _store.read(_common_key(alert), Compared)
    return kept if kept and kept.holds(timezone.now(), stuck) else None


def compare(alert: Alert, stuck: list[int]) -> Compared:
    now = timezone.now()
    return Compared(now, stuck, queries.common(cause_of(alert), stuck))


def compare_alerts() -> int:
    """Those of open alerts whose transactions have not been compared, then those where that is longest ago; returns how
    many were."""
    began, compared = time.monotonic(), 0
    for alert, stuck in _comparable():
        if time.monotonic() - began > _COMPARING:
            break
        _store.write(_common_key(alert), compare(alert, stuck))
        compared += 1
    return compared


def _comparable() -> list[tuple[Alert, list[int]]]:
    now, due = timezone.now(), []
    opened = Alert.unresolved().filter(kind__in=Alert.WAITING).order_by("-opened_at", "-id")
    for alert in opened[:MOST_ALERTS]:
        stuck = queries.affected(cause_of(alert))
        kept = _store.read(_common_key(alert), Compared)
        if stuck and (kept is None or kept.is_due(now, stuck)):
            due.append((kept.at if kept else _NEVER, alert, stuck))
    due.sort(key=lambda found: found[0])
    return [(alert, stuck) for _, alert, stuck in due]


def prepare() -> int:
    """Finds what is to be found anew, of alerts as well; returns how many choreographies' rules were looked at."""
    _store.write("feed", look_for_changes())
    compare_alerts()
    rulebook = registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook)
    began, looked = time.monotonic(), 0
    for name in _due(rulebook):
        if time.monotonic() - began > _AT_ONCE:
            break
        _store.write(_rules_key(name, rulebook.version), look_at_rules(name, rulebook))
        looked += 1
    return looked


def _due(rulebook: RuleBook) -> list[str]:
    """Those never looked at, then those that were so longest ago."""
    kept = {name: _store.read(_rules_key(name, rulebook.version), Rules) for name in queries.busiest(MOST)}
    looked = {name: rules.at if rules else _NEVER for name, rules in kept.items()}
    due = timezone.now() - ANEW
    return sorted((name for name, at in looked.items() if at <= due), key=lambda name: (looked[name], name))


def _common_key(alert: Alert) -> str:
    return f"common.{alert.pk}"


def _rules_key(name: str, version: int) -> str:
    return f"rules.{version}.{name}"
