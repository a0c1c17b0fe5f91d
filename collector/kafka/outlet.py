"""Publishing a few events, and knowing of each whether the brokers have it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from confluent_kafka import KafkaError, Message, Producer

from collector.kafka.failures import PASSING

logger = logging.getLogger(__name__)


class Letter(msgspec.Struct, frozen=True):
    """A record to be."""

    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


class Sent(msgspec.Struct):
    """What became of letters, by their positions: `acknowledged` by the brokers, or `refused` for good. The others may
    or may not have arrived."""

    acknowledged: set[int] = msgspec.field(default_factory=set)
    refused: dict[int, str] = msgspec.field(default_factory=dict)


class Outlet:
    """A producer that never gives an event twice to the brokers by itself."""

    def __init__(self, properties: Mapping[str, Any]) -> None:
        self._producer = Producer(
            {
                **properties,
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": 10_000,
                "partitioner": "murmur2_random",  # as Java's clients do
            },
            logger=logger,
        )

    def send(self, topic: str, letters: Sequence[Letter], timeout: float) -> Sent:
        """Publishes them in this order, and waits up to `timeout` seconds for the brokers to say so."""
        sent = Sent()
        for position, letter in enumerate(letters):
            told = partial(_told, sent, position)
            try:
                self._producer.produce(topic, letter.value, letter.key, headers=list(letter.headers), on_delivery=told)
            except BufferError:
                break
        self._producer.flush(timeout)
        self._producer.purge(
            in_flight=False
        )  # what waited in vain is tried again by the next call, not behind its back
        self._producer.poll(0)
        return sent


def _told(sent: Sent, position: int, error: KafkaError | None, _: Message) -> None:
    if error is None:
        sent.acknowledged.add(position)
    elif error.code() in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD):
        sent.refused[position] = error.str()
    elif error.code() not in PASSING:
        logger.warning("an event could not be published: %s", error.str())
