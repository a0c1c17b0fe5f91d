"""Avro and JSON with schemas of a registry are read like JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.common.serde import SchemaId
from confluent_kafka.serialization import MessageField, SerializationContext

from collector.decoding import Event, decode
from collector.registry import client
from tests.builders import record
from tests.stack import registry as stack
from tests.unit.registry.written import (
    ORDER,
    READ,
    WRITTEN,
    avro,
    document,
    problem,
)


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


@pytest.mark.parametrize("data", [b"", b"\x06o-", b"\xff" * 30, b"\x80" * 30])
def test_avro_that_is_not_what_its_schema_says(registry: stack.Registry, schemas: client.Registry, data: bytes) -> None:
    start = b"\x00" + registry.register(ORDER)["id"].to_bytes(4, "big")
    assert problem(start + data, schemas) == ("invalid data", False)


def test_data_nested_without_end_ends_nobody(registry: stack.Registry, schemas: client.Registry) -> None:
    """Avro's fast reader would take the process with it."""
    chain = {"type": "record", "name": "Chain", "fields": [{"name": "next", "type": ["null", "Chain"]}]}
    start = b"\x00" + registry.register(chain)["id"].to_bytes(4, "big")
    assert document(start + b"\x02\x02\x00", schemas) == {"next": {"next": {"next": None}}}
    assert problem(start + b"\x02" * 1_000_000 + b"\x00", schemas) == ("invalid data", False)


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
