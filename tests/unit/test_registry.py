"""Schemas from a registry that speaks HTTP: what was written with them is read, and no trouble lasts or spreads."""

from __future__ import annotations

import base64
import io
import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import fastavro
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.common.serde import SchemaId
from confluent_kafka.serialization import MessageField, SerializationContext
from django.core.management.base import CommandError
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from pytest_django import Settings

from collector.config import parse
from collector.decoding import Event, Undecodable, configured, decode
from collector.decoding.content import Content, Schemas
from collector.management.commands.collect import Command
from collector.registry import RegistryError, client, connect
from tests.builders import cloud_event, record
from tests.stack import registry as stack

ORDER = {
    "type": "record",
    "name": "Order",
    "namespace": "shop",
    "fields": [
        {"name": "number", "type": "string"},
        {"name": "placed", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "total", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "token", "type": "bytes"},
        {"name": "lines", "type": {"type": "array", "items": {"type": "map", "values": ["null", "int"]}}},
    ],
}
PLACED = datetime(2026, 11, 20, 12, tzinfo=UTC)
WRITTEN = {
    "number": "o-1",
    "placed": PLACED,
    "total": Decimal("12.50"),
    "token": b"\x00\xff",
    "lines": [{"a": 1, "b": None}],
}
READ = {
    "number": "o-1",
    "placed": "2026-11-20T12:00:00Z",
    "total": "12.50",
    "token": "AP8=",
    "lines": [{"a": 1, "b": None}],
}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def registry() -> Iterator[stack.Registry]:
    with stack.running() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def schemas(registry: stack.Registry, clock: Clock) -> client.Registry:
    return client.Registry({"url": registry.url}, clock)


def avro(schema: Any, value: object, number: int) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return b"\x00" + number.to_bytes(4, "big") + out.getvalue()


def document(value: bytes | None, schemas: Schemas, *headers: tuple[str, bytes]) -> Any:
    body = Content(record(*headers, value=value), schemas).value
    assert body.problem is None, body.problem
    return body.document


def problem(value: bytes, schemas: Schemas) -> tuple[str, bool]:
    found = Content(record(value=value), schemas).value.problem
    assert found is not None
    return found.reason, found.passing


def test_avro_is_read_like_json(registry: stack.Registry, schemas: client.Registry) -> None:
    number = registry.register(ORDER)["id"]
    assert document(avro(ORDER, WRITTEN, number), schemas) == READ
    assert document(avro(ORDER, WRITTEN, number), schemas) == READ
    assert registry.asked == [f"/schemas/ids/{number}"], "once for each schema"


@pytest.mark.parametrize("in_headers", [False, True])
def test_what_confluents_serialiser_writes_is_read(
    registry: stack.Registry, schemas: client.Registry, in_headers: bool
) -> None:
    with SchemaRegistryClient({"url": registry.url}) as theirs:
        conf: dict[str, Any] = {"schema.id.serializer": header_schema_id_serializer} if in_headers else {}
        write = AvroSerializer(theirs, Schema(json.dumps(ORDER)), conf=conf)
        context = SerializationContext("orders", MessageField.VALUE, headers={} if in_headers else None)
        value = write(WRITTEN, context)
    assert isinstance(value, bytes)
    assert (value[0] == 0) is not in_headers
    headers = [(name, bytes(found)) for name, found in dict(context.headers or {}).items()]
    assert [name for name, _ in headers] == (["__value_schema_id"] if in_headers else [])
    assert document(value, schemas, *headers) == READ


def test_a_guid_names_a_schema_as_well(registry: stack.Registry, schemas: client.Registry) -> None:
    found = registry.register(ORDER)
    framed = SchemaId("AVRO", guid=found["guid"]).guid_to_bytes() + avro(ORDER, WRITTEN, 0)[5:]
    assert document(framed, schemas) == READ
    assert registry.asked == [f"/schemas/guids/{found['guid']}"]


def test_avro_schemas_that_refer_to_others(registry: stack.Registry, schemas: client.Registry) -> None:
    line = {"type": "record", "name": "Line", "namespace": "shop", "fields": [{"name": "sku", "type": "string"}]}
    lines = {"type": "record", "name": "Lines", "namespace": "shop", "fields": [{"name": "first", "type": "shop.Line"}]}
    registry.register(line, subject="line")
    to_line = {"name": "shop.Line", "subject": "line", "version": 1}
    registry.register(lines, subject="lines", references=[to_line])
    to_lines = {"name": "shop.Lines", "subject": "lines", "version": 1}
    either = registry.register(["shop.Line", "shop.Lines"], references=[to_lines, to_line])
    whole = [line, {**lines, "fields": [{"name": "first", "type": "shop.Line"}]}]
    value = ("shop.Lines", {"first": {"sku": "a"}})
    assert document(avro(whole, value, either["id"]), schemas) == {"first": {"sku": "a"}}
    assert document(avro(whole, ("shop.Line", {"sku": "b"}), either["id"]), schemas) == {"sku": "b"}


