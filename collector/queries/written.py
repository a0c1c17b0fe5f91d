"""What a stored value says that was written with a schema: pages show it instead of bytes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import msgspec
from django.conf import settings

from collector import registry
from collector.decoding.content import MAX_WRITTEN_BYTES, Schemas, Unreadable
from collector.decoding.framing import VALUE_SCHEMA, unframe
from collector.models import Payload
from collector.records import unpack_headers


@dataclass(frozen=True)
class Written:
    """`kind` of schema: Avro, Protobuf, JSON Schema. `content` is JSON."""

    kind: str
    content: bytes


def written(payload: Payload) -> Written | None:
    """None where it names no schema, was not stored whole, or cannot be read just now. No query; the registry may be
    asked, for a bounded time."""
    value = bytes(payload.value or b"")
    header = {name.lower(): content for name, content in unpack_headers(bytes(payload.headers))}.get(VALUE_SCHEMA)
    framed = unframe(value, header) if len(value) == payload.size <= MAX_WRITTEN_BYTES else None
    schemas = _schemas(tuple(sorted(dict(settings.SCHEMA_REGISTRY).items())))
    if framed is None or schemas is None:
        return None
    try:
        document, kind = schemas.read(framed)
        return Written(kind, msgspec.json.encode(document))
    except (Unreadable, msgspec.EncodeError, RecursionError, ValueError):
        return None


@lru_cache(maxsize=4)
def _schemas(properties: tuple[tuple[str, str], ...]) -> Schemas | None:
    try:
        return registry.connect(dict(properties))
    except registry.RegistryError:
        return None  # the collector refuses to start with it, and says why
