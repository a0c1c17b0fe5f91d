"""Records as bad as they come: any bytes anywhere, with just enough truth in them to get past the first check."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from collector.decoding import failures, tracing
from collector.decoding.content import Unreadable
from collector.decoding.dialect import Dialect, Place
from collector.decoding.dialects import DIALECTS
from collector.decoding.framing import Framed
from collector.decoding.values import EARLIEST as EPOCH
from collector.records import Record, TopicRef, pack_headers

ATTRIBUTES = ("transaction", "id", "causes", "type", "source", "time", "subject", "trace", "weak")


def names_in(place: Place) -> list[str]:
    """Every name that some dialect looks for at this kind of place."""
    return sorted(
        {at.name for dialect in DIALECTS for name in ATTRIBUTES for at in getattr(dialect, name) if at.place is place}
        | {name for dialect in DIALECTS for name in _markers(dialect, place)}
    )


def _markers(dialect: Dialect, place: Place) -> list[str]:
    marker = dialect.marker
    if place is Place.VALUE:
        return [path for path, _ in marker.members]
    return [*marker.headers, *marker.any_of, *([f"{marker.prefix}x"] if marker.prefix else [])]


HEADER_NAMES = [
    *names_in(Place.HEADER),
    *tracing.MARKERS,
    *failures.MARKERS,
    *(name for convention in failures.CONVENTIONS for name in (*convention.partition, *convention.offset)),
    "content-type",
    "CE_ID",
    "__value_schema_id",
]
MEMBERS = [*names_in(Place.VALUE), "data", "data_base64"]

# `\x00` and what is not UTF-8 come seldom among random characters, so they are offered by name
texts = st.one_of(
    st.text(max_size=20), st.sampled_from(["\x00", "a\x00b", "null", " ", "ä" * 300, "\u202e<b>", "1e999"])
)
raw = st.one_of(
    st.binary(max_size=40),
    texts.map(lambda text: text.encode(errors="replace")),
    st.sampled_from([b"\xff\xfe", b"x" * 10_000, b"2026-11-20T12:00:00.123456789Z", b"9" * 5_000]),
    st.binary(min_size=8, max_size=8),
)
header_names = st.one_of(st.sampled_from(HEADER_NAMES), st.text(max_size=10))
content_types = st.sampled_from(
    [
        b"application/cloudevents+json",
        b"Application/CloudEvents",
        b"application/cloudevents+avro",
        b"application/cloudevents-batch+json",
        b"application/cloudevents+xml",
        b"text/plain",
    ]
)
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


def nested(members: dict[str, bytes]) -> bytes:
    """A JSON object of these members; a name with a dot is one of an object within."""
    inside: dict[str, dict[str, bytes]] = {}
    flat = []
    for path, value in members.items():
        name, _, rest = path.partition(".")
        if rest:
            inside.setdefault(name, {})[rest] = value
        else:
            flat.append((name, value))
    pairs = [*flat, *((name, nested(within)) for name, within in inside.items())]
    return b"{" + b",".join(json.dumps(name).encode() + b":" + value for name, value in pairs) + b"}"


def envelope(dialect: Dialect) -> st.SearchStrategy[bytes]:
    """What has this dialect's marker in its value, and anything else that some dialect looks for."""
    kinds = {str: st.just(b'"a"'), list: st.just(b'["urn:message:a"]'), dict: st.just(b"{}")}
    marked = {path: kinds[kind] | members for path, kind in dialect.marker.members}
    others = st.dictionaries(st.sampled_from(MEMBERS), members, max_size=6)
    return st.builds(lambda some, more: nested(more | some), st.fixed_dictionaries(marked), others)


envelopes = st.one_of(
    st.dictionaries(st.sampled_from(MEMBERS), members).map(nested),
    *(envelope(dialect) for dialect in DIALECTS if dialect.marker.members),
)
batches = st.lists(envelopes | members, max_size=4).map(lambda parts: b"[" + b",".join(parts) + b"]")
avro_values = st.builds(
    lambda start, rest: start + rest, st.sampled_from([b"\x00", b"\x02\x04id\x06\x02a"]), st.binary(max_size=60)
)
framed = st.builds(
    lambda start, rest: start + rest, st.sampled_from([b"\x00\x00\x00\x00\x07", b"\x01"]), st.binary(max_size=40)
)
values = st.one_of(
    st.none(),
    raw,
    envelopes,
    envelopes.map(lambda body: body[:-1]),
    batches,
    avro_values,
    framed,
    st.just(b'{"a":' * 2_000),
)
# beyond what is taken as a time as well
timestamps = st.none() | st.integers(0, 12_000_000_000).map(lambda seconds: EPOCH + timedelta(seconds=seconds))


class Registry:
    """Knows one schema, and is away every other time."""

    def read(self, framed: Framed) -> tuple[Any, str]:
        if framed.schema.number == 7 and len(framed.data) % 2:
            return {"specversion": "1.0", "id": framed.data.hex(), "source": "a", "type": "b"}, "Avro"
        raise Unreadable("schema registry away", "It did not answer.", passing=True)


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
