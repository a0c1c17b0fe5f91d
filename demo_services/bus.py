"""Kafka, as the demo's processes use it: at least once, in a group of their own, and without haste when idle."""

from __future__ import annotations

import json
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from demo_services.events import Event, Headers
from demo_services.work import Partition

log = logging.getLogger("demo")

Settings = dict[str, Any]
Client = TypeVar("Client", Producer, Consumer)
PARTITIONS = 4
METADATA_TIMEOUT = 0.8
QUEUED = 5_000
_TAIL = -2_001  # librdkafka's logical offset "one before the end"
_PREFIX = "KAFKA_CONFIG_"


class SettingsError(ValueError):
    """An environment variable is missing or wrong; the sentence names it."""


def settings(environment: Mapping[str, str]) -> Settings:
    """librdkafka's properties from the environment. Raises SettingsError."""
    servers = environment.get("KAFKA_BOOTSTRAP_SERVERS", "").strip()
    if not servers:
        raise SettingsError(
            "KAFKA_BOOTSTRAP_SERVERS is not set: host:port of a Kafka broker, several separated by commas"
        )
    given = {
        name.removeprefix(_PREFIX).lower().replace("_", "."): value
        for name, value in environment.items()
        if name.startswith(_PREFIX)
    }
    return {
        "bootstrap.servers": servers,
        "socket.keepalive.enable": True,
        "reconnect.backoff.max.ms": 2_000,
        "topic.metadata.refresh.interval.ms": 60_000,
        "log_level": 2,  # a broker that is away is told once, by Line
        **given,
    }


def _client(kind: type[Client], properties: Settings) -> Client:
    """Raises SettingsError where librdkafka knows better than the environment."""
    try:
        return kind(properties)
    except KafkaException as error:
        raise SettingsError(f"a {_PREFIX}… variable is wrong: {error.args[0].str()}") from error


class Line:
    """Whether the broker can be reached, said once when it changes."""

    def __init__(self) -> None:
        self._lost_at: float | None = None

    def error(self, error: KafkaError) -> None:
        """Also librdkafka's `error_cb`."""
        if self._lost_at is None:
            log.warning("Kafka is out of reach: %s", error.str())
        self._lost_at = time.monotonic()

    def fine(self) -> None:
        # What was on its way when the broker went says nothing about now.
        if self._lost_at is not None and time.monotonic() - self._lost_at > 1:
            log.info("Kafka is back")
            self._lost_at = None


class Publisher:
    """Publishes, and tries again for as long as it takes."""

    def __init__(self, configuration: Settings, line: Line) -> None:
        self._settings = configuration
        self._line = line
        self._unsent: deque[Callable[[], None]] = deque()
        self._producer = _client(
            Producer,
            {
                **configuration,
                "error_cb": line.error,
                "partitioner": "murmur2_random",  # as Java's clients do
                "queue.buffering.max.messages": 2 * QUEUED,
            },
        )

    @property
    def full(self) -> bool:
        return len(self._producer) + len(self._unsent) >= QUEUED

    def ready(self, topics: Iterable[str]) -> bool:
        """Whether the broker is there and has these topics, which are made where they are missing. Waits a moment."""
        try:
            missing = set(topics) - self._producer.list_topics(timeout=METADATA_TIMEOUT).topics.keys()
            if missing:
                self._create(missing)
            # Asking for a topic by name makes it where the broker makes topics by itself and allows nobody else to.
            known = (self._producer.list_topics(name, timeout=METADATA_TIMEOUT).topics[name] for name in missing)
            there = all(topic.error is None for topic in known)
        except KafkaException as error:
            self._line.error(error.args[0])
            return False
        self._line.fine()
        return there

    def publish(self, topic: str, event: Event, acknowledged: Callable[[], None]) -> None:
        self.send(topic, event.value(), event.order_id.encode(), event.headers(), acknowledged)

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes,
        headers: Headers | None = None,
        acknowledged: Callable[[], None] = lambda: None,
    ) -> None:
        again = partial(self.send, topic, value, key, headers, acknowledged)

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is None:
                self._line.fine()
                acknowledged()
            else:
                self._line.error(error)
                self._unsent.append(again)

        try:
            self._producer.produce(topic, value, key, headers=[*(headers or [])], on_delivery=delivered)
        except BufferError:
            self._unsent.append(again)

    def serve(self, timeout: float = 0.0) -> None:
        """Takes in acknowledgements, and sends again what could not be sent."""
        self._producer.poll(timeout)
        for _ in range(len(self._unsent)):
            self._unsent.popleft()()

    def close(self, timeout: float) -> None:
        self._producer.flush(timeout)

    def _create(self, topics: Iterable[str]) -> None:
        admin = AdminClient(self._settings)
        wanted = [NewTopic(name, PARTITIONS) for name in topics]
        for name, made in admin.create_topics(wanted, operation_timeout=1, request_timeout=1).items():
            try:
                made.result()
            except KafkaException as error:  # it is there by now, or this broker makes topics in its own way
                log.debug("topic %s was not created: %s", name, error)


