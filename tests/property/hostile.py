"""Records as bad as they come: any bytes anywhere, with just enough truth in them to get past the first check."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from collector.decoding.dialects import CLOUDEVENTS_BINARY, CLOUDEVENTS_STRUCTURED, GENERIC, Dialect
from collector.decoding.values import EARLIEST as EPOCH
from collector.records import Record, TopicRef, pack_headers

ATTRIBUTES = ("transaction", "id", "causes", "type", "source", "time", "subject", "trace")


def names_of(dialect: Dialect) -> list[str]:
    return [name for attribute in ATTRIBUTES for name in getattr(dialect, attribute)]


# `\x00` and what is not UTF-8 come seldom among random characters, so they are offered by name
texts = st.one_of(
    st.text(max_size=20), st.sampled_from(["\x00", "a\x00b", "null", " ", "ä" * 300, "\u202e<b>", "1e999"])
)
raw = st.one_of(
    st.binary(max_size=40),
    texts.map(lambda text: text.encode(errors="replace")),
    st.sampled_from([b"\xff\xfe", b"x" * 10_000, b"2026-11-20T12:00:00.123456789Z", b"9" * 5_000]),
)
header_names = st.one_of(
    st.sampled_from([*names_of(CLOUDEVENTS_BINARY), *names_of(GENERIC), "ce_specversion", "CE_ID", "content-type"]),
    st.text(max_size=10),
)
content_types = st.sampled_from([b"application/cloudevents+json", b"Application/CloudEvents", b"text/plain"])
headers = st.lists(
    st.one_of(
        st.tuples(header_names, st.none() | raw),
        st.tuples(st.just("content-type"), content_types),
        st.tuples(st.just("ce_specversion"), st.just(b"1.0")),
    ),
    max_size=12,
).map(tuple)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
members = st.one_of(
    json_values.map(lambda value: json.dumps(value).encode()),
    st.sampled_from([b"9" * 5_000, b"-1e999", b'"\\ud800"', b'"\xff"', b"[" * 2_000]),
)
envelopes = st.dictionaries(st.sampled_from([*names_of(CLOUDEVENTS_STRUCTURED), "specversion", "data"]), members).map(
    lambda body: b"{" + b",".join(json.dumps(name).encode() + b":" + value for name, value in body.items()) + b"}"
)
values = st.one_of(st.none(), raw, envelopes, envelopes.map(lambda body: body[:-1]), st.just(b'{"a":' * 2_000))
# beyond what is taken as a time as well
timestamps = st.none() | st.integers(0, 12_000_000_000).map(lambda seconds: EPOCH + timedelta(seconds=seconds))


def hostile_records(topic: TopicRef) -> st.SearchStrategy[Record]:
    return st.builds(
        Record,
        topic=st.just(topic),
        partition=st.integers(0, 3),
        offset=st.integers(0, 2**63 - 1),
        timestamp=timestamps,
        key=st.none() | raw,
        value=values,
        packed_headers=headers.map(pack_headers),
        headers_error=st.sampled_from(["", "", "", "A header's name is not UTF-8."]),
    )
