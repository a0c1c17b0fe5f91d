"""Why it is stuck: whether the service that owes an answer has read what asks for it. Kafka knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from collector import config
from collector.config import Service
from collector.correlation import verdicts
from collector.correlation.events import EventKey
from collector.correlation.state import Pending
from collector.correlation.verdicts import Basis, Group, Trigger, Verdict
from collector.kafka import Groups, KafkaFailure
from collector.learning import keeping
from collector.learning.groups import Evidence, likely, of_topics
from collector.queries.stored import StoredEvent
from collector.queries.transaction import Found
from collector.queries.waits import OverdueWith, Waits, asks, waits

MOST_GROUPS = 20
_PLAIN = re.compile(r"[\w.-]+")

Learned = Mapping[str, Sequence[Evidence]]
"""What is known of the groups that may be a service's, by topic."""


def consumers(found: Found) -> list[Verdict | None]:
    """For each pending response of a transaction, in their order. None where the question makes no sense: nobody is
    known to owe it, or what asks for it has not happened. Three questions to Kafka, at most two seconds each."""
    services = config.current(settings.CHOREOSCOPE_CONFIG).services
    by_key = {(event.source, event.event_id): event for event in found.events}
    learned = keeping.groups({entry.service for entry in found.state.pending if entry.service})
    return [_of(entry, by_key, services, learned.get(entry.service, {})) for entry in found.state.pending]


def _of(
    entry: Pending, by_key: Mapping[EventKey, StoredEvent], services: Mapping[str, Service], learned: Learned
) -> Verdict | None:
    events = [by_key[key] for key in asks(entry) if key in by_key]
    if not entry.service or not events:
        return None
    triggers = [Trigger(event.topic.name, event.partition, event.offset) for event in events]
    try:
        return _verdict(entry.service, triggers, services, learned)
    except (KafkaFailure, OperationalError):  # no answer, or no Kafka to ask
        return verdicts.unanswered()


def reading(overdue: OverdueWith) -> str:
    """Whether the service has read what asks for all that is overdue so, in a sentence; empty where the question makes
    no sense. Three queries, and three questions to Kafka."""
    if not overdue.service:
        return ""
    found = waits(overdue)
    if not found.asking:
        return ""
    services = config.current(settings.CHOREOSCOPE_CONFIG).services
    learned = keeping.groups({overdue.service}).get(overdue.service, {})
    try:
        return _said(overdue.service, found, services, learned)
    except (KafkaFailure, OperationalError):  # no answer, or no Kafka to ask
        return verdicts.unanswered().sentence


def _said(service: str, found: Waits, services: Mapping[str, Service], learned: Learned) -> str:
    asked = _asked(service, [trigger for triggers in found.asking for trigger in triggers], services, learned)
    if asked.basis == "likely":
        return verdicts.judge_all_likely(service, found.asking, asked.groups, newest=found.more)
    return verdicts.judge_all(service, found.asking, asked.groups, asked.how, newest=found.more)


def _verdict(service: str, triggers: Sequence[Trigger], services: Mapping[str, Service], learned: Learned) -> Verdict:
    asked = _asked(service, triggers, services, learned)
    if asked.basis == "likely":
        return verdicts.judge_likely(service, triggers, asked.groups)
    found = verdicts.judge(service, triggers, asked.groups, asked.how)
    return msgspec.structs.replace(found, basis=asked.basis if found.groups else "")


@dataclass(frozen=True)
class _Asked:
    """The groups that were asked about, and how they are known."""

    groups: list[Group]
    basis: Basis

    @property
    def how(self) -> str:
        return ", as learned" if self.basis == "learned" else ""


def _asked(service: str, triggers: Sequence[Trigger], services: Mapping[str, Service], learned: Learned) -> _Asked:
    """Those that are declared; without these, those that are called after it and have to do with this; without these,
    what was learned."""
    facts = _facts(groups_of(service, services, kafka_groups().names), triggers)
    declared = is_declared(service, services)
    names, certain = of_topics(learned, {trigger.topic for trigger in triggers}, timezone.now())
    if declared or not names or any(group.reads(triggers) for group in facts):
        return _Asked(facts, "declared" if declared else "named")
    return _Asked(_facts(names[:MOST_GROUPS], triggers), "learned" if certain else "likely")


