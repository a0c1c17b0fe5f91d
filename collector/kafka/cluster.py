"""Questions to the brokers: which topics there are, and where they begin and end."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka import TopicCollection as Topics
from confluent_kafka.admin import AdminClient, ClusterMetadata, OffsetSpec  # type: ignore[attr-defined]

from collector.kafka.failures import ABSENT, PASSING
from collector.kafka.places import Bounds, Place

logger = logging.getLogger(__name__)

IN_MEMORY = "mockCluster"
"""How the ids of embedded brokers begin: librdkafka's built-in cluster. It forgets all records when it stops."""

_TIMEOUT = 10.0


class Cluster:
    """Questions to the brokers. Every method blocks for at most ten seconds and raises KafkaFailure when unanswered."""

    def __init__(self, properties: Mapping[str, Any]) -> None:
        self._refusal: KafkaError | None = None
        settings: dict[str, Any] = {**properties, "error_cb": self._told}
        self._admin = AdminClient(settings, logger=logger)
        self._leaderless: set[Place] = set()

    def describe(self, wanted: Callable[[str], bool]) -> tuple[str, dict[str, list[int]]]:
        """The cluster's id, and the partitions of every wanted topic."""
        metadata = self._list()
        listed = {name: topic for name, topic in metadata.topics.items() if topic.error is None and wanted(name)}
        parts = [(name, number, part) for name, topic in listed.items() for number, part in topic.partitions.items()]
        # asked for its end, one that has no leader would keep the others waiting until the time-out
        self._leaderless = {(name, number) for name, number, part in parts if part.leader < 0}
        return str(metadata.cluster_id), {name: sorted(topic.partitions) for name, topic in listed.items()}

    def _list(self) -> ClusterMetadata:
        """All topics. Where nobody answers, the reason is told on the side only: that we were refused, say."""
        self._refusal = None
        try:
            return self._admin.list_topics(timeout=_TIMEOUT)
        except KafkaException as failure:
            self._admin.poll(0)
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
        described = self._admin.describe_topics(Topics(names), request_timeout=_TIMEOUT)
        found = {}
        for name, future in described.items():
            try:
                found[name] = str(future.result().topic_id)
            except KafkaException as failure:
                # of one that we may not see any more we know nothing new either
                if failure.args[0].code() not in ABSENT | {KafkaError.TOPIC_AUTHORIZATION_FAILED}:
                    raise
        return found

    def bounds(self, places: Iterable[Place]) -> dict[Place, Bounds]:
        starts, ends = (self._offsets(places, spec) for spec in (OffsetSpec.earliest(), OffsetSpec.latest()))
        return {place: Bounds(starts[place], end) for place, end in ends.items() if place in starts}

    def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """The ends of these partitions; those that could not be asked for are left out."""
        return self._offsets(places, OffsetSpec.latest())

    def stable_ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """Where reading these partitions as read_committed ends: before the first record of an open transaction."""
        return self._offsets(places, OffsetSpec.latest(), stable=True)

    def offsets_at(self, places: Iterable[Place], moment: datetime) -> dict[Place, int]:
        """The first offset with a timestamp from `moment` on, or the end where there is none (-1)."""
        return self._offsets(places, OffsetSpec.for_timestamp(int(moment.timestamp() * 1000)))

    def _offsets(self, places: Iterable[Place], spec: OffsetSpec, *, stable: bool = False) -> dict[Place, int]:
        request = {TopicPartition(*place): spec for place in places if place not in self._leaderless}
        if not request:
            return {}
        found = {}
        isolation = IsolationLevel.READ_COMMITTED if stable else IsolationLevel.READ_UNCOMMITTED
        answers = self._admin.list_offsets(request, isolation_level=isolation, request_timeout=_TIMEOUT)
        for partition, future in answers.items():
            with contextlib.suppress(KafkaException):
                found[partition.topic, partition.partition] = future.result().offset
        return found
