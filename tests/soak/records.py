"""Records without end: samples of all dialects and encodings, mutated until little of them is right."""

from __future__ import annotations

import base64
import io
import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import fastavro
import msgspec
import yaml
from google.protobuf import descriptor_pb2

from collector.decoding.content import Unreadable
from collector.decoding.framing import Framed
from collector.decoding.values import EARLIEST
from collector.records import Header, Record, TopicRef, pack_headers
from collector.registry.schemas import AVRO, JSON, PROTOBUF, Described, reader_of
from tests.property.hostile import HEADER_NAMES, MEMBERS

VECTORS = Path(__file__).parents[1] / "vectors" / "dialects.yaml"
TOKENS = (
    b"",
    b"null",
    b" ",
    b"\x00",
    b"\xff\xfe",
    b"9" * 400,
    b"-1",
    b"1e999",
    b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    b"2026-11-20T12:00:00.123456789Z",
    b"2025-08-15 21:08:51:804513 Z",
    b"Tue, 03 Jun 2025 11:05:30 GMT",
    b"application/cloudevents+json",
    b"APPLICATION/CLOUDEVENTS-BATCH+JSON",
    b"application/cloudevents+avro",
    b"a,b,,c" * 50,
    b"urn:message:A:B;urn:message:C",
    b"\x00\x00\x00\x00\x01",
    b"\x00\x00\x00\x00\x02\x00",
    b"\x01" + bytes(16),
    b"\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    "\u202e\u0000\ud7ff".encode(),
    b'"\\ud800"',
    b"[" * 3_000,
    b'{"a":' * 1_500,
    b'{"specversion":"1.0","id":"1","source":"s","type":"T"}',
)
NESTED = {
    "type": "record",
    "name": "Nested",
    "fields": [
        {"name": "id", "type": ["null", "string", {"type": "long", "logicalType": "timestamp-millis"}]},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "on", "type": {"type": "int", "logicalType": "date"}},
        {"name": "within", "type": {"type": "array", "items": ["null", "Nested", {"type": "map", "values": "double"}]}},
    ],
}


class Registry:
    """Knows an Avro schema, a Protobuf one and a JSON one, and is away for all others."""

    def __init__(self) -> None:
        proto = descriptor_pb2.FileDescriptorProto(name="a.proto", syntax="proto3")
        message = proto.message_type.add(name="Node")
        kinds = descriptor_pb2.FieldDescriptorProto
        for number, kind in enumerate((kinds.TYPE_STRING, kinds.TYPE_INT64, kinds.TYPE_BYTES, kinds.TYPE_FLOAT), 1):
            message.field.add(name=f"f{number}", number=number, type=kind, label=kinds.LABEL_OPTIONAL)
        message.field.add(
            name="nodes", number=9, type=kinds.TYPE_MESSAGE, type_name=".Node", label=kinds.LABEL_REPEATED
        )
        self._readers = {
            1: reader_of(Described(AVRO, json.dumps(NESTED))),
            2: reader_of(Described(PROTOBUF, base64.b64encode(proto.SerializeToString()).decode())),
            3: reader_of(Described(JSON, "{}")),
        }

    def read(self, framed: Framed) -> tuple[Any, str]:
        reader = self._readers.get(framed.schema.number or 0)
        if reader is None:
            raise Unreadable("schema registry away", "It did not answer.", passing=True)
        return reader(framed)


def as_bytes(written: Any) -> bytes | None:
    if isinstance(written, dict) and set(written) == {"hex"}:
        return bytes.fromhex(written["hex"])
    return written if written is None else (written if isinstance(written, str) else json.dumps(written)).encode()