@dataclass(frozen=True)
class GroupFigures:
    """A consumer group: how many members are alive (None: Kafka does not say), how many records it has not come to
    (None: not known), and how many partitions of those asked for it reads. `basis`: how it is known to be the
    service's, as in `Verdict`."""

    name: str
    members: int | None
    lag: int | None
    partitions: int
    basis: Basis


def groups(service: str, ends: Mapping[tuple[str, int], int]) -> list[GroupFigures] | None:
    """The consumer groups of a service on these partitions, whose ends are given; None where Kafka does not answer."""
    if not ends:
        return []
    services = config.current(settings.CHOREOSCOPE_CONFIG).services
    everywhere = [Trigger(topic, partition, 0) for topic, partition in ends]
    basis: Basis = "declared" if is_declared(service, services) else "named"
    try:
        found = _living(_facts(groups_of(service, services, kafka_groups().names), everywhere))
        if basis == "named" and not found:
            learned = keeping.groups({service}).get(service, {})
            names, certain = of_topics(learned, learned, timezone.now())
            basis = "learned" if certain else "likely"
            found = _living(_facts(names[:MOST_GROUPS], everywhere))
    except (KafkaFailure, OperationalError):  # no answer, or no Kafka to ask
        return None
    return [
        GroupFigures(
            name=group.name,
            members=group.members,
            lag=sum(max(0, ends[place] - at) for place, at in group.committed.items()) if group.committed else None,
            partitions=len(group.committed),
            basis=basis,
        )
        for group in found
    ]


def _living(found: Iterable[Group]) -> list[Group]:
    return [group for group in found if group.committed or group.members]


@dataclass(frozen=True)
class LearnedReading:
    """The groups by which a service reads a topic, as learned: one of these; one alone is it."""

    topic: str
    groups: list[str]


def learned_groups(services: Collection[str]) -> dict[str, list[LearnedReading]]:
    """By service, where anything was learned. One query."""
    now = timezone.now()
    found = {
        service: [LearnedReading(topic, likely(known, now)) for topic, known in sorted(topics.items())]
        for service, topics in keeping.groups(services).items()
    }
    return {service: [one for one in readings if one.groups] for service, readings in found.items()}


def is_declared(service: str, services: Mapping[str, Service]) -> bool:
    """Whether the configuration names its groups: nothing else counts then."""
    return service in services and bool(services[service].groups)


def groups_of(service: str, services: Mapping[str, Service], listed: Callable[[], Iterable[str]]) -> list[str]:
    """The groups of a service: those that its declaration names; without one, those that are named after it. What
    groups there are is asked for only where a pattern does not name one by itself."""
    patterns = services[service].groups if service in services else ()
    if not patterns:
        patterns = (rf"{re.escape(service)}([-_.].*)?",)
    if all(_PLAIN.fullmatch(pattern) for pattern in patterns):
        return list(patterns)[:MOST_GROUPS]
    return [name for name in listed() if any(re.fullmatch(pattern, name) for pattern in patterns)][:MOST_GROUPS]


def _facts(names: Sequence[str], triggers: Sequence[Trigger]) -> list[Group]:
    if not names:
        return []
    groups = kafka_groups()
    members = groups.members(names)
    committed = groups.committed(names, {trigger.place for trigger in triggers})
    return [
        Group(
            name=name,
            members=members[name].alive if name in members else None,
            committed=committed.get(name, {}),
            assigned=members[name].assigned if name in members else frozenset(),
        )
        for name in names
    ]


@lru_cache(maxsize=1)
def kafka_groups() -> Groups:
    """One client for all who ask: each has threads of its own."""
    return Groups(dict(settings.KAFKA))
