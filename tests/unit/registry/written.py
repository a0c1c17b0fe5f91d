"""Values as serialisers write them, and what is read of them."""

from __future__ import annotations

import base64
import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import fastavro
from google.protobuf import descriptor_pb2

from collector.decoding.content import Content, Schemas
from tests.builders import record

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