def shop_proto() -> descriptor_pb2.FileDescriptorProto:
    """message Order { string number = 1; int64 cents = 2; message Line { string sku = 1; } repeated Line lines = 3; }
    message Refund { Order order = 1; common.Reason reason = 2; }"""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="shop.proto", package="shop", syntax="proto3")
    file.dependency.append("common.proto")
    order = file.message_type.add(name="Order")
    order.field.add(name="number", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    order.field.add(name="total_cents", number=2, type=field.TYPE_INT64, label=field.LABEL_OPTIONAL)
    order.nested_type.add(name="Line").field.add(
        name="sku", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL
    )
    order.field.add(
        name="lines", number=3, type=field.TYPE_MESSAGE, label=field.LABEL_REPEATED, type_name=".shop.Order.Line"
    )
    refund = file.message_type.add(name="Refund")
    refund.field.add(
        name="order", number=1, type=field.TYPE_MESSAGE, label=field.LABEL_OPTIONAL, type_name=".shop.Order"
    )
    refund.field.add(
        name="reason", number=2, type=field.TYPE_ENUM, label=field.LABEL_OPTIONAL, type_name=".common.Reason"
    )
    return file


def common_proto() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="common.proto", package="common", syntax="proto3")
    reason = file.enum_type.add(name="Reason")
    for number, name in enumerate(("UNKNOWN", "BROKEN")):
        reason.value.add(name=name, number=number)
    return file


def serialised(file: descriptor_pb2.FileDescriptorProto) -> str:
    return base64.b64encode(file.SerializeToString()).decode()


@pytest.fixture
def shop(registry: stack.Registry) -> dict[str, Any]:
    registry.register(serialised(common_proto()), "PROTOBUF", subject="common")
    reference = {"name": "common.proto", "subject": "common", "version": 1}
    found = registry.register(serialised(shop_proto()), "PROTOBUF", references=[reference])
    registry.texts[found["id"]] = 'syntax = "proto3"; package shop; …'
    return found


@pytest.mark.parametrize(
    ("indexes", "name", "fields", "read"),
    [
        ([0], "Order", {"number": "o-1", "total_cents": 1250}, {"number": "o-1", "total_cents": "1250"}),
        ([1], "Refund", {"order": {"number": "o-1"}, "reason": 1}, {"order": {"number": "o-1"}, "reason": "BROKEN"}),
        ([0, 0], "Order.Line", {"sku": "a"}, {"sku": "a"}),
    ],
)
@pytest.mark.parametrize("in_header", [False, True])
def test_protobuf_is_read_like_json(
    shop: dict[str, Any],
    schemas: client.Registry,
    indexes: list[int],
    name: str,
    fields: dict[str, Any],
    read: dict[str, Any],
    in_header: bool,
) -> None:
    pool = descriptor_pool.DescriptorPool()
    pool.Add(common_proto())
    pool.Add(shop_proto())
    data = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"shop.{name}"))(**fields).SerializeToString()
    known = SchemaId("PROTOBUF", shop["id"], guid=shop["guid"], message_indexes=indexes)
    if in_header:
        assert document(data, schemas, ("__value_schema_id", known.guid_to_bytes())) == read
    else:
        assert document(known.id_to_bytes() + data, schemas) == read


def test_one_zero_stands_for_the_first_message(shop: dict[str, Any], schemas: client.Registry) -> None:
    framed = b"\x00" + shop["id"].to_bytes(4, "big") + b"\x00" + b"\x0a\x03o-1"
    assert document(framed, schemas) == {"number": "o-1"}


@pytest.mark.parametrize("data", [b"", b"\x02", b"\x02\x0e", b"\x01", b"\xff" * 20, b"\x00\xff\xff", b"\x02\x01"])
def test_protobuf_that_is_none(shop: dict[str, Any], schemas: client.Registry, data: bytes) -> None:
    framed = b"\x00" + shop["id"].to_bytes(4, "big") + data
    assert problem(framed, schemas) == ("invalid data", False)


def test_json_with_a_schema_is_read_as_json(registry: stack.Registry, schemas: client.Registry) -> None:
    number = registry.register({"type": "object"}, "JSON")["id"]
    start = b"\x00" + number.to_bytes(4, "big")
    assert document(start + b'{"number": "o-1"}', schemas) == {"number": "o-1"}
    assert problem(start + b'{"number', schemas) == ("invalid JSON", False)


