"""Decoding under atheris, which looks for records that reach new lines: `python -m tests.soak.fuzz 500000`."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["collector.decoding", "collector.registry"]):
    from collector.decoding import decode, opened

from collector.records import Record, TopicRef, pack_headers
from tests.property.bounds import assert_is_bounded
from tests.property.hostile import HEADER_NAMES
from tests.soak.records import Registry, corpus

SAMPLES = corpus()
REGISTRY = Registry()
TOPICS = tuple(TopicRef(1, "c", "uid", name) for name in ("orders", "outbox.event.order"))


def one(data: bytes) -> None:
    """A sample, of which the data change headers and value; or nothing but data."""
    take = atheris.FuzzedDataProvider(data)
    sample = SAMPLES[take.ConsumeIntInRange(0, len(SAMPLES) - 1)]
    headers = sample.headers if take.ConsumeBool() else []
    for _ in range(take.ConsumeIntInRange(0, 6)):
        name = HEADER_NAMES[take.ConsumeIntInRange(0, len(HEADER_NAMES) - 1)]
        headers.append((name, take.ConsumeBytes(take.ConsumeIntInRange(0, 60))))
    key = take.ConsumeBytes(take.ConsumeIntInRange(0, 20))
    value = sample.value if take.ConsumeBool() else take.ConsumeBytes(take.remaining_bytes())
    topic = TOPICS[take.ConsumeIntInRange(0, 1)]
    record = Record(topic, 0, 0, sample.timestamp, key, value, pack_headers(headers))
    for _, found in opened([(record, decode(record, REGISTRY))]):
        assert_is_bounded(found)


if __name__ == "__main__":
    atheris.Setup([sys.argv[0], f"-runs={sys.argv[1]}", "-max_len=4096", "-seed=20", "-timeout=10"], one)
    atheris.Fuzz()
