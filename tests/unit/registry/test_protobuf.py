"""Protobuf with schemas of a registry is read like JSON."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka.schema_registry.common.serde import SchemaId
from google.protobuf import descriptor_pool, message_factory

from collector.registry import client
from tests.stack import registry as stack
from tests.unit.registry.written import (
    common_proto,
    document,
    problem,
    serialised,
    shop_proto,
)


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
