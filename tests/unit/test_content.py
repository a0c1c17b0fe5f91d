"""What lies in a record's headers, key and value, however they were written."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from collector.decoding.content import MAX_BODY_BYTES, MAX_HEADERS, MAX_WRITTEN_BYTES, Content, Unreadable
from collector.decoding.framing import Framed, SchemaRef, unframe
from tests.builders import record

GUID = uuid.UUID("89791762-2336-186f-9674-299b90a8e8e2")


class Registry:
    """Knows schema 7, with which everything is {"read": <the bytes>}."""

    def read(self, framed: Framed) -> tuple[Any, str]:
        if framed.schema.number != 7:
            raise Unreadable("unknown schema", "It is not there.", passing=True)
        return {"read": framed.data}, "Avro"


def test_headers_are_found_without_regard_to_case_and_the_last_counts() -> None:
    content = Content(record(("Name", b"first"), ("other", None), ("NAME", b"second")))
    assert content.headers == {"name": b"second", "other": None}
    assert content.irregular
    assert content.header_values("nAme") == [b"first", b"second"]
    assert content.header_values("other") == []


def test_headers_are_bounded() -> None:
    content = Content(record(*((f"h{number}", b"x") for number in range(MAX_HEADERS + 1))))
    assert content.irregular
    assert len(content.headers) == MAX_HEADERS
    assert not Content(record(("a", b"1"), ("b", b"2"))).irregular


@pytest.mark.parametrize(
    ("data", "document", "form"),
    [
        (b' {"a": [1, {"b": null}]}', {"a": [1, {"b": None}]}, "JSON"),
        (b"[1]", [1], "JSON"),
        (b'"order-1"', "order-1", "JSON"),
        (b"order-1", "order-1", "text"),
        (b"4711", "4711", "text"),
        (b"", None, ""),
        (None, None, ""),
    ],
)
def test_a_key_and_a_value_are_json_text_or_nothing(data: bytes | None, document: object, form: str) -> None:
    content = Content(record(key=data, value=data))
    assert (content.key.document, content.key.form, content.key.problem) == (document, form, None)
    assert (content.value.document, content.value.form, content.value.problem) == (document, form, None)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"a": ', "invalid JSON"),
        (b'{"a": "\xff"}', "invalid JSON"),
        (b"[" * 100_000, "invalid JSON"),
        (b"\xff\xfe", "unknown format"),
        (b"x" * (MAX_BODY_BYTES + 1), "too long"),
        (b"\x00" * (MAX_WRITTEN_BYTES + 6), "too long"),
        (b"\x00" * (MAX_WRITTEN_BYTES + 5), "no schema registry"),
        (b"\x00\x00\x00\x00\x07data", "no schema registry"),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, reason: str) -> None:
    body = Content(record(value=data)).value
    assert (body.document, body.form) == (None, "")
    assert body.problem is not None
    assert body.problem.reason == reason


def test_a_body_is_read_once() -> None:
    content = Content(record(key=b"{}", value=b"{}"))
    assert content.value is content.value
    assert content.key is content.key


def test_what_was_written_with_a_schema_is_read_by_the_registry() -> None:
    framed = b"\x00\x00\x00\x00\x07data"
    content = Content(record(key=framed, value=framed), Registry())
    assert (content.value.document, content.value.form) == ({"read": b"data"}, "Avro")
    assert content.key.document == {"read": b"data"}
    unknown = Content(record(value=b"\x00\x00\x00\x00\x08data"), Registry()).value
    assert unknown.problem is not None
    assert (unknown.problem.reason, unknown.problem.passing) == ("unknown schema", True)


def test_a_header_may_name_the_schema() -> None:
    header = ("__value_schema_id", b"\x00\x00\x00\x00\x07")
    assert Content(record(header, value=b"\x00data"), Registry()).value.document == {"read": b"\x00data"}
    assert Content(record(header, value=b"x", key=b"text"), Registry()).key.document == "text"


def test_a_part_of_a_value_stands_for_it() -> None:
    whole = Content(record(("a", b"1"), key=b"k", value=b'[{"id": 1}, {"id": 2}]'))
    part = whole.part(whole.value.document[1])
    assert (part.value.document, part.value.form, part.key.document) == ({"id": 2}, "JSON", "k")
    assert part.headers == whole.headers


@pytest.mark.parametrize(
    ("data", "framed"),
    [
        (b"\x00\x00\x00\x01\x02rest", Framed(SchemaRef(258), b"rest")),
        (b"\x00\x00\x00\x01\x02", Framed(SchemaRef(258), b"")),
        (b"\x01" + GUID.bytes + b"rest", Framed(SchemaRef(guid=str(GUID)), b"rest")),
        (b"\x00\x00\x00\x01", None),
        (b"\x01" + GUID.bytes[:-1], None),
        (b"\x02\x00\x00\x00\x07", None),
        (b"{}", None),
        (b"", None),
    ],
)
def test_the_first_bytes_may_name_the_schema(data: bytes, framed: Framed | None) -> None:
    assert unframe(data) == framed


def test_a_header_that_names_no_schema_is_nothing() -> None:
    assert unframe(b"\x00\x00\x00\x00\x07rest", b"seven") == Framed(SchemaRef(7), b"rest")
    assert unframe(b"rest", b"\x01" + GUID.bytes + b"\x00") == Framed(SchemaRef(guid=str(GUID)), b"rest", b"\x00")