def test_a_value_with_a_schema_may_be_of_a_dialect(registry: stack.Registry, schemas: client.Registry) -> None:
    fields = [{"name": name, "type": "string"} for name in ("specversion", "id", "source", "type", "correlationid")]
    schema = {"type": "record", "name": "Envelope", "fields": fields}
    written = {"specversion": "1.0", "id": "e1", "source": "/s", "type": "T", "correlationid": "order-1"}
    found = decode(record(value=avro(schema, written, registry.register(schema)["id"])), schemas)
    assert isinstance(found, Event)
    assert (found.dialect, found.id, found.transaction_ids) == ("CloudEvents structured", "e1", ("order-1",))


def test_without_a_registry_the_record_says_what_is_missing() -> None:
    found = decode(record(value=avro(ORDER, WRITTEN, 7)))
    assert isinstance(found, Undecodable)
    assert found.reason == "no schema registry"
    assert found.detail == "The value: It needs schema 7: set SCHEMA_REGISTRY_URL."
    assert connect({}) is None
    assert connect({"url": ""}) is None


def test_an_unknown_schema_is_asked_for_again_only_after_a_while(
    registry: stack.Registry, schemas: client.Registry, clock: Clock
) -> None:
    written = avro(ORDER, WRITTEN, 1)
    assert problem(written, schemas) == (client.UNKNOWN, True)
    assert problem(written, schemas) == (client.UNKNOWN, True)
    assert len(registry.asked) == 1
    assert registry.register(ORDER)["id"] == 1
    clock.now += client.FORGET
    assert document(written, schemas) == READ


