"""A record as paths see it: headers by name, key and value as documents that are parsed only when asked for.

The one place that answers what lies in a header, in the key or in the value, whoever asks: dialects, or the rules of
the configuration. A document has the shape of JSON (objects, arrays, text, numbers, booleans, null), whether it was
written as JSON or with a schema from a registry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from collector.decoding import framing
from collector.records import Header, Record

MAX_HEADERS = 200
MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_WRITTEN_BYTES = 1024 * 1024
"""The same for what was written with a schema: two bytes of it can stand for an object, which takes its time. Unless it
is told otherwise, Kafka takes no more."""

_json = msgspec.json.Decoder()
_OPENING = (b"{", b"[", b'"')


class Problem(msgspec.Struct, frozen=True):
    """Why a key or value could not be read. `passing`: reading it again later may go better (a registry was away)."""

    reason: str
    detail: str
    passing: bool = False


class Unreadable(Exception):
    """A schema, or what was written with it, could not be read."""

    def __init__(self, reason: str, detail: str, *, passing: bool = False) -> None:
        super().__init__(detail)
        self.problem = Problem(reason, detail, passing)


class Schemas(Protocol):
    """Where schemas come from: a registry."""

    def read(self, framed: framing.Framed) -> tuple[Any, str]:
        """The document that was written with this schema, and the schema's kind ("Avro", "Protobuf", "JSON Schema").

        Raises `Unreadable`, and nothing else; answers within a bounded time.
        """


class Body(msgspec.Struct, frozen=True):
    """A key or a value. `form`: JSON, text, Avro, Protobuf, JSON Schema; or empty, where there is nothing (null or no
    bytes) or a `problem`; then `document` is None."""

    document: Any = None
    form: str = ""
    problem: Problem | None = None


NOTHING = Body()


class Content:
    """What a record holds; `listed` are its headers as they came."""

    __slots__ = ("_headers", "_key", "_schemas", "_value", "listed", "record")

    def __init__(
        self,
        record: Record,
        schemas: Schemas | None = None,
        key: Body | None = None,
        value: Body | None = None,
        headers: Sequence[Header] | None = None,
    ) -> None:
        """`key`, `value` and `headers` where they are known already."""
        self.record = record
        self.listed = record.headers if headers is None else headers
        self._headers: Mapping[str, bytes | None] | None = None
        self._schemas = schemas
        self._key, self._value = key, value

    @property
    def headers(self) -> Mapping[str, bytes | None]:
        """By lower-case name; the last of several counts."""
        if self._headers is None:
            self._headers = {name.lower(): value for name, value in self.listed[:MAX_HEADERS]}
        return self._headers

    @property
    def irregular(self) -> bool:
        """Whether a header came twice, or some beyond the bound were left out."""
        return len(self.headers) != len(self.listed)

    def header_values(self, name: str) -> list[bytes]:
        """All values of a header that comes several times, in order; without regard to case, null ones left out."""
        wanted = name.lower()
        return [value for known, value in self.listed[:MAX_HEADERS] if known.lower() == wanted and value]

    @property
    def key(self) -> Body:
        if self._key is None:
            self._key = _body(self.record.key, self.headers.get(framing.KEY_SCHEMA), self._schemas)
        return self._key

    @property
    def value(self) -> Body:
        if self._value is None:
            self._value = _body(self.record.value, self.headers.get(framing.VALUE_SCHEMA), self._schemas)
        return self._value

    @property
    def waiting(self) -> Problem | None:
        """What reading it again later may cure, of what was looked at: a schema that could not be had."""
        for body in (self._value, self._key):
            if body is not None and body.problem is not None and body.problem.passing:
                return body.problem
        return None

    def part(self, document: Any) -> Content:
        """The same record with one of the documents of its value in the value's place: an event of a batch."""
        return Content(self.record, self._schemas, self._key, Body(document, self.value.form))

    def replaced(self, record: Record, key: Body | None, value: Body | None) -> Content:
        """Another record in this one's place, with these documents where they differ: what redaction leaves of it."""
        return Content(record, self._schemas, key or self._key, value or self._value)


def too_long(data: bytes) -> Problem:
    return Problem("too long", f"It is {len(data)} bytes long and is not looked into.")


def _body(data: bytes | None, schema: bytes | None, schemas: Schemas | None) -> Body:
    if not data:
        return NOTHING
    if len(data) > MAX_BODY_BYTES:
        return Body(problem=too_long(data))
    framed = framing.unframe(data, schema)
    return _plain(data) if framed is None else _written(framed, schemas)


def _written(framed: framing.Framed, schemas: Schemas | None) -> Body:
    """What was written with a schema."""
    if len(framed.data) > MAX_WRITTEN_BYTES:
        return Body(problem=too_long(framed.data))
    if schemas is None:
        return Body(problem=Problem("no schema registry", f"It needs {framed.schema}: set SCHEMA_REGISTRY_URL."))
    try:
        return Body(*schemas.read(framed))
    except Unreadable as unreadable:
        return Body(problem=unreadable.problem)


def _plain(data: bytes) -> Body:
    """JSON, where it looks like that; else text."""
    if data[:64].lstrip()[:1] in _OPENING:
        try:
            return Body(_json.decode(data), "JSON")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return Body(problem=Problem("invalid JSON", f"It is not JSON: {error}."))
    try:
        return Body(data.decode(), "text")
    except UnicodeDecodeError:
        return Body(problem=Problem("unknown format", "It is neither JSON nor text, and no schema is named for it."))
