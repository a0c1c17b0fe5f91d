"""Reading records, as a member of a consumer group."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from collector.health.logs import fields
from collector.kafka.failures import END, FORBIDDEN, PASSING, RELOCATE, explain, is_final, truncated_at
from collector.kafka.places import EPOCH, Place, Span, Start
from collector.records import NO_HEADERS, Header, Record, TopicRef, pack_headers

logger = logging.getLogger(__name__)

LEAVING = 5.0
"""Seconds that the brokers have to answer when we leave the group; the client itself would wait for a minute."""
GATHERING = 0.04
"""Seconds that the first record waits for others: a batch of a few costs nearly as much as one of hundreds."""
_LATEST_MILLIS = int(timedelta(days=365 * 400) / timedelta(milliseconds=1))


class Source:
    """Reads records of all wanted topics as a member of a consumer group, from positions it is given.

    Newly assigned partitions stand still, in `unlocated`, until `start` names their position. Of those in `truncated`,
    the brokers said from which offset on the log is another one than was read; those of topics in `forbidden` they do
    not let us read, since when. `rebalances` counts how often partitions came or went. Not thread-safe; callbacks run
    inside `poll`.
    """

    def __init__(
        self, properties: Mapping[str, Any], group: str, include: Iterable[str], wanted: Callable[[str], bool]
    ) -> None:
        self.group = group
        self.unlocated: set[Place] = set()
        self.truncated: dict[Place, int] = {}
        self.forbidden: dict[str, datetime] = {}
        self._last: dict[Place, tuple[int, int]] = {}
        self.rebalances = 0
        self._said: set[str] = set()
        self._resting: Set[Place] = frozenset()
        self._refusal: KafkaError | None = None
        self._wanted = wanted
        self._positions: dict[Place, int] = {}
        self._topics: dict[str, TopicRef] = {}
        self._consumer = Consumer(
            {
                "topic.metadata.refresh.interval.ms": 1000,
                "metadata.max.age.ms": 10000,
                "fetch.wait.max.ms": 100,
                # small pieces of many partitions, not large ones of a few: a transaction's events come in one batch
                "max.partition.fetch.bytes": 65536,
                "queued.max.messages.kbytes": 1024,
                "fetch.queue.backoff.ms": 10,
                "session.timeout.ms": 10000,
                "max.poll.interval.ms": 300000,
                **properties,
                "error_cb": self._told,
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
    def partitions(self) -> int:
        """How many partitions are being read; from whichever thread."""
        return len(self._positions)

    @property
    def topics(self) -> dict[str, TopicRef]:
        """The topics that are being read, by name."""
        return {name: self._topics[name] for name in {name for name, _ in self._positions}}

    @property
    def remaining(self) -> dict[Place, int]:
        """How many offsets lie before the end of each partition that is being read, as far as the brokers said when
        they last sent something."""
        found = {}
        for place, position in self._positions.items():
            end = self._consumer.get_watermark_offsets(TopicPartition(*place), cached=True)[1]
            found[place] = max(0, end - position)
        return found

    def rest(self, places: Set[Place]) -> None:
        """Lets these partitions rest, and wakes those that rested until now: the others are read meanwhile."""
        places = places & self._positions.keys()
        if tired := places - self._resting:
            self._consumer.pause([TopicPartition(*place) for place in tired])
        if rested := self._resting - places:
            self._consumer.resume([TopicPartition(*place) for place in rested])
        self._resting = places

    def start(self, positions: Mapping[Place, Start]) -> None:
        """Begins, or begins again, to read these partitions at these offsets."""
        if not positions:
            return
        assigned = {(p.topic, p.partition) for p in self._consumer.assignment()}
        positions = {place: at for place, at in positions.items() if place in assigned}
        if positions:
            # giving the partition up and taking it again, since a seek is refused before the first fetch
            self._consumer.incremental_unassign([TopicPartition(*place) for place in positions])
            self._consumer.incremental_assign(
                [TopicPartition(*place, at.last[0] if at.last else at.offset) for place, at in positions.items()]
            )
            self._consumer.resume([TopicPartition(*place) for place in positions])
        for place, at in positions.items():
            self._topics[place[0]] = at.topic
            self._positions[place] = at.offset
            if at.last:
                self._last[place] = at.last
            self.truncated.pop(place, None)
        self.unlocated -= positions.keys()

    def hold(self, places: Iterable[Place]) -> None:
        """Stops reading these partitions until they are started again."""
        for place in places:
            if self._positions.pop(place, None) is not None:
                self._consumer.pause([TopicPartition(*place)])
                self.unlocated.add(place)
                self._resting -= {place}

    def poll(self, limit: int, timeout: float) -> list[Span]:
        """Up to `limit` records, by partition; waits at most `timeout` seconds for the first."""
        spans: dict[Place, Span] = {}
        messages = self._consumer.consume(1, timeout)
        if messages and limit > 1:  # asked for many at once, the client would wait for all of them
            messages += self._consumer.consume(limit - 1, GATHERING)
        for message in messages:
            self._take(message, spans)
        if self._refusal is not None:
            raise KafkaException(self._refusal)
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
        """Leaves the group in good order; without a word where Kafka does not answer."""
        leaving = threading.Thread(target=self._consumer.close, name="leave", daemon=True)
        leaving.start()
        leaving.join(LEAVING)

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
            self._resting -= {(partition.topic, partition.partition)}
            self.unlocated.discard((partition.topic, partition.partition))
            self.truncated.pop((partition.topic, partition.partition), None)
            self.forbidden.pop(partition.topic, None)

    def _take(self, message: Message, spans: dict[Place, Span]) -> None:
        place = (message.topic() or "", message.partition() or 0)
        failure, offset = message.error(), message.offset()
        if failure is not None:
            self._take_word(failure, place, offset, spans)
            return
        if self.forbidden:
            self.forbidden.pop(place[0], None)
        position = self._positions.get(place)
        if position is None or offset is None:
            return
        if offset < position:
            self._compare(place, offset, message.leader_epoch())
            return
        if (span := spans.get(place)) is None:
            span = spans[place] = Span(self._topics[place[0]], place[1], position, position, [])
        record, headers = record_of(message, span.topic, place[1], offset)
        span.records.append(record)
        span.headers.append(headers)
        span.next_offset = offset + 1

    def _take_word(self, failure: KafkaError, place: Place, offset: int | None, spans: dict[Place, Span]) -> None:
        """What the client says of a partition in a record's place: that something failed, or that this is its end.
        Offsets before that no record had were transaction markers."""
        if failure.code() != END:
            self._failed(failure, place, offset)
            return
        if self.forbidden:
            self.forbidden.pop(place[0], None)
        position, span = self._positions.get(place), spans.get(place)
        if position is None or offset is None:
            return
        if offset > position or (span is not None and offset > span.next_offset):
            span = spans.setdefault(place, Span(self._topics[place[0]], place[1], position, position, []))
            span.next_offset = max(span.next_offset, offset)

    def _compare(self, place: Place, offset: int, leader_epoch: int | None) -> None:
        """What comes before the position was asked for to see whether the log is still the one that was read: one that
        lost its end is written on by another leader, and has other records in the places of those it lost."""
        known = self._last.pop(place, None)
        if known is None or known[0] != offset or leader_epoch in {None, known[1]}:
            return
        where = fields(topic=place[0], partition=place[1])
        logger.warning("the log is another one than was read; looking for where to go on", extra=where)
        self.truncated[place] = offset
        self.hold([place])

    def _failed(self, failure: KafkaError, place: Place, offset: int | None) -> None:
        where = fields(topic=place[0], partition=place[1])
        if failure.code() in RELOCATE:
            logger.warning("%s; looking for where to go on", failure.str(), extra=where)
            if (truncated := truncated_at(failure, offset or 0)) is not None:
                self.truncated[place] = truncated
            self.hold([place])
        elif is_final(failure):
            raise KafkaException(failure)
        if failure.code() == FORBIDDEN:
            self.forbidden.setdefault(place[0], datetime.now(UTC))
        if failure.code() not in PASSING and (said := explain(failure)) not in self._said:
            # the client goes on trying by itself, and the other partitions go on
            self._said.add(said)
            logger.warning("%s", said, extra=where)

    def _told(self, error: KafkaError) -> None:
        """What the client says on the side, within `poll`: that it may not log in, say."""
        if is_final(error):
            self._refusal = error


def record_of(message: Message, topic: TopicRef, partition: int, offset: int) -> tuple[Record, Sequence[Header]]:
    """What the client hands over, as plain values; and its headers as they came, for whoever decodes it at once."""
    kind, millis = message.timestamp()
    headers: Sequence[Header] = ()
    headers_error = ""
    try:
        headers = cast("list[Header]", message.headers() or ())
    except UnicodeDecodeError:
        headers_error = "A header's name is not UTF-8."
    record = Record(
        topic,
        partition,
        offset,
        _moment(millis) if kind else None,
        message.key(),
        message.value(),
        pack_headers(headers) if headers else NO_HEADERS,
        headers_error,
        -1 if (epoch := message.leader_epoch()) is None else epoch,
    )
    return record, headers


@lru_cache(maxsize=1_024)
def _moment(millis: int) -> datetime | None:
    """A record's timestamp; None where it is none. Where much comes, many have the same."""
    return EPOCH + timedelta(milliseconds=millis) if 0 <= millis < _LATEST_MILLIS else None
