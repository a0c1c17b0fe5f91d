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


Header = tuple[str, bytes | None]

_headers = msgspec.msgpack.Decoder(list[Header])


def pack_headers(headers: Sequence[Header]) -> bytes:
    """Headers as they are kept and stored: MessagePack, a list of [name, value], nothing lost and nothing decoded."""
    return msgspec.msgpack.encode(headers)


def unpack_headers(packed: bytes) -> list[Header]:
    return _headers.decode(packed)


NO_HEADERS = pack_headers([])


class Record(msgspec.Struct, frozen=True, gc=False):
    """What Kafka hands over. `timestamp` is None where the record carries none.

    `packed_headers` keeps order and repetition, in one object, since thousands of records wait in memory at a time;
    `headers_error` says why they could not be read, where they could not. `leader_epoch` tells by which leader of its
    partition it was written; -1 where no broker said it. `withheld`: key, headers and value are not to be stored.
    """

    topic: TopicRef
    partition: int
    offset: int
    timestamp: datetime | None
    key: bytes | None
    value: bytes | None
    packed_headers: bytes = NO_HEADERS
    headers_error: str = ""
    leader_epoch: int = -1
    withheld: bool = False

    @property
    def headers(self) -> list[Header]:
        return unpack_headers(self.packed_headers)

    @property
    def coordinates(self) -> str:
        """The one name that this record has, anywhere and for ever: cluster id, topic id, partition, offset."""
        return f"{self.topic.cluster}/{self.topic.uid}/{self.partition}/{self.offset}"
