"""The configuration file: what to read, how to judge it, who owns which service. docs/configuration.md describes it."""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from pathlib import Path

import msgspec

from collector.config import choreographies, durations
from collector.config.yaml_reader import ConfigError, Node, read
from collector.correlation.choreography import Limits, RuleBook

logger = logging.getLogger(__name__)


class Topics(msgspec.Struct, frozen=True):
    """Which topics are read, and where reading begins at first contact: "earliest", "latest" or a time back."""

    include: tuple[re.Pattern[str], ...] = (re.compile("^.*"),)
    exclude: tuple[re.Pattern[str], ...] = (re.compile("^_"), re.compile(r"^choreoscope\."))
    start: str | timedelta = "earliest"

    def wanted(self, name: str) -> bool:
        return any(p.search(name) for p in self.include) and not any(p.search(name) for p in self.exclude)


class Service(msgspec.Struct, frozen=True):
    """Whom to call about a service, and where to look."""

    owner: str = ""
    contact: str = ""
    runbook: str = ""
    groups: tuple[str, ...] = ()
    links: dict[str, str] = {}


class Retention(msgspec.Struct, frozen=True):
    payloads: timedelta = timedelta(days=7)
    events: timedelta = timedelta(days=30)


class Config(msgspec.Struct, frozen=True):
    topics: Topics = Topics()
    rulebook: RuleBook = RuleBook()
    services: dict[str, Service] = {}
    retention: Retention = Retention()


def load(path: Path) -> Config:
    """Reads and checks the file; a missing one means all defaults. Raises ConfigError with line and key."""
    if not path.exists():
        return Config()
    try:
        content = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    return parse(path.name, content)


_cache: dict[Path, tuple[float, Config]] = {}


def current(path: Path) -> Config:
    """The configuration as it is now: read again when the file has changed.

    A mistake in it raises ConfigError at first; later it is logged once, and the last good one stays in force.
    """
    changed = path.stat().st_mtime if path.exists() else 0.0
    cached = _cache.get(path)
    if cached is not None and cached[0] == changed:
        return cached[1]
    try:
        found = load(path)
    except ConfigError as error:
        if cached is None:
            raise
        logger.warning("%s; the configuration read before stays in force", error)
        found = cached[1]
    _cache[path] = (changed, found)
    return found


def parse(file: str, content: str) -> Config:
    top = read(file, content)
    if top is None:
        return Config()
    entries = top.mapping(("topics", "limits", "retention", "services", "choreographies"))
    return Config(
        topics=_topics(entries["topics"]) if "topics" in entries else Topics(),
        rulebook=RuleBook(
            choreographies=choreographies.read(entries["choreographies"]) if "choreographies" in entries else (),
            limits=_limits(entries["limits"]) if "limits" in entries else Limits(),
        ),
        services=_services(entries["services"]) if "services" in entries else {},
        retention=_retention(entries["retention"]) if "retention" in entries else Retention(),
    )


def _topics(node: Node) -> Topics:
    entries = node.mapping(("include", "exclude", "start"))
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
    )


def _limits(node: Node) -> Limits:
    entries = node.mapping(("skew", "grace", "history_age", "transaction_events"))
    defaults = Limits()
    return Limits(
        skew=entries["skew"].duration() if "skew" in entries else defaults.skew,
        grace=entries["grace"].duration() if "grace" in entries else defaults.grace,
        history_age=entries["history_age"].duration() if "history_age" in entries else defaults.history_age,
        transaction_events=(
            entries["transaction_events"].count() if "transaction_events" in entries else defaults.transaction_events
        ),
    )


def _retention(node: Node) -> Retention:
    entries = node.mapping(("payloads", "events"))
    defaults = Retention()
    return Retention(
        payloads=entries["payloads"].duration() if "payloads" in entries else defaults.payloads,
        events=entries["events"].duration() if "events" in entries else defaults.events,
    )


def _services(node: Node) -> dict[str, Service]:
    found = {}
    for name, entry in node.mapping().items():
        entries = entry.mapping(("owner", "contact", "runbook", "groups", "links"))
        links = entries["links"].mapping() if "links" in entries else {}
        found[name] = Service(
            groups=entries["groups"].texts() if "groups" in entries else (),
            links={label: link.text() for label, link in links.items()},
            **{key: entries[key].text() for key in ("owner", "contact", "runbook") if key in entries},
        )
    return found
