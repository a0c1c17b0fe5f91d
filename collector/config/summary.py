"""What a configuration says, in lines for a person to compare with what was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta

from collector.config.loader import Config
from collector.correlation.choreography import Choreography
from collector.decoding.policy import Override
from collector.decoding.rules import CorrelationRule
from collector.mining.lessons import Settings as Learning

_WIDTH = 15


def lines(config: Config) -> Iterator[str]:
    topics, policy, limits, retention = config.topics, config.policy, config.rulebook.limits, config.retention
    start = topics.start if isinstance(topics.start, str) else f"{_length(topics.start)} back"
    yield _line("topics", f"read {_patterns(topics.include)}, but not {_patterns(topics.exclude)}; from {start}")
    yield _line("", f"retries and dead letters: {_patterns(topics.failures)}")
    for rule in policy.correlation:
        yield _line(f"rule {rule.number}", _rule(rule))
    if not policy.correlation:
        yield _line("correlation", "no rules: by the dialects alone")
    for link in policy.links:
        yield _line(f"link {link.number}", f"{_topics(link.topics)}: one transaction by {_list(link.ids)}")
    yield _line("keys", _list(policy.keys))
    yield _line("impact", str(policy.impact or "none"))
    yield _line("redact", _list(policy.redact))
    yield _line("payloads", "kept, masked" if policy.payloads else "not kept")
    yield _line("undecodable", _undecodable(policy.encrypt))
    for override in policy.overrides:
        yield _line("override", _override(override))
    yield _line(
        "limits",
        f"skew {_length(limits.skew)}, grace {_length(limits.grace)},"
        f" history after {_length(limits.history_age)}, {limits.transaction_events} events a transaction",
    )
    yield _line(
        "retention",
        f"payloads {_length(retention.payloads)}, events {_length(retention.events)},"
        f" of abnormal transactions {_length(retention.abnormal)}, counts {_length(retention.counts)},"
        f" alerts {_length(retention.alerts)}",
    )
    yield _line("services", _list(config.services))
    yield _line("learning", _learning(config.learning))
    for choreography in config.rulebook.choreographies:
        yield _line("choreography", _choreography(choreography))


def _learning(learning: Learning) -> str:
    if not learning.acts:
        return "shown only: nothing is awaited that is not declared"
    exceptions = f", except in {_list(learning.except_for)}" if learning.except_for else ""
    return (
        f"used where nothing is declared{exceptions}; from {learning.support} answers, {learning.confidence:.4g} sure;"
        f" deadlines {learning.factor:g} times the usual, at least {_length(learning.floor)};"
        f" others after {_length(learning.adopt)}"
    )


def _choreography(choreography: Choreography) -> str:
    count = len(choreography.rules)
    rules = f"{count} response rule{'' if count == 1 else 's'}"
    return f"{choreography.name}: starts with {_list(sorted(choreography.starts))}, {rules}"


def _line(name: str, text: str) -> str:
    return f"{name:{_WIDTH}}{text}"


def _list(things: Iterable[object]) -> str:
    return ", ".join(map(str, things)) or "none"


def _patterns(patterns: Iterable[re.Pattern[str]]) -> str:
    return _list(pattern.pattern for pattern in patterns)


def _topics(pattern: re.Pattern[str]) -> str:
    return f"on {pattern.pattern}" if pattern.pattern else "on every topic"


def _rule(rule: CorrelationRule) -> str:
    found = {
        "transaction_id": rule.transaction_id,
        "id": rule.id,
        "type": rule.type,
        "service": rule.service,
        "source": rule.source,
        "time": rule.time,
        "causes": rule.causes,
    }
    said = "; ".join(f"{name} from {_list(paths)}" for name, paths in found.items() if paths)
    return f"{_topics(rule.topics)}: {said}"


def _override(override: Override) -> str:
    said = [
        *([f"keys too: {_list(override.keys)}"] if override.keys else []),
        *([f"impact {override.impact}"] if override.impact else []),
        *([f"redact too: {_list(override.redact)}"] if override.redact else []),
        *([] if override.payloads is None else ["payloads kept, masked" if override.payloads else "payloads not kept"]),
        *([] if override.encrypt is None else [f"undecodable records: {_undecodable(override.encrypt)}"]),
    ]
    return f"{_topics(override.topics)}: {'; '.join(said)}"


def _undecodable(encrypt: bool) -> str:
    return "kept encrypted" if encrypt else "only where they lie in Kafka"


def _length(length: timedelta) -> str:
    seconds = length.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds * 1000:g}ms"
