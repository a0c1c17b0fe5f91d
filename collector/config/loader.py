"""The configuration file: what to read, how to judge it, who owns which service. docs/configuration.md describes it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from collector.config import alerting, bus, choreographies, doubts, durations, learning, policies, services
from collector.config.alerting import Alerting
from collector.config.bus import Bus
from collector.config.services import Service
from collector.config.yaml_reader import ConfigError, Node, read
from collector.correlation.choreography import Limits, RuleBook
from collector.decoding.policy import Policy
from collector.mining.lessons import Settings as Learning

logger = logging.getLogger(__name__)


class Topics(msgspec.Struct, frozen=True):
    """Which topics are read, and where reading begins at first contact: "earliest", "latest" or a time back.

    `failures` are those that hold retries and dead letters: copies of events that could not be delivered.
    """

    include: tuple[re.Pattern[str], ...] = (re.compile("^.*"),)
    exclude: tuple[re.Pattern[str], ...] = (re.compile("^_"), re.compile(r"^choreoscope\."))
    start: str | timedelta = "earliest"
    failures: tuple[re.Pattern[str], ...] = (re.compile(r"\.(dlq|dlt|retry).*$"),)

    def wanted(self, name: str) -> bool:
        return any(p.search(name) for p in self.include) and not any(p.search(name) for p in self.exclude)


class Retention(msgspec.Struct, frozen=True):
    """How long things are kept. `abnormal`: transactions that did not simply complete, with their events. `counts`:
    what was mined of days of which no transaction is kept. `alerts`: those that were resolved, with their log and what
    was sent of them."""

    payloads: timedelta = timedelta(days=7)
    events: timedelta = timedelta(days=30)
    abnormal: timedelta = timedelta(days=30)
    counts: timedelta = timedelta(days=30)
    alerts: timedelta = timedelta(days=180)


class Config(msgspec.Struct, frozen=True):
    """The whole file. `doubts` are sentences about what can never apply, each with its line and key."""

    topics: Topics = Topics()
    policy: Policy = Policy(failures=Topics().failures)
    rulebook: RuleBook = RuleBook(learns=True)
    services: dict[str, Service] = {}
    retention: Retention = Retention()
    bus: Bus = Bus()
    alerts: Alerting = Alerting()
    learning: Learning = Learning()
    doubts: tuple[str, ...] = ()


def load(path: Path) -> Config:
    """Reads and checks the file; a missing one means all defaults. Raises ConfigError with line and key."""
    return parse(path.name, text_of(path)) if path.exists() else Config()


def text_of(path: Path) -> str:
    """Raises ConfigError where the file is not there or is no text."""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error


_Stamp = tuple[int, int]
"""Of a file: when it was changed, and its size; clocks of files are coarse."""

_cache: dict[Path, tuple[_Stamp | None, Config]] = {}


def _stamp(path: Path) -> _Stamp | None:
    """None where there is no such file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size


def current(path: Path) -> Config:
    """The configuration as it is now: read again when the file has changed.

    A mistake in it raises ConfigError at first; later it is logged once, and the last good one stays in force. So it
    does where the file has gone, which may be while it is being written anew: what it masks stays masked.
    """
    changed = _stamp(path)
    cached = _cache.get(path)
    if cached is not None and cached[0] == changed:
        return cached[1]
    if cached is not None and changed is None:
        logger.warning("%s is no longer there; the configuration read before stays in force", path)
        _cache[path] = (None, cached[1])
        return cached[1]
    try:
        found = load(path)
        for doubt in found.doubts:
            logger.warning("%s", doubt)
    except ConfigError as error:
        if cached is None:
            raise
        logger.warning("%s; the configuration read before stays in force", error)
        found = cached[1]
    _cache[path] = (changed, found)
    return found


def parse(file: str, content: str) -> Config:
    """Raises ConfigError for the first mistake."""
    found, mistakes = check(file, content)
    if found is None:
        raise ConfigError(mistakes[0])
    return found


