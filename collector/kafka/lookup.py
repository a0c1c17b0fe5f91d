"""Reading records at given places, apart from all collecting: nothing is committed, no group is joined."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from collector.kafka.failures import ABSENT, END, RELOCATE, is_final
from collector.kafka.places import Bounds, Place
from collector.kafka.source import record_of
from collector.records import Record, TopicRef

logger = logging.getLogger(__name__)

_AT_ONCE = 500
_WAIT = 0.2
_NEAR = 1_000
"""Over so many records that nobody asked for it is quicker to read on than to look for the next place."""


def lookup(
    properties: Mapping[str, Any],
    wanted: Mapping[Place, Sequence[Bounds]],
    topics: Mapping[str, TopicRef],
    timeout: float,
) -> Iterator[Record]:
    """The records within these bounds, in order for each partition, that are still there; as long as it does not take
    longer than `timeout` seconds.

    Raises KafkaFailure where the brokers refuse. What lies behind an open producer transaction is not read.
    """
    left = {place: [one for one in bounds if one.start < one.end] for place, bounds in wanted.items()}
    left = {place: bounds for place, bounds in left.items() if bounds}
    if not left:
        return
    consumer = Consumer(
        {
            "max.partition.fetch.bytes": 131072,
            "queued.max.messages.kbytes": 16384,
            "fetch.wait.max.ms": 100,
            **properties,
            "group.id": f"choreoscope-lookup-{uuid.uuid4().hex}",  # the client asks for one; it is never joined
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        },
        logger=logger,
    )
    until = time.monotonic() + timeout
    try:
        consumer.assign([TopicPartition(*place, bounds[0].start) for place, bounds in left.items()])
        while left and time.monotonic() < until:
            for message in consumer.consume(_AT_ONCE, _WAIT):
                place = (message.topic() or "", message.partition() or 0)
                failure, offset = message.error(), message.offset() or 0
                if place not in left:
                    continue
                if failure is None:
                    if left[place][0].start <= offset < left[place][0].end:
                        yield record_of(message, topics[place[0]], place[1], offset)[0]
                    _pass(consumer, left, place, offset)
                elif is_final(failure):
                    raise KafkaException(failure)
                elif failure.code() in RELOCATE:
                    _pass(consumer, left, place, left[place][0].end)
                elif failure.code() in ABSENT | {END}:
                    del left[place]
    finally:
        consumer.close()


def _pass(consumer: Consumer, left: dict[Place, list[Bounds]], place: Place, offset: int) -> None:
    """Goes on with what is wanted beyond this offset."""
    before = left[place]
    left[place] = after = [bounds for bounds in before if bounds.end > offset + 1]
    if not after:
        del left[place]
    elif after[0] is not before[0] and after[0].start > offset + _NEAR:
        consumer.seek(TopicPartition(*place, after[0].start))
