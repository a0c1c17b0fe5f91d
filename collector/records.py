"""A Kafka record as plain values, so that nothing but `collector.kafka` needs a Kafka client."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec


class TopicRef(msgspec.Struct, frozen=True):
    """A topic as it is known here: `row` is its id in the `Topic` table, `uid` Kafka's topic id (or its name)."""

    row: int
    cluster: str
    uid: str
    name: str


class Record(msgspec.Struct, frozen=True, gc=False):
    """What Kafka hands over. `timestamp` is None where the record carries none.

    `headers` keeps order and repetition; `headers_error` says why they could not be read, where they could not.
    """

    topic: TopicRef
    partition: int
    offset: int
    timestamp: datetime | None
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    headers_error: str = ""

    @property
    def coordinates(self) -> str:
        """The one name that this record has, anywhere and for ever: cluster id, topic id, partition, offset."""
        return f"{self.topic.cluster}/{self.topic.uid}/{self.partition}/{self.offset}"


Header = tuple[str, bytes | None]

_packed = msgspec.msgpack.Decoder(list[Header])


def pack_headers(headers: Sequence[Header]) -> bytes:
    """Headers as they are stored: MessagePack, a list of [name, value], nothing lost and nothing decoded."""
    return msgspec.msgpack.encode(headers)


def unpack_headers(stored: bytes) -> list[Header]:
    return _packed.decode(stored)
