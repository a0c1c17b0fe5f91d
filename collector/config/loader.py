"""The configuration file: what to read, how to judge it, who owns which service. docs/configuration.md describes it."""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from pathlib import Path

import msgspec

from collector.config import durations
from collector.config.yaml_reader import ConfigError, Node, read
from collector.correlation.choreography import Choreography, Limits, Rule, RuleBook

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
            choreographies=_choreographies(entries["choreographies"]) if "choreographies" in entries else (),
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


def _choreographies(node: Node) -> tuple[Choreography, ...]:
    return tuple(_choreography(name, entry) for name, entry in node.mapping().items())


def _choreography(name: str, node: Node) -> Choreography:
    entries = node.mapping(("starts", "completes", "fails", "timeout", "idle_timeout", "rules"))
    if "starts" not in entries:
        node.fail("starts is missing: name the event types that begin such a transaction")
    completes, fails = (
        frozenset(entries[key].texts(or_one=True)) if key in entries else frozenset() for key in ("completes", "fails")
    )
    if both := completes & fails:
        entries["fails"].fail(f"{min(both)} is named under completes as well; it can only be one of them")
    rules = entries["rules"].items() if "rules" in entries else []
    return Choreography(
        name=name,
        starts=frozenset(entries["starts"].texts(or_one=True)),
        completes=completes,
        fails=fails,
        timeout=entries["timeout"].duration() if "timeout" in entries else None,
        idle_timeout=entries["idle_timeout"].duration() if "idle_timeout" in entries else None,
        rules=tuple(_rule(str(i), rule) for i, rule in enumerate(rules)),
    )


def _rule(key: str, node: Node) -> Rule:
    entries = node.mapping(("after", "expect", "from", "within", "compensates", "even_after_end"))
    for needed in ("after", "expect"):
        if needed not in entries:
            node.fail(f"{needed} is missing: a rule says after which event which one is expected")
    after, expect = entries["after"].texts(or_one=True), entries["expect"].texts(or_one=True)
    if len(set(after)) != len(after):
        entries["after"].fail("a join names each of its triggers once")
    if shared := set(after) & set(expect):
        entries["expect"].fail(f"{min(shared)} cannot answer itself; it stands under after")
    if not after or not expect:
        node.fail("after and expect each name at least one event type")
    return Rule(
        key=key,
        after=after,
        expect=expect,
        service=entries["from"].text() if "from" in entries else "",
        within=entries["within"].duration() if "within" in entries else None,
        compensates=entries["compensates"].text() if "compensates" in entries else None,
        even_after_end=entries["even_after_end"].flag() if "even_after_end" in entries else False,
    )
