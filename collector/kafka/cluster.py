"""Questions to the brokers: which topics there are, and where they begin and end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka import TopicCollection as Topics
from confluent_kafka.admin import AdminClient, ClusterMetadata, OffsetSpec  # type: ignore[attr-defined]

from collector.kafka.failures import ABSENT, FORBIDDEN, PASSING, SILENT
from collector.kafka.places import Bounds, Place

logger = logging.getLogger(__name__)

IN_MEMORY = "mockCluster"
"""How the ids of embedded brokers begin: librdkafka's built-in cluster. It forgets all records when it stops."""

_TIMEOUT = 10.0
_HASTE = 3.0
"""Seconds that one broker has to say where its partitions begin or end."""
_SILENCE = 10.0
"""Seconds for which one that did not say it is not asked again."""


class Cluster:
    """Questions to the brokers. Every method blocks for at most ten seconds and raises KafkaFailure when unanswered."""

    def __init__(self, properties: Mapping[str, Any]) -> None:
        self._refusal: KafkaError | None = None
        # a connection on which nothing is answered is given up, so that other brokers are asked instead
        self._settings: dict[str, Any] = {"socket.timeout.ms": 4_000, **properties, "error_cb": self._told}
        self._admin = AdminClient(self._settings, logger=logger)
        self._leaders: dict[Place, int] = {}
        self._silent: dict[int, float] = {}

    def describe(self, wanted: Callable[[str], bool]) -> tuple[str, dict[str, list[int]]]:
        """The cluster's id, and the partitions of every wanted topic."""
        metadata = self._list()
        listed = {name: topic for name, topic in metadata.topics.items() if topic.error is None and wanted(name)}
        parts = [(name, number, part) for name, topic in listed.items() for number, part in topic.partitions.items()]
        self._leaders = {(name, number): part.leader for name, number, part in parts}
        return str(metadata.cluster_id), {name: sorted(topic.partitions) for name, topic in listed.items()}

    def _list(self) -> ClusterMetadata:
        """All topics. Where nobody answers, the reason is told on the side only: that we were refused, say; and a new
        client asks the next time, since one that lost all its brokers may not connect again when they are back."""
        self._refusal = None
        admin = self._admin
        try:
            return admin.list_topics(timeout=_TIMEOUT / 2)
        except KafkaException:
            pass  # it may be the one broker that was asked; its connection has been given up meanwhile
        try:
            return admin.list_topics(timeout=_TIMEOUT / 2)
        except KafkaException as failure:
            admin.poll(0)
            self._admin = AdminClient(self._settings, logger=logger)
            raise KafkaException(self._refusal or failure.args[0]) from failure

    def _told(self, error: KafkaError) -> None:
        if error.code() not in PASSING:
            self._refusal = error

    def topic_ids(self, cluster_id: str, names: Iterable[str]) -> dict[str, str]:
        """Kafka's ids of these topics; those that are not there are left out. The embedded broker has no ids and does
        not answer: the name stands for it."""
        names = list(names)
        if cluster_id.startswith(IN_MEMORY) or not names:
            return {name: name for name in names}
        admin = self._admin  # which answers as long as it is held
        described = admin.describe_topics(Topics(names), request_timeout=_TIMEOUT)
        found = {}
        for name, future in described.items():
            try:
                found[name] = str(future.result().topic_id)
            except KafkaException as failure:
                # of one that we may not see any more we know nothing new either
                if failure.args[0].code() not in ABSENT | {FORBIDDEN}:
                    raise
        return found

    def bounds(self, places: Iterable[Place]) -> dict[Place, Bounds]:
        starts, ends = (self._offsets(places, spec) for spec in (OffsetSpec.earliest(), OffsetSpec.latest()))
        return {place: Bounds(starts[place], end) for place, end in ends.items() if place in starts}

    def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """The ends of these partitions; those that could not be asked for are left out, as are those whose broker does
        not answer soon: whoever asks all the time need not wait for it."""
        return self._offsets(places, OffsetSpec.latest(), hasty=True)

    def stable_ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """Where reading these partitions as read_committed ends: before the first record of an open transaction."""
        return self._offsets(places, OffsetSpec.latest(), stable=True, hasty=True)

    def offsets_at(self, places: Iterable[Place], moment: datetime) -> dict[Place, int]:
        """The first offset with a timestamp from `moment` on, or the end where there is none (-1)."""
        return self._offsets(places, OffsetSpec.for_timestamp(int(moment.timestamp() * 1000)))

    def _offsets(
        self, places: Iterable[Place], spec: OffsetSpec, *, stable: bool = False, hasty: bool = False
    ) -> dict[Place, int]:
        """Every leader is asked on its own, so that one that is silent keeps nobody else's answers back; if `hasty`,
        it is not waited for long, nor asked again for a while. A partition without a leader is not asked for."""
        isolation = IsolationLevel.READ_COMMITTED if stable else IsolationLevel.READ_UNCOMMITTED
        now = time.monotonic()
        by_leader: dict[int | None, dict[TopicPartition, OffsetSpec]] = {}
        for place in places:
            leader = self._leaders.get(place)
            silent = hasty and leader is not None and self._silent.get(leader, 0) > now
            if leader is None or (leader >= 0 and not silent):
                by_leader.setdefault(leader, {})[TopicPartition(*place)] = spec
        patience = _HASTE if hasty else _TIMEOUT
        admin = self._admin
        asked = {
            leader: admin.list_offsets(request, isolation_level=isolation, request_timeout=patience)
            for leader, request in by_leader.items()
        }
        found = {}
        for leader, answers in asked.items():
            for partition, future in answers.items():
                try:
                    found[partition.topic, partition.partition] = future.result().offset
                except KafkaException as failure:
                    if leader is not None and failure.args[0].code() == SILENT:
                        self._silent[leader] = time.monotonic() + _SILENCE
        return found
