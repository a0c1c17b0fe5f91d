"""Avro's binary encoding, from senders that nobody vouches for: a few bytes must not end a process, or hold it up."""

from __future__ import annotations

import io
from typing import Any

import fastavro
import msgspec
from fastavro import _read_py as guarded_reader

from collector.decoding.content import Unreadable

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})


class Schema(msgspec.Struct, frozen=True):
    """`recursive`: a type holds itself, so that data may be nested as deep as its sender likes."""

    parsed: Any
    recursive: bool


def parse(schema: Any, named: dict[str, Any] | None = None) -> Schema:
    """`named`: schemas that it refers to, by name; its own are added. Raises `Unreadable` for what is no schema, and
    for one by which data without end can be written in a few bytes: a list of nothings."""
    known: dict[str, Any] = {} if named is None else named
    try:
        parsed = fastavro.parse_schema(schema, named_schemas=known)
        survey = _Survey(known)
        survey.may_be_empty(parsed, ())
    except Unreadable:
        raise
    except Exception as error:
        raise Unreadable("unusable schema", f"The schema is no Avro schema ({type(error).__name__}).") from error
    return Schema(parsed, survey.recursive)


def read(schema: Schema, data: bytes) -> Any:
    """The document, in the shape of JSON: bytes in base64, moments and decimals as text. Raises `Unreadable`.

    The fast reader knows no bound of depth, and would end the process; the other one stops in time.
    """
    reader = guarded_reader.schemaless_reader if schema.recursive else fastavro.schemaless_reader
    try:
        return msgspec.to_builtins(reader(io.BytesIO(data), schema.parsed, None), str_keys=True)
    except Exception as error:
        detail = f"The data is not what its schema says ({type(error).__name__})."
        raise Unreadable("invalid data", detail) from error


class _Survey:
    """Looks through a schema once: for types that hold themselves, and lists whose elements take no room."""

    def __init__(self, named: dict[str, Any]) -> None:
        self.recursive = False
        self._named = named
        self._known: dict[str, bool] = {}

    def may_be_empty(self, schema: Any, within: tuple[str, ...]) -> bool:
        """Whether it can be written in no bytes."""
        if isinstance(schema, str):
            return schema == "null" if schema in PRIMITIVES else self._type(schema, within)
        if isinstance(schema, list):
            for branch in schema:
                self.may_be_empty(branch, within)
            return False
        kind = schema["type"]
        if kind in ("record", "error"):
            within = (*within, schema["name"])
            empty = [self.may_be_empty(field["type"], within) for field in schema["fields"]]  # looks into each
            self._known[schema["name"]] = all(empty)
            return all(empty)
        if kind in ("array", "map"):
            if self.may_be_empty(schema["items" if kind == "array" else "values"], within) and kind == "array":
                raise Unreadable("unusable schema", "The schema has a list whose elements take no room.")
            return False
        return self._leaf(kind, schema, within)

    def _leaf(self, kind: Any, schema: dict[str, Any], within: tuple[str, ...]) -> bool:
        if kind == "fixed":
            return bool(schema["size"] == 0)
        return False if kind == "enum" else self.may_be_empty(kind, within)

    def _type(self, name: str, within: tuple[str, ...]) -> bool:
        if name in within:
            self.recursive = True
            return False
        if name not in self._known:
            self._known[name] = self.may_be_empty(self._named[name], within)
        return self._known[name]
