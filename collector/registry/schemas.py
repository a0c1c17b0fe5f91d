"""What a registry says of a schema → how to read what was written with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from collector.decoding import avro
from collector.decoding.content import Unreadable
from collector.decoding.framing import Framed
from collector.registry import protobuf

Reader = Callable[[Framed], tuple[Any, str]]
"""The document, and the kind of its schema. Raises `Unreadable`."""

AVRO, PROTOBUF, JSON = "AVRO", "PROTOBUF", "JSON"
_VALUE = "value"

_json = msgspec.json.Decoder()


class Described(msgspec.Struct, frozen=True):
    """A schema as the registry tells it: its text (of Protobuf: its descriptor in base64), and the schemas that it
    refers to, by the names it has for them, each before those that refer to it in turn."""

    kind: str
    text: str
    references: tuple[tuple[str, str], ...] = ()


def reader_of(schema: Described) -> Reader:
    """Raises `Unreadable` for a schema that cannot be used."""
    try:
        return _reader(schema)
    except Unreadable:
        raise
    except Exception as error:
        raise Unreadable("unusable schema", f"The schema cannot be used ({type(error).__name__}).") from error


def _reader(schema: Described) -> Reader:
    if schema.kind == AVRO:
        return _avro(schema)
    if schema.kind == PROTOBUF:
        return _protobuf(schema)
    if schema.kind == JSON:
        return _read_json
    raise Unreadable("unusable schema", f"The schema is of a kind that is not known here: {schema.kind[:40]}.")


def _avro(schema: Described) -> Reader:
    named: dict[str, Any] = {}
    for _, text in schema.references:
        avro.parse(_parsed(text), named)
    # a record of one field is written as the field alone; so any schema, a union of names say, can be a record's
    whole = {"type": "record", "name": "choreoscope_value", "fields": [{"name": _VALUE, "type": _parsed(schema.text)}]}
    parsed = avro.parse(whole, named)
    return lambda framed: (avro.read(parsed, framed.data)[_VALUE], "Avro")


def _parsed(text: str) -> Any:
    try:
        return _json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unreadable("unusable schema", "The schema is not JSON.") from error


def _protobuf(schema: Described) -> Reader:
    messages = protobuf.Messages(schema.text, schema.references)
    return lambda framed: (messages.read(framed), "Protobuf")


def _read_json(framed: Framed) -> tuple[Any, str]:
    try:
        return _json.decode(framed.data), "JSON Schema"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable("invalid JSON", f"It is not JSON: {error}.") from error
