"""CloudEvents in structured mode: which format a content type announces, and the event's members out of its value.

https://github.com/cloudevents/spec, version 1.0: JSON and Avro event formats, and batches of the former.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Any

from collector.decoding import avro
from collector.decoding.content import MAX_WRITTEN_BYTES, Body, Content, Problem, Unreadable, too_long

VERSION = b"1.0"
OTHER_VERSION = "its version of CloudEvents is not 1.0"
_STRUCTURED = b"application/cloudevents"
_BATCH = b"application/cloudevents-batch"

_VALUE = "CloudEventData"
_SCHEMA = avro.parse(
    {
        "type": "record",
        "name": "CloudEvent",
        "fields": [
            {"name": "attribute", "type": {"type": "map", "values": ["null", "boolean", "int", "string", "bytes"]}},
            {
                "name": "data",
                "type": [
                    "bytes",
                    "null",
                    "boolean",
                    {
                        "type": "map",
                        "values": [
                            "null",
                            "boolean",
                            {
                                "type": "record",
                                "name": _VALUE,
                                "fields": [
                                    {
                                        "name": "value",
                                        "type": {
                                            "type": "map",
                                            "values": [
                                                "null",
                                                "boolean",
                                                {"type": "map", "values": _VALUE},
                                                {"type": "array", "items": _VALUE},
                                                "double",
                                                "string",
                                            ],
                                        },
                                    }
                                ],
                            },
                            "double",
                            "string",
                        ],
                    },
                    {"type": "array", "items": _VALUE},
                    "double",
                    "string",
                ],
            },
        ],
    }
)


class Form(Enum):
    JSON = "JSON"
    AVRO = "Avro"
    BATCH = "JSON batch"
    UNKNOWN = "unknown"


@lru_cache(maxsize=256)
def form_of(content_type: bytes) -> Form | None:
    """The event format that a content type announces, whatever its case; None: no structured CloudEvent."""
    kind = content_type.split(b";")[0].strip().lower()
    if not kind.startswith(_STRUCTURED):
        return None
    batch = kind.startswith(_BATCH)
    name = kind.removeprefix(_BATCH if batch else _STRUCTURED)
    if name in (b"", b"+json"):
        return Form.BATCH if batch else Form.JSON
    return Form.AVRO if name == b"+avro" and not batch else Form.UNKNOWN


def body_of(content: Content, form: Form) -> Body:
    """The document of the event, or of the batch."""
    if not content.record.value:
        return Body(problem=Problem("invalid value", "A structured CloudEvent was announced, but there is none."))
    if form is Form.UNKNOWN:
        return Body(problem=Problem("event format", "It is a CloudEvent in another format than JSON or Avro."))
    if form is Form.AVRO and not isinstance(content.value.document, dict):
        return _avro(content.record.value)
    return content.value


def _avro(data: bytes) -> Body:
    if len(data) > MAX_WRITTEN_BYTES:
        return Body(problem=too_long(data))
    try:
        document = avro.read(_SCHEMA, data)
    except Unreadable as unreadable:
        return Body(problem=unreadable.problem)
    return Body({**document["attribute"], "data": document["data"]}, "Avro")


def check(document: Mapping[str, Any], notes: list[str]) -> None:
    """Notes what the specification does not allow in a structured event, though it can be read."""
    if document.get("specversion", "1.0") != "1.0":
        notes.append(OTHER_VERSION)
    if "data" in document and "data_base64" in document:
        notes.append("both data and data_base64")
