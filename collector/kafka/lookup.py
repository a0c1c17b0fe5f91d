"""Reading records at given places, apart from all collecting: nothing is committed, no group is joined."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from collector.kafka.failures import ABSENT, END, RELOCATE, is_final
from collector.kafka.places import Bounds, Place
from collector.kafka.source import record_of
from collector.records import Record, TopicRef

logger = logging.getLogger(__name__)

_AT_ONCE = 500
_WAIT = 0.2


def lookup(
    properties: Mapping[str, Any], wanted: Mapping[Place, Bounds], topics: Mapping[str, TopicRef], timeout: float
) -> Iterator[Record]:
    """The records within these bounds that are still there, as long as it does not take longer than `timeout` seconds.

    Raises KafkaFailure where the brokers refuse. What lies behind an open producer transaction is not read.
    """
    left = {place: bounds for place, bounds in wanted.items() if bounds.start < bounds.end}
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
        consumer.assign([TopicPartition(*place, bounds.start) for place, bounds in left.items()])
        while left and time.monotonic() < until:
            for message in consumer.consume(_AT_ONCE, _WAIT):
                place = (message.topic() or "", message.partition() or 0)
                failure, offset = message.error(), message.offset() or 0
                if failure is not None:
                    if is_final(failure):
                        raise KafkaException(failure)
                    if failure.code() in RELOCATE | ABSENT | {END}:
                        left.pop(place, None)
                elif place in left:
                    if offset < left[place].end:
                        yield record_of(message, topics[place[0]])
                    if offset + 1 >= left[place].end:
                        del left[place]
    finally:
        consumer.close()
