"""The Kafka clients: the only module of the collector that imports them.

`Source` reads records at positions that somebody else decides; `Cluster` asks what there is. Nothing here knows the
database.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka import TopicCollection as Topics
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from collector.logs import fields
from collector.records import Record, TopicRef

logger = logging.getLogger(__name__)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_MILLIS = int(timedelta(days=365 * 400) / timedelta(milliseconds=1))
_TIMEOUT = 10.0
_RELOCATE = {
    KafkaError._AUTO_OFFSET_RESET,
    KafkaError._LOG_TRUNCATION,
    KafkaError.OFFSET_OUT_OF_RANGE,
    KafkaError.UNKNOWN_TOPIC_ID,
    KafkaError.INCONSISTENT_TOPIC_ID,
}
_ABSENT = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}
_HARMLESS = {
    KafkaError._PARTITION_EOF,
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError._MAX_POLL_EXCEEDED,
}

IN_MEMORY = "mockCluster"
"""How the ids of embedded brokers begin: librdkafka's built-in cluster. It forgets all records when it stops."""

KafkaFailure = KafkaException
"""What every call here may raise; under a name of its own, so that others need not import the client."""

Place = tuple[str, int]
"""Topic name and partition: how the client names a partition."""


class Bounds(msgspec.Struct, frozen=True):
    """Where a partition's log starts and ends (the offset after its last record, open transactions included)."""

    start: int
    end: int


class Span(msgspec.Struct):
    """What was read of one partition: from the offset `start` on, up to before `next_offset`.

    Offsets between that no record has were compacted away or are transaction markers.
    """

    topic: TopicRef
    partition: int
    start: int
    next_offset: int
    records: list[Record] = []

    @property
    def key(self) -> tuple[int, int]:
        return (self.topic.row, self.partition)


class Cluster:
    """Questions to the brokers. Every method blocks for at most ten seconds and raises KafkaFailure when unanswered."""

    def __init__(self, properties: Mapping[str, Any]) -> None:
        self._admin = AdminClient(dict(properties), logger=logger)
        self._leaderless: set[Place] = set()

    def describe(self, wanted: Callable[[str], bool]) -> tuple[str, dict[str, list[int]]]:
        """The cluster's id, and the partitions of every wanted topic."""
        metadata = self._admin.list_topics(timeout=_TIMEOUT)
        listed = {name: topic for name, topic in metadata.topics.items() if topic.error is None and wanted(name)}
        parts = [(name, number, part) for name, topic in listed.items() for number, part in topic.partitions.items()]
        # asked for its end, one that has no leader would keep the others waiting until the time-out
        self._leaderless = {(name, number) for name, number, part in parts if part.leader < 0}
        return str(metadata.cluster_id), {name: sorted(topic.partitions) for name, topic in listed.items()}

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
                if failure.args[0].code() not in _ABSENT:
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


