"""Why it is stuck: whether the service that owes an answer has read what asks for it. Kafka knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.db import OperationalError

from collector import config
from collector.config import Service
from collector.correlation import verdicts
from collector.correlation.events import EventKey
from collector.correlation.state import Pending
from collector.correlation.verdicts import Group, Trigger, Verdict
from collector.kafka import Groups, KafkaFailure
from collector.models import Event
from collector.queries.transaction import Found

MOST_GROUPS = 20
_PLAIN = re.compile(r"[\w.-]+")


def consumers(found: Found) -> list[Verdict | None]:
    """For each pending response of a transaction, in their order. None where the question makes no sense: nobody is
    known to owe it, or what asks for it has not happened. Three questions to Kafka, at most two seconds each."""
    services = config.current(settings.CHOREOSCOPE_CONFIG).services
    by_key = {(event.source, event.event_id): event for event in found.events}
    return [_of(entry, by_key, services) for entry in found.state.pending]


def _of(entry: Pending, by_key: Mapping[EventKey, Event], services: Mapping[str, Service]) -> Verdict | None:
    triggers = _triggers(entry, by_key)
    if not entry.service or not triggers:
        return None
    try:
        names = groups_of(entry.service, services, _groups().names)
        return verdicts.judge(entry.service, triggers, _facts(names, triggers))
    except (KafkaFailure, OperationalError):  # no answer, or no Kafka to ask
        return verdicts.unanswered()


def _triggers(entry: Pending, by_key: Mapping[EventKey, Event]) -> list[Trigger]:
    """What the service has to have read. None for the whole, and for a join that still lacks a trigger; and what a
    compensation undoes is often the service's own event, which it need not read."""
    if entry.kind == "timeout" or len(entry.triggers) < len(entry.after):
        return []
    events = [by_key[key] for key in entry.triggers[: len(entry.after)] if key in by_key]
    return [Trigger(event.topic.name, event.partition, event.offset) for event in events]


@dataclass(frozen=True)
class GroupFigures:
    """A consumer group: how many members are alive (None: Kafka does not say), how many records it has not come to
    (None: not known), and how many partitions of those asked for it reads."""

    name: str
    members: int | None
    lag: int | None
    partitions: int


def groups(service: str, ends: Mapping[tuple[str, int], int]) -> list[GroupFigures] | None:
    """The consumer groups of a service on these partitions, whose ends are given; None where Kafka does not answer."""
    if not ends:
        return []
    try:
        names = groups_of(service, config.current(settings.CHOREOSCOPE_CONFIG).services, _groups().names)
        found = _facts(names, [Trigger(topic, partition, 0) for topic, partition in ends])
    except (KafkaFailure, OperationalError):  # no answer, or no Kafka to ask
        return None
    return [
        GroupFigures(
            name=group.name,
            members=group.members,
            lag=sum(max(0, ends[place] - at) for place, at in group.committed.items()) if group.committed else None,
            partitions=len(group.committed),
        )
        for group in found
        if group.committed or group.members
    ]


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
    groups = _groups()
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
def _groups() -> Groups:
    return Groups(dict(settings.KAFKA))
