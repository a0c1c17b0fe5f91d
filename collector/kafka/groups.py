"""Consumer groups as Kafka knows them: who is alive, and how far they have read. Asked, never joined."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import msgspec
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from collector.kafka.failures import UNREACHED, UNSUPPORTED
from collector.kafka.places import Place

logger = logging.getLogger(__name__)

T = TypeVar("T")

TIMEOUT = 2.0
KEPT = 2.0
"""Seconds for which an answer is good: many look at the same trouble at once."""


class Members(msgspec.Struct, frozen=True):
    alive: int
    assigned: frozenset[Place]


class Groups:
    """Every question takes at most two seconds; KafkaFailure where there is no answer. Safe for threads."""

    def __init__(self, properties: Mapping[str, Any]) -> None:
        self._settings = {"socket.timeout.ms": 4_000, **properties}
        self._admin = AdminClient(self._settings, logger=logger)
        self._kept: dict[Any, tuple[float, Any]] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """All groups that we may see. The embedded broker does not list them."""
        return self._keep("names", self._names)

    def members(self, names: Iterable[str]) -> dict[str, Members]:
        """Of each group its living members, and what they read; those that Kafka does not describe are left out, as all
        are on the embedded broker."""
        wanted = tuple(sorted(names))
        return self._keep(("members", wanted), lambda: self._members(wanted)) if wanted else {}

    def committed(self, names: Iterable[str], places: Iterable[Place]) -> dict[str, dict[Place, int]]:
        """By group, the next offset of each of these partitions, where it has committed one."""
        wanted, where = tuple(sorted(names)), tuple(sorted(places))
        return self._keep(("committed", wanted, where), lambda: self._committed(wanted, where))

    def _keep(self, question: Any, ask: Callable[[], T]) -> T:
        now = time.monotonic()
        with self._lock:
            self._kept = {key: kept for key, kept in self._kept.items() if now - kept[0] < KEPT}
            if question in self._kept:
                answer: T = self._kept[question][1]
                return answer
        answer = ask()
        with self._lock:
            self._kept[question] = (time.monotonic(), answer)
        return answer

    def _names(self) -> list[str]:
        listed = self._admin.list_consumer_groups(request_timeout=TIMEOUT).result()
        if listed.errors and not listed.valid:
            raise KafkaException(listed.errors[0])
        return sorted(group.group_id for group in listed.valid)

    def _members(self, names: tuple[str, ...]) -> dict[str, Members]:
        found = {}
        for name, answer in self._described(names).items():
            if not isinstance(answer, KafkaException):
                members = answer.members
                places = [(p.topic, p.partition) for member in members for p in member.assignment.topic_partitions]
                found[name] = Members(len(members), frozenset(places))
        return found

    def _described(self, names: tuple[str, ...]) -> dict[str, Any]:
        """What is said of each group, or why nothing is. Where nobody answers, a new client asks the next time, since
        one that lost all its brokers may not connect again when they are back."""
        admin = self._admin  # which answers as long as it is held
        described = admin.describe_consumer_groups(list(names), request_timeout=TIMEOUT)
        answers = {name: future.exception() or future.result() for name, future in described.items()}
        codes = {answer.args[0].code() if isinstance(answer, KafkaException) else None for answer in answers.values()}
        if codes and codes <= UNREACHED:
            self._admin = AdminClient(self._settings, logger=logger)
        return answers

    def _committed(self, names: tuple[str, ...], places: tuple[Place, ...]) -> dict[str, dict[Place, int]]:
        futures: dict[str, Any] = {}
        admin = self._admin
        for name in self._coordinated(names):
            wanted = ConsumerGroupTopicPartitions(name, [TopicPartition(*place) for place in places])
            futures |= admin.list_consumer_group_offsets([wanted], request_timeout=TIMEOUT)
        found: dict[str, dict[Place, int]] = {}
        for name, future in futures.items():
            with contextlib.suppress(KafkaException):
                offsets = future.result().topic_partitions
                found[name] = {(o.topic, o.partition): o.offset for o in offsets if o.error is None and o.offset >= 0}
        return found

    def _coordinated(self, names: tuple[str, ...]) -> list[str]:
        """Those of the groups whose coordinator answers. librdkafka ends the whole process with a segmentation fault
        where the broker that it asks for a group's offsets is not, or no longer, its coordinator
        (https://github.com/confluentinc/librdkafka/pull/5318). Asked for the group itself, it finds the right one."""
        answering = []
        for name, answer in self._described(names).items():
            # the embedded broker describes none, and is the only one there is
            if not isinstance(answer, KafkaException) or answer.args[0].code() == UNSUPPORTED:
                answering.append(name)
        return answering
