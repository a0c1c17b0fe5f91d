"""What decoding a record costs, by dialect and encoding: `python -m benchmarks.decoding`.

All cases are measured in turns, in many rounds, and the best round counts: so whatever else the machine does meets each
of them. The first line is what the others are compared with. Samples are those of tests/vectors.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import fastavro
import msgspec
import yaml

from benchmarks import stream
from collector.config import parse
from collector.decoding import configured, decode
from collector.decoding.content import Schemas
from collector.decoding.framing import Framed
from collector.records import Record, TopicRef, pack_headers
from collector.registry.schemas import AVRO, JSON, Described, reader_of
from tests.stack.place import ROOT

ROUNDS = 30
RECORDS = 500
TOPIC = TopicRef(1, "cluster", "uid", "orders")
ORDER = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "number", "type": "string"},
        {"name": "total", "type": "double"},
        {"name": "placed", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "lines", "type": {"type": "array", "items": {"type": "map", "values": "string"}}},
    ],
}
CONFIG = """
correlation:
  - {topics: "orders", transaction_id: "value:number", type: "text:OrderPlaced", service: "text:shop"}
"""

Case = tuple[str, Callable[[], object]]


class Known(Schemas):
    """Schemas as a registry's client remembers them: 1 is Avro, 2 JSON Schema."""

    def __init__(self) -> None:
        self._readers = {1: reader_of(Described(AVRO, json.dumps(ORDER))), 2: reader_of(Described(JSON, "{}"))}

    def read(self, framed: Framed) -> tuple[Any, str]:
        return self._readers[framed.schema.number or 0](framed)


def _bytes(written: Any) -> bytes | None:
    if isinstance(written, dict) and set(written) == {"hex"}:
        return bytes.fromhex(written["hex"])
    return written if written is None else (written if isinstance(written, str) else json.dumps(written)).encode()


def _samples() -> Iterator[tuple[str, Record]]:
    """The first sample of each dialect."""
    seen: set[str] = set()
    for vector in yaml.safe_load((ROOT / "tests" / "vectors" / "dialects.yaml").read_text()):
        if vector["dialect"] in seen:
            continue
        seen.add(vector["dialect"])
        headers = [(name, _bytes(written)) for name, written in vector.get("headers", {}).items()]
        topic = TopicRef(1, "cluster", "uid", vector.get("topic", "orders"))
        values = _bytes(vector.get("key")), _bytes(vector.get("value"))
        yield vector["dialect"], Record(topic, 0, 0, datetime.now(UTC), *values, pack_headers(headers))


def _decoding(records: list[Record], schemas: Schemas | None = None) -> Callable[[], object]:
    return lambda: [decode(record, schemas) for record in records]


def _the_long_way(records: list[Record]) -> Callable[[], object]:
    """As every record is read that has something unusual about it: here, another header twice."""
    odd = [
        msgspec.structs.replace(one, packed_headers=pack_headers([*one.headers, ("x", b""), ("x", b"")]))
        for one in records
    ]
    return _decoding(odd)


def _by_rule(record: Record, schemas: Schemas) -> Callable[[], object]:
    handling = parse("choreoscope.yaml", CONFIG).policy.of("orders")
    return lambda: [configured.read(record, handling, schemas) for _ in range(RECORDS)]


def cases() -> Iterator[Case]:
    now = datetime.now(UTC)
    events = [
        Record(TOPIC, partition, 0, now, key, value, pack_headers(headers))
        for _, partition, key, value, headers in stream.records(RECORDS - RECORDS % stream.EVENTS_EACH)
    ]
    while len(events) < RECORDS:
        events.append(events[0])
    yield "CloudEvents binary (the benchmark's stream)", _decoding(events)
    yield "the same, read the long way", _the_long_way(events)
    for dialect, record in _samples():
        yield dialect, _decoding([record] * RECORDS)
    order = {"number": "o-1", "total": 12.5, "placed": 1795176000000, "lines": [{"sku": "a", "name": "b"}] * 3}
    encoded = json.dumps(order).encode()
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(ORDER), order)
    schemas = Known()
    for name, value in (
        ("plain JSON by a rule", encoded),
        ("Avro by a rule, its schema known", b"\x00\x00\x00\x00\x01" + out.getvalue()),
        ("JSON Schema by a rule, its schema known", b"\x00\x00\x00\x00\x02" + encoded),
    ):
        yield name, _by_rule(Record(TOPIC, 0, 0, now, None, value), schemas)
    yield "nothing known (plain JSON)", _decoding([Record(TOPIC, 0, 0, now, None, encoded)] * RECORDS)


def main() -> None:
    all_cases = list(cases())
    best = dict.fromkeys((name for name, _ in all_cases), float("inf"))
    for _ in range(ROUNDS):
        for name, run in all_cases:
            start = perf_counter()
            run()
            best[name] = min(best[name], perf_counter() - start)
    first = best[all_cases[0][0]]
    for name, seconds in best.items():
        print(f"{name:46} {seconds / RECORDS * 1e6:7.1f} µs {seconds / first:7.2f}")


if __name__ == "__main__":
    main()