def check(file: str, content: str) -> tuple[Config | None, list[str]]:
    """The configuration; or None, and the first mistake of each of its parts."""
    try:
        top = read(file, content)
        entries = top.mapping(tuple(_PARTS)) if top is not None else {}
    except ConfigError as error:
        return None, [str(error)]
    parts: dict[str, Any] = {}
    mistakes: list[str] = []
    for name, node in entries.items():
        try:
            parts[name] = _PARTS[name](node)
        except ConfigError as error:
            mistakes.append(str(error))
    if mistakes:
        return None, mistakes
    found = _config(parts)
    return msgspec.structs.replace(found, doubts=tuple(doubts.about(entries, found))), []


def _config(parts: dict[str, Any]) -> Config:
    topics: Topics = parts.get("topics", Topics())
    told_back: Bus = parts.get("bus", Bus())
    learned: Learning = parts.get("learning", Learning())
    told = {
        name: parts[name] for name in ("correlation", "links", "keys", "impact", "redact", "overrides") if name in parts
    }
    return Config(
        topics=topics,
        policy=Policy(
            failures=topics.failures,
            payloads=parts.get("payloads", True),
            encrypt=parts.get("undecodable", False),
            **told,
        ),
        rulebook=RuleBook(
            parts.get("choreographies", ()),
            parts.get("limits", Limits()),
            announces=told_back.publish,
            learns=learned.acts,
        ),
        bus=told_back,
        learning=learned,
        alerts=parts.get("alerts", Alerting()),
        services=parts.get("services", {}),
        retention=parts.get("retention", Retention()),
    )


def _topics(node: Node) -> Topics:
    entries = node.mapping(("include", "exclude", "start", "failures"))
    defaults = Topics()
    start: str | timedelta = "earliest"
    if "start" in entries:
        text = entries["start"].text()
        try:
            start = text if text in ("earliest", "latest") else durations.parse(text.removesuffix(" back"))
        except ValueError:
            entries["start"].fail("expected earliest, latest, or how far back, such as 24h back")
    return Topics(
        include=entries["include"].patterns() if "include" in entries else defaults.include,
        exclude=entries["exclude"].patterns() if "exclude" in entries else defaults.exclude,
        start=start,
        failures=entries["failures"].patterns() if "failures" in entries else defaults.failures,
    )


def _limits(node: Node) -> Limits:
    spans, counts = ("skew", "grace", "history_age"), ("transaction_events", "loop", "fan_out")
    entries = node.mapping((*spans, *counts))
    given: dict[str, Any] = {name: entries[name].duration() for name in spans if name in entries}
    given |= {name: entries[name].count() for name in counts if name in entries}
    return Limits(**given)


def _retention(node: Node) -> Retention:
    entries = node.mapping(("payloads", "events", "abnormal", "counts", "alerts"))
    defaults = Retention()
    events = entries["events"].duration() if "events" in entries else defaults.events
    abnormal = entries["abnormal"].duration() if "abnormal" in entries else events
    if abnormal < events:
        entries["abnormal"].fail("is shorter than events: what went wrong is kept at least as long as the rest")
    counts = entries["counts"].duration() if "counts" in entries else abnormal
    if counts < abnormal:
        entries["counts"].fail("is shorter than transactions are kept: what is stored stays counted")
    return Retention(
        payloads=entries["payloads"].duration() if "payloads" in entries else defaults.payloads,
        events=events,
        abnormal=abnormal,
        counts=counts,
        alerts=entries["alerts"].duration() if "alerts" in entries else defaults.alerts,
    )


_PARTS: Final[dict[str, Callable[[Node], Any]]] = {
    "topics": _topics,
    "correlation": policies.correlation,
    "links": policies.links,
    "keys": policies.keys,
    "impact": policies.impact,
    "redact": policies.redact,
    "payloads": policies.payloads,
    "undecodable": policies.undecodable,
    "overrides": policies.overrides,
    "limits": _limits,
    "retention": _retention,
    "services": services.read,
    "choreographies": choreographies.read,
    "bus": bus.read,
    "alerts": alerting.read,
    "learning": learning.read,
}
