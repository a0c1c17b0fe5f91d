"""How a key or a value names the schema it was written with: the wire formats of Confluent's serialisers.

https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
"""

from __future__ import annotations

import uuid

import msgspec

KEY_SCHEMA = "__key_schema_id"
VALUE_SCHEMA = "__value_schema_id"

_BY_ID, _BY_GUID = 0, 1
_ID_BYTES, _GUID_BYTES = 4, 16


class SchemaRef(msgspec.Struct, frozen=True):
    """A schema by its number, or by its GUID."""

    number: int | None = None
    guid: str = ""

    def __str__(self) -> str:
        return f"schema {self.guid or self.number}"


class Framed(msgspec.Struct, frozen=True):
    """`data` as it was written with `schema`. What says which of a Protobuf schema's messages it is precedes it; but if
    a header named the schema, it is `rest`: what followed there."""

    schema: SchemaRef
    data: bytes
    rest: bytes | None = None


def unframe(data: bytes, header: bytes | None = None) -> Framed | None:
    """What was framed: by the header that names a schema, else by the first bytes. None where neither names one."""
    if header is not None and (named := _reference(header)) is not None:
        return Framed(named[0], data, header[named[1] :])
    if (named := _reference(data)) is not None:
        return Framed(named[0], data[named[1] :])
    return None


def _reference(data: bytes) -> tuple[SchemaRef, int] | None:
    """The schema that these bytes begin with, and how many of them name it."""
    kind = data[0] if data else None
    if kind == _BY_ID and len(data) > _ID_BYTES:
        return SchemaRef(int.from_bytes(data[1 : 1 + _ID_BYTES], "big")), 1 + _ID_BYTES
    if kind == _BY_GUID and len(data) > _GUID_BYTES:
        return SchemaRef(guid=str(uuid.UUID(bytes=data[1 : 1 + _GUID_BYTES]))), 1 + _GUID_BYTES
    return None
