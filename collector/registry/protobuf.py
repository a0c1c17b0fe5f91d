"""Protobuf messages without generated code: their descriptors come from the registry."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any

from confluent_kafka.schema_registry.confluent import meta_pb2
from confluent_kafka.schema_registry.confluent.type import decimal_pb2
from google.protobuf import (
    any_pb2,
    api_pb2,
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    json_format,
    message_factory,
    source_context_pb2,
    struct_pb2,
    timestamp_pb2,
    type_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor import Descriptor, FileDescriptor

from collector.decoding.content import Unreadable
from collector.decoding.framing import Framed

_DEEPEST = 100
_VARINT_BYTES = 10
_KNOWN = (
    any_pb2,
    source_context_pb2,
    type_pb2,
    api_pb2,
    descriptor_pb2,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
    meta_pb2,
    decimal_pb2,
)
"""What any schema may import without the registry's knowing."""


class Messages:
    """The messages of a schema, and how to read them. Raises `Unreadable`."""

    def __init__(self, descriptor: str, references: Iterable[tuple[str, str]]) -> None:
        self._pool = descriptor_pool.DescriptorPool()
        self._classes: dict[tuple[int, ...], Any] = {}
        try:
            for module in _KNOWN:
                self._pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
            for name, text in references:
                self._add(text, name)
            self._file: FileDescriptor = self._add(descriptor, "")
        except Exception as error:
            detail = f"The schema is no Protobuf descriptor that can be used ({type(error).__name__})."
            raise Unreadable("unusable schema", detail) from error

    def read(self, framed: Framed) -> Any:
        """The document in the shape of JSON: the names of fields as the schema has them, 64-bit numbers as text."""
        try:
            if framed.rest is None:
                indexes, at = _indexes(framed.data)
                data = framed.data[at:]
            else:
                indexes, _ = _indexes(framed.rest) if framed.rest else ((0,), 0)
                data = framed.data
            message = self._class(indexes)()
            message.ParseFromString(data)
            return json_format.MessageToDict(message, preserving_proto_field_name=True, descriptor_pool=self._pool)
        except Exception as error:
            detail = f"The data is not what its schema says ({type(error).__name__})."
            raise Unreadable("invalid data", detail) from error

    def _add(self, text: str, name: str) -> FileDescriptor:
        proto = descriptor_pb2.FileDescriptorProto()
        try:
            proto.ParseFromString(base64.b64decode(text, validate=True))
        except binascii.Error as error:
            raise ValueError("not in base64") from error
        if name:
            proto.name = name
        self._pool.AddSerializedFile(proto.SerializeToString())
        return self._pool.FindFileByName(proto.name)

    def _class(self, indexes: tuple[int, ...]) -> Any:
        found = self._classes.get(indexes)
        if found is None:
            found = self._classes[indexes] = message_factory.GetMessageClass(self._descriptor(indexes))
        return found

    def _descriptor(self, indexes: tuple[int, ...]) -> Descriptor:
        """The message by its index in the file, then within the message before."""
        names = list(self._file.message_types_by_name.values())
        found: Descriptor = names[indexes[0]]
        for index in indexes[1:]:
            found = found.nested_types[index]
        return found


def _indexes(data: bytes) -> tuple[tuple[int, ...], int]:
    """Which message it is, and where the rest begins: a count and so many indexes, all of them zigzag varints. A zero
    alone stands for the first message."""
    count, at = _varint(data, 0)
    if count == 0:
        return (0,), at
    if not 0 < count <= _DEEPEST:
        raise ValueError("no such message")
    indexes = []
    for _ in range(count):
        index, at = _varint(data, at)
        if index < 0:
            raise ValueError("no such message")
        indexes.append(index)
    return tuple(indexes), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(_VARINT_BYTES):
        byte = data[at + shift]
        value |= (byte & 0x7F) << (7 * shift)
        if not byte & 0x80:
            return (value >> 1) ^ -(value & 1), at + shift + 1
    raise ValueError("a number too long")
