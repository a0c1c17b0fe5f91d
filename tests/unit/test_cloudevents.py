"""CloudEvents by their specification: formats, required attributes, versions."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import fastavro
import pytest

from collector.decoding import Bundle, Event, Found, Undecodable, decode
from collector.decoding.decoder import MAX_BUNDLE
from collector.decoding.event import UNTYPED
from tests.builders import NOON, cloud_event, record

# https://github.com/cloudevents/spec/blob/main/cloudevents/formats/cloudevents.avsc, as its document prints it
AVRO = {
    "namespace": "io.cloudevents",
    "type": "record",
    "name": "CloudEvent",
    "version": "1.0",
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
                            "name": "CloudEventData",
                            "fields": [
                                {
                                    "name": "value",
                                    "type": {
                                        "type": "map",
                                        "values": [
                                            "null",
                                            "boolean",
                                            {"type": "map", "values": "CloudEventData"},
                                            {"type": "array", "items": "CloudEventData"},
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
                {"type": "array", "items": "CloudEventData"},
                "double",
                "string",
            ],
        },
    ],
}
ATTRIBUTES = {
    "specversion": "1.0",
    "id": "e1",
    "source": "/services/order",
    "type": "OrderPlaced",
    "time": "2026-11-20T12:00:00Z",
    "subject": "a subject",
    "correlationid": "order-1",
    "causationid": "e0",
    "sampledrate": 7,
}


def avro(attributes: dict[str, Any], data: object = None) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(AVRO), {"attribute": attributes, "data": data})
    return out.getvalue()


def announced(kind: str, value: bytes | None) -> Found:
    return decode(record(("Content-Type", f"application/cloudevents{kind}".encode()), value=value))


@pytest.mark.parametrize("data", [None, b"\x00\xff", {"total": 12.5}, "text", [{"value": {"a": "b"}}]])
@pytest.mark.parametrize("kind", ["+avro", "+AVRO; charset=binary"])
def test_the_avro_event_format(kind: str, data: object) -> None:
    found = announced(kind, avro(ATTRIBUTES, data))
    assert isinstance(found, Event), found
    assert (found.id, found.source, found.type, found.time) == ("e1", "/services/order", "OrderPlaced", NOON)
    assert (found.subject, found.transaction_ids, found.causes) == ("a subject", ("order-1",), ("e0",))
    assert (found.dialect, found.notes) == ("CloudEvents structured", ())


@pytest.mark.parametrize("value", [b"\x00", avro(ATTRIBUTES)[:-5], b"\x01" * 50, b"\x02\x04id" + b"\x04" * 100_000])
def test_avro_that_is_none(value: bytes) -> None:
    found = announced("+avro", value)
    assert isinstance(found, Undecodable)
    assert found.reason == "invalid data"


@pytest.mark.parametrize("kind", ["+xml", "+protobuf", "-batch+avro"])
def test_a_format_that_is_not_known_is_said(kind: str) -> None:
    found = announced(kind, b"<event/>")
    assert isinstance(found, Undecodable)
    assert found.reason == "event format"


@pytest.mark.parametrize(
    ("more", "notes"),
    [
        ({"specversion": "0.3"}, ("its version of CloudEvents is not 1.0",)),
        ({"data": 1, "data_base64": base64.b64encode(b"1").decode()}, ("both data and data_base64",)),
        ({"data_base64": "AA=="}, ()),
        ({"id": None}, ("no id: its coordinates stand for it",)),
        ({"source": ""}, ("no source: the topic stands for it",)),
        ({"type": " "}, ("no type",)),
    ],
)
def test_what_the_specification_does_not_allow_is_noted(more: dict[str, Any], notes: tuple[str, ...]) -> None:
    found = announced("+json", json.dumps(ATTRIBUTES | more).encode())
    assert isinstance(found, Event)
    assert found.notes == notes
    assert found.transaction_ids == ("order-1",)


def test_another_version_in_binary_mode_is_noted() -> None:
    headers = [(name, b"0.3" if name == "ce_specversion" else value) for name, value in cloud_event()]
    found = decode(record(*headers))
    assert isinstance(found, Event)
    assert found.notes == ("its version of CloudEvents is not 1.0",)


def test_a_batch_opens_into_its_events_in_their_order() -> None:
    parts = [ATTRIBUTES | {"id": f"e{number}", "correlationid": f"order-{number % 2}"} for number in range(3)]
    found = announced("-batch+json; charset=utf-8", json.dumps(parts).encode())
    assert isinstance(found, Bundle)
    events = [one for one in found.found if isinstance(one, Event)]
    assert len(events) == len(found.found) == 3
    assert [(one.id, one.position, one.transaction_ids) for one in events] == [
        ("e0", 0, ("order-0",)),
        ("e1", 1, ("order-1",)),
        ("e2", 2, ("order-0",)),
    ]


def test_a_batch_is_bounded_and_says_so() -> None:
    parts = [ATTRIBUTES | {"id": str(number)} for number in range(MAX_BUNDLE + 5)]
    found = announced("-batch+json", json.dumps(parts).encode())
    assert isinstance(found, Bundle)
    assert len(found.found) == MAX_BUNDLE + 1
    last = found.found[-1]
    assert isinstance(last, Undecodable)
    assert (last.reason, last.detail[:28]) == ("incomplete batch", "Of the 1005 parts of the bat")


@pytest.mark.parametrize("value", [b"[]", b"{}", b"7", b'"text"'])
def test_a_batch_without_events_is_kept(value: bytes) -> None:
    found = announced("-batch+json", value)
    assert isinstance(found, Undecodable)
    assert found.reason == "invalid value"


def test_a_part_of_a_batch_that_lacks_what_is_required_is_none() -> None:
    parts = [ATTRIBUTES, {name: value for name, value in ATTRIBUTES.items() if name != "type"}, None]
    found = announced("-batch+json", json.dumps(parts).encode())
    assert isinstance(found, Bundle)
    assert [type(one) for one in found.found] == [Event, Undecodable]
    assert UNTYPED not in [one.type for one in found.found if isinstance(one, Event)]


def test_a_content_type_without_end_announces_nothing() -> None:
    kind = b"application/cloudevents+json;" + b" " * 1_000
    found = decode(record(("content-type", kind), *cloud_event(), value=b"{}"))
    assert isinstance(found, Event)
    assert found.dialect == "CloudEvents binary"