class Source:
    """Reads records of all wanted topics as a member of a consumer group, from positions it is given.

    Newly assigned partitions stand still, in `unlocated`, until `start` names their position. `rebalances` counts how
    often partitions came or went. Not thread-safe; callbacks run inside `poll`.
    """

    def __init__(
        self, properties: Mapping[str, Any], group: str, include: Iterable[str], wanted: Callable[[str], bool]
    ) -> None:
        self.unlocated: set[Place] = set()
        self.rebalances = 0
        self._wanted = wanted
        self._positions: dict[Place, int] = {}
        self._topics: dict[str, TopicRef] = {}
        self._consumer = Consumer(
            {
                "topic.metadata.refresh.interval.ms": 2000,
                "metadata.max.age.ms": 10000,
                "fetch.wait.max.ms": 100,
                # small pieces of many partitions, not large ones of a few: a transaction's events come in one batch
                "max.partition.fetch.bytes": 131072,
                "queued.max.messages.kbytes": 16384,
                "session.timeout.ms": 10000,
                "max.poll.interval.ms": 300000,
                **properties,
                "group.id": group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "partition.assignment.strategy": "cooperative-sticky",
            },
            logger=logger,
        )
        self._consumer.subscribe(
            [pattern if pattern.startswith("^") else f"^.*{pattern}" for pattern in include],
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._revoked,
        )

    @property
    def positions(self) -> dict[Place, int]:
        """The next offset to be fetched of every partition that is being read."""
        return dict(self._positions)

    @property
    def topics(self) -> dict[str, TopicRef]:
        """The topics that are being read, by name."""
        return {name: self._topics[name] for name in {name for name, _ in self._positions}}

    def start(self, positions: Mapping[Place, tuple[TopicRef, int]]) -> None:
        """Begins, or begins again, to read these partitions at these offsets."""
        assigned = {(p.topic, p.partition) for p in self._consumer.assignment()}
        positions = {place: at for place, at in positions.items() if place in assigned}
        if positions:
            # giving the partition up and taking it again, since a seek is refused before the first fetch
            self._consumer.incremental_unassign([TopicPartition(*place) for place in positions])
            self._consumer.incremental_assign(
                [TopicPartition(*place, offset) for place, (_, offset) in positions.items()]
            )
            self._consumer.resume([TopicPartition(*place) for place in positions])
        for place, (topic, offset) in positions.items():
            self._topics[place[0]] = topic
            self._positions[place] = offset
        self.unlocated -= positions.keys()

    def hold(self, places: Iterable[Place]) -> None:
        """Stops reading these partitions until they are started again."""
        for place in places:
            if self._positions.pop(place, None) is not None:
                self._consumer.pause([TopicPartition(*place)])
                self.unlocated.add(place)

    def poll(self, limit: int, timeout: float) -> list[Span]:
        """Up to `limit` records, by partition; waits at most `timeout` seconds for the first."""
        spans: dict[Place, Span] = {}
        for message in self._consumer.consume(limit, timeout):
            self._take(message, spans)
        for place, span in spans.items():
            if place in self._positions:  # it may have been held meanwhile
                self._positions[place] = span.next_offset
        return list(spans.values())

    def commit(self, spans: Iterable[Span]) -> None:
        """Tells Kafka how far we are: a courtesy to tools that show lag, never read back."""
        offsets = [TopicPartition(span.topic.name, span.partition, span.next_offset) for span in spans]
        with contextlib.suppress(KafkaException):
            self._consumer.commit(offsets=offsets, asynchronous=True)

    def close(self) -> None:
        self._consumer.close()

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.rebalances += bool(partitions)
        for partition in partitions:
            partition.offset = OFFSET_BEGINNING
        consumer.incremental_assign(partitions)
        consumer.pause(partitions)
        self.unlocated |= {(p.topic, p.partition) for p in partitions if self._wanted(p.topic)}

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.rebalances += bool(partitions)
        consumer.incremental_unassign(partitions)
        for partition in partitions:
            self._positions.pop((partition.topic, partition.partition), None)
            self.unlocated.discard((partition.topic, partition.partition))

    def _take(self, message: Message, spans: dict[Place, Span]) -> None:
        place = (message.topic() or "", message.partition() or 0)
        failure = message.error()
        if failure is not None and failure.code() != KafkaError._PARTITION_EOF:
            self._failed(failure, place)
            return
        position, offset = self._positions.get(place), message.offset()
        if position is None or offset is None:
            return
        span = spans.get(place)
        if failure is not None:
            # the end of a partition: offsets before it that no record had were transaction markers
            if offset > position or (span is not None and offset > span.next_offset):
                span = spans.setdefault(place, Span(self._topics[place[0]], place[1], position, position, []))
                span.next_offset = max(span.next_offset, offset)
            return
        if offset < position:
            return
        if span is None:
            span = spans[place] = Span(self._topics[place[0]], place[1], position, position, [])
        span.records.append(_record(message, span.topic))
        span.next_offset = offset + 1

    def _failed(self, failure: KafkaError, place: Place) -> None:
        if failure.code() in _RELOCATE:
            where = fields(topic=place[0], partition=place[1])
            logger.warning("%s; looking for where to go on", failure.str(), extra=where)
            self.hold([place])
        elif failure.fatal() or failure.code() not in _HARMLESS:
            raise KafkaException(failure)


def _record(message: Message, topic: TopicRef) -> Record:
    kind, millis = message.timestamp()
    stamp = EPOCH + timedelta(milliseconds=millis) if kind and 0 <= millis < _LATEST_MILLIS else None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    headers_error = ""
    try:
        pairs = cast("list[tuple[str, bytes | None]]", message.headers() or [])
        headers = tuple((name, _bytes(value)) for name, value in pairs)
    except UnicodeDecodeError:
        headers_error = "A header's name is not UTF-8."
    return Record(
        topic=topic,
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        timestamp=stamp,
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers=headers,
        headers_error=headers_error,
    )


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