class Member:
    """A consumer in a group. It commits what it is told to, and rejoins where it stopped."""

    def __init__(
        self, configuration: Settings, group: str, line: Line, take: Callable[[], dict[Partition, int]]
    ) -> None:
        """`take` tells what may be committed; it is asked for the last time when partitions are taken away."""
        self._line = line
        self._take = take
        self._consumer = _client(
            Consumer,
            {
                **configuration,
                "error_cb": line.error,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                # Range keeps partition n of every topic with the same member, which joins across topics need.
                "partition.assignment.strategy": "range",
                "session.timeout.ms": 6_000,
                "heartbeat.interval.ms": 2_000,
                "fetch.wait.max.ms": 100,  # the embedded broker answers only when this is over
                "queued.min.messages": 1_000,
                "queued.max.messages.kbytes": 1_024,
            },
        )
        self.joined = False
        self.assigned = False
        self.lost_topic = False

    def join(self, topics: Iterable[str], forget: Callable[[], None]) -> None:
        """`forget` is called when partitions have been taken away."""

        def on_assign(_: Consumer, partitions: list[TopicPartition]) -> None:
            self.assigned = bool(partitions)

        def on_revoke(_: Consumer, __: list[TopicPartition]) -> None:
            self.commit(wait=True)
            on_lost(_, __)

        def on_lost(_: Consumer, __: list[TopicPartition]) -> None:
            self.assigned = False
            forget()

        self._consumer.subscribe(list(topics), on_assign=on_assign, on_revoke=on_revoke, on_lost=on_lost)
        self.joined = True

    def leave(self) -> None:
        self._consumer.unsubscribe()
        self.joined = False

    def poll(self, timeout: float, at_most: int = 200) -> Iterator[Message]:
        """The next records: the first within `timeout` seconds, and those that are there with it."""
        for _ in range(at_most):
            message = self._consumer.poll(timeout)
            if message is None:
                return
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                self.lost_topic = True
            else:
                self._line.error(error)
            timeout = 0.0

    def commit(self, *, wait: bool = False) -> None:
        offsets = [TopicPartition(topic, partition, offset) for (topic, partition), offset in self._take().items()]
        if not offsets:
            return
        try:
            if wait:
                self._consumer.commit(offsets=offsets, asynchronous=False)
            else:
                self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:  # what is not committed is read again, and does no harm
            log.debug("not committed: %s", error)

    def close(self) -> None:
        self._consumer.close()


class Tail:
    """Reads the latest words on a topic, and each one that follows, without a group."""

    def __init__(self, configuration: Settings, topic: str, line: Line) -> None:
        self._consumer = _client(
            Consumer,
            {
                **configuration,
                "error_cb": line.error,
                "group.id": "_demo.unused",  # demanded by the client; nothing is committed
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 500,
                "queued.min.messages": 100,
                "queued.max.messages.kbytes": 256,
            },
        )
        known = self._consumer.list_topics(topic, timeout=METADATA_TIMEOUT).topics[topic].partitions
        self._consumer.assign([TopicPartition(topic, partition, _TAIL) for partition in known])

    def read(self) -> Iterator[dict[str, Any]]:
        """The words that have arrived. What is not a JSON object is none."""
        while (message := self._consumer.poll(0)) is not None:
            if message.error() is None:
                try:
                    word = json.loads(message.value() or b"")
                except ValueError:
                    continue
                if isinstance(word, dict):
                    yield word

    def close(self) -> None:
        self._consumer.close()


def from_environment() -> Settings:
    return settings(os.environ)