def corpus() -> list[Record]:
    """A sample of every dialect, and of every encoding."""
    found = [
        _record(
            vector.get("topic", "orders"),
            [(name, as_bytes(written)) for name, written in vector.get("headers", {}).items()],
            as_bytes(vector.get("key")),
            as_bytes(vector.get("value")),
        )
        for vector in yaml.safe_load(VECTORS.read_text())
    ]
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "T", "correlationid": "order-1"}
    batch = json.dumps([event, event | {"id": "2"}, 7]).encode()
    found.append(_record("orders", [("content-type", b"application/cloudevents-batch+json")], None, batch))
    avro = b"\x04\x04id\x06\x021\x08type\x06\x02T\x00\x00\x02x"
    found.append(_record("orders", [("content-type", b"application/cloudevents+avro")], None, avro))
    out = io.BytesIO()
    nested = {"id": "a", "amount": b"\x01", "on": 20_000, "within": [None, {"a": 1.0}]}
    fastavro.schemaless_writer(out, fastavro.parse_schema(NESTED), nested)
    found.append(_record("orders", [], None, b"\x00\x00\x00\x00\x01" + out.getvalue()))
    found.append(_record("orders", [], None, b"\x00\x00\x00\x00\x02\x00\x0a\x01a\x10\x07\x4a\x04\x0a\x02bc"))
    found.append(_record("orders", [("__value_schema_id", b"\x00\x00\x00\x00\x03")], b"k", json.dumps(event).encode()))
    return found


def _record(topic: str, headers: list[Header], key: bytes | None, value: bytes | None) -> Record:
    return Record(TopicRef(1, "c", "uid", topic), 0, 0, EARLIEST, key, value, pack_headers(headers))


class Mutator:
    """Makes of samples what a hostile or broken sender might; the same seed makes the same records."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._corpus = corpus()

    def record(self) -> Record:
        chance = self._chance
        found = chance.choice(self._corpus)
        headers, key, value = found.headers, found.key, found.value
        topic, timestamp, error = found.topic, found.timestamp, ""
        for _ in range(chance.randint(1, 5)):
            what = chance.random()
            if what < 0.45:
                headers = self._headers(headers)
            elif what < 0.8:
                value = self._value(value)
            elif what < 0.87:
                key = self._bytes(key)
            elif what < 0.94:
                timestamp = chance.choice([None, EARLIEST + timedelta(seconds=chance.uniform(0, 1.2e10))])
            elif what < 0.96:
                error = "A header's name is not UTF-8."
            else:
                topic = msgspec.structs.replace(topic, name=chance.choice(["outbox.event.order", "x" * 249, "orders"]))
        return Record(topic, 0, chance.getrandbits(40), timestamp, key, value, pack_headers(headers), error)

    def _headers(self, headers: list[Header]) -> list[Header]:
        chance, headers = self._chance, list(headers)
        what = chance.randrange(5) if headers else 0
        at = chance.randrange(len(headers)) if headers else 0
        if what == 0:
            headers.insert(at, (chance.choice(HEADER_NAMES), self._bytes(None)))
        elif what == 1:
            del headers[at]
        elif what == 2:
            headers[at] = (headers[at][0], self._bytes(headers[at][1]))
        elif what == 3:
            headers[at] = (chance.choice([chance.choice(HEADER_NAMES), headers[at][0].upper()]), headers[at][1])
        else:
            headers += headers[at : at + 1] * chance.choice([1, 1, 1, 250])
        return headers

    def _value(self, value: bytes | None) -> bytes | None:
        try:
            document = json.loads(value or b"")
        except (ValueError, RecursionError):
            return self._bytes(value)
        if not isinstance(document, dict) or self._chance.random() < 0.3:
            return self._bytes(value)
        for _ in range(self._chance.randint(1, 3)):
            self._member(document, self._chance.choice(MEMBERS))
        return json.dumps(document).encode()

    def _member(self, document: dict[str, Any], path: str) -> None:
        *within, last = path.split(".")
        for name in within:
            inner = document.get(name)
            document = inner if isinstance(inner, dict) else document.setdefault(f"{name} ", {})
        if self._chance.random() < 0.3:
            document.pop(last, None)
        else:
            token = self._chance.choice(TOKENS).decode(errors="replace")
            document[last] = self._chance.choice([token, 0, -1.5, 10**30, True, None, [], [token], {"a": token}])

    def _bytes(self, data: bytes | None) -> bytes | None:
        chance = self._chance
        what = chance.randrange(6)
        if what == 0 or not data:
            return chance.choice([None, chance.choice(TOKENS), chance.randbytes(chance.randrange(40))])
        at = chance.randrange(len(data))
        if what == 1:
            return data[:at]
        if what == 2:
            return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        if what == 3:
            return data[:at] + chance.choice(TOKENS) + data[at:]
        if what == 4:
            return data[at:] + data[:at]
        return data + chance.choice(TOKENS)