def test_unknown_schemas_without_end_take_a_bounded_time(
    registry: stack.Registry, schemas: client.Registry, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = client.Registry._described

    def slowly(self: client.Registry, schema: Any) -> Any:
        clock.now += 0.5
        return described(self, schema)

    monkeypatch.setattr(client.Registry, "_described", slowly)
    began = clock.now
    for number in range(1_000):
        assert problem(avro(ORDER, WRITTEN, number), schemas) == (client.UNKNOWN, True)
    assert clock.now - began <= client.ALLOWANCE + 1
    assert len(registry.asked) < 10
    clock.now += 60
    assert document(avro(ORDER, WRITTEN, registry.register(ORDER)["id"]), schemas) == READ


@pytest.mark.parametrize(
    "status", [HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS]
)
def test_a_registry_that_fails_is_left_alone_for_a_while_and_then_asked_again(
    registry: stack.Registry, schemas: client.Registry, clock: Clock, status: HTTPStatus
) -> None:
    written = avro(ORDER, WRITTEN, registry.register(ORDER)["id"])
    registry.status = status
    for _ in range(5):
        assert problem(written, schemas) == (client.AWAY, True)
    assert len(registry.asked) == 1
    registry.status = None
    assert problem(written, schemas) == (client.AWAY, True)
    clock.now += client.RETRY
    assert document(written, schemas) == READ


def test_a_registry_that_is_down_takes_no_time(clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    schemas = client.Registry({"url": url}, clock)
    began = time.monotonic()
    for number in range(500):
        assert problem(avro(ORDER, WRITTEN, number), schemas) == (client.AWAY, True)
    assert time.monotonic() - began < client.PATIENCE


def test_a_registry_that_does_not_answer_takes_a_bounded_time_once(
    registry: stack.Registry, schemas: client.Registry, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PATIENCE", 0.2)
    written = avro(ORDER, WRITTEN, registry.register(ORDER)["id"])
    registry.silent = True
    began = time.monotonic()
    for _ in range(100):
        assert problem(written, schemas) == (client.AWAY, True)
        clock.now += 1
    assert time.monotonic() - began < 1
    assert len(registry.asked) == 1, "as long as that question is open, no other is asked"
    registry.silent = False
    underway = schemas._underway
    assert underway is not None
    underway.result(timeout=5)
    clock.now += client.RETRY
    assert document(written, schemas) == READ


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        ("AVRO", {"type": "array", "items": "null"}),
        ("AVRO", {"type": "array", "items": {"type": "record", "name": "Nothing", "fields": []}}),
        ("AVRO", {"type": "array", "items": {"type": "fixed", "name": "Nothing", "size": 0}}),
        ("AVRO", {"type": "no such thing"}),
        ("AVRO", "{"),
        ("AVRO", "[" * 50_000),
        ("PROTOBUF", "no descriptor"),
        ("PROTOBUF", serialised(shop_proto())),
        ("THRIFT", "{}"),
    ],
)
def test_a_schema_that_cannot_be_used_is_no_trouble_for_others(
    registry: stack.Registry, schemas: client.Registry, kind: str, schema: Any
) -> None:
    bad = registry.register(schema, kind)["id"]
    start = b"\x00" + bad.to_bytes(4, "big")
    assert problem(start + b"\x80\x80\x80\x80\x80\x40\x00", schemas) == ("unusable schema", False)
    assert problem(start + b"\x00", schemas) == ("unusable schema", False)
    assert document(avro(ORDER, WRITTEN, registry.register(ORDER)["id"]), schemas) == READ


def test_schemas_that_refer_to_each_other_are_no_trouble(registry: stack.Registry, schemas: client.Registry) -> None:
    references = [{"name": "shop.Line", "subject": "line", "version": 1}]
    registry.register(["null", "string"], subject="line", references=references)
    number = registry.register("shop.Line", references=references)["id"]
    assert problem(b"\x00" + number.to_bytes(4, "big") + b"\x00", schemas) == ("unusable schema", False)


def test_data_nested_without_end_ends_nobody(registry: stack.Registry, schemas: client.Registry) -> None:
    """Avro's fast reader would take the process with it."""
    chain = {"type": "record", "name": "Chain", "fields": [{"name": "next", "type": ["null", "Chain"]}]}
    start = b"\x00" + registry.register(chain)["id"].to_bytes(4, "big")
    assert document(start + b"\x02\x02\x00", schemas) == {"next": {"next": {"next": None}}}
    assert problem(start + b"\x02" * 1_000_000 + b"\x00", schemas) == ("invalid data", False)


@pytest.mark.parametrize("data", [b"", b"\x06o-", b"\xff" * 30, b"\x80" * 30])
def test_avro_that_is_not_what_its_schema_says(registry: stack.Registry, schemas: client.Registry, data: bytes) -> None:
    start = b"\x00" + registry.register(ORDER)["id"].to_bytes(4, "big")
    assert problem(start + data, schemas) == ("invalid data", False)


def test_the_registry_may_ask_who_we_are(registry: stack.Registry) -> None:
    number = registry.register(ORDER)["id"]
    schemas = connect({"url": registry.url, "basic.auth.user.info": "collector:secret"})
    assert schemas is not None
    assert document(avro(ORDER, WRITTEN, number), schemas) == READ
    assert registry.authorization == f"Basic {base64.b64encode(b'collector:secret').decode()}"


def test_properties_that_its_client_does_not_know_are_refused() -> None:
    with pytest.raises(RegistryError, match=r"Unrecognized properties: no\.such\.thing"):
        connect({"url": "http://127.0.0.1:1", "no.such.thing": "1"})


def test_an_event_whose_transaction_the_value_may_name_waits_for_the_schema(
    registry: stack.Registry, schemas: client.Registry
) -> None:
    registry.status = HTTPStatus.SERVICE_UNAVAILABLE
    written = avro(ORDER, WRITTEN, 1)
    named = decode(record(("correlation-id", b"order-1"), value=written), schemas)
    assert isinstance(named, Event), "its headers say enough"
    unnamed = decode(record(("event-type", b"OrderPlaced"), value=written), schemas)
    assert isinstance(unnamed, Undecodable)
    assert unnamed.reason == client.AWAY
    assert isinstance(decode(record(*cloud_event(transaction=None), value=written), schemas), Event), "nobody asks"


@pytest.mark.parametrize("redact", ["", 'redact: ["value:token"]\n'])
def test_a_rule_that_looks_into_the_value_waits_for_the_schema(
    registry: stack.Registry, schemas: client.Registry, clock: Clock, redact: str
) -> None:
    content = redact + 'correlation: [{transaction_id: "value:number", type: "text:OrderPlaced"}]'
    handling = parse("choreoscope.yaml", content).policy.of("orders")
    written = record(*cloud_event(transaction=None), value=avro(ORDER, WRITTEN, registry.register(ORDER)["id"]))
    registry.status = HTTPStatus.SERVICE_UNAVAILABLE
    _, waiting = configured.read(written, handling, schemas)
    assert isinstance(waiting, Undecodable)
    assert waiting.reason == client.AWAY
    registry.status = None
    clock.now += client.RETRY
    _, found = configured.read(written, handling, schemas)
    assert isinstance(found, Event)
    assert found.transaction_ids == ("o-1",)


def test_the_collector_refuses_what_the_registrys_client_does_not_know(settings: Settings) -> None:
    settings.SCHEMA_REGISTRY = {"url": "http://127.0.0.1:1", "no.such.thing": "1"}
    with pytest.raises(CommandError, match=r"SCHEMA_REGISTRY_…: Unrecognized properties: no\.such\.thing"):
        Command()._schemas()
    settings.SCHEMA_REGISTRY = {}
    assert Command()._schemas() is None
