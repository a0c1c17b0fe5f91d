"""Paths into records: what they are written like, what they lead to, and what is said of a wrong one."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from collector.decoding import paths
from collector.decoding.content import Content
from tests.builders import Header, record

ORDERS = {"orders": [{"number": 17, "lines": [{"id": "a"}, {"id": "b"}]}, {"number": "18"}], "a.b": {"c": 1}, "x": None}


def found(written: str, value: Any = None, *headers: Header, key: bytes | None = None) -> list[Any]:
    content = Content(record(*headers, value=json.dumps(ORDERS if value is None else value).encode(), key=key))
    return list(paths.found(paths.parse(written), content))


@pytest.mark.parametrize(
    ("written", "there"),
    [
        ("value:orders[0].number", [17]),
        ("value:orders[*].number", [17, "18"]),
        ("value:orders.number", [17, "18"]),  # a name looks into each element of a list
        ("value:orders.*", [ORDERS["orders"][0], ORDERS["orders"][1]]),
        ("value:orders[*].lines[*].id", ["a", "b"]),
        ("value:**.id", ["a", "b"]),
        ("value:**.number", [17, "18"]),
        ("value:orders[0].lines", [{"id": "a"}, {"id": "b"}]),
        ('value:"a.b".c', [1]),
        ("value:o*[1].n*", ["18"]),
        ("value:orders[7].number", []),
        ("value:nothing.here", []),
        ("value:x", [None]),
        ("value:Orders[0].number", []),
    ],
)
def test_paths_lead_into_documents(written: str, there: list[Any]) -> None:
    assert found(written) == there


def test_paths_lead_to_headers_the_key_the_topic_and_fixed_text() -> None:
    headers: tuple[Header, ...] = (("X-Order", b"17"), ("x-customer", b"\xff"), ("x-none", None))
    assert found("header:x-ORDER", None, *headers) == ["17"]
    assert found("header:x-*", None, *headers) == ["17", "\ufffd"]
    assert found("header:y", None, *headers) == []
    assert found("key", key=b"order-1") == ["order-1"]
    assert found("key:id", key=b'{"id": 5}') == [5]
    assert found("topic") == ["orders"]
    assert found("text:billing") == ["billing"]


def test_text_that_holds_json_is_a_part_of_the_document() -> None:
    inner = json.dumps({"order": {"id": 5}})
    assert found("value:payload.order.id", {"payload": inner}) == [5]
    assert found("value:**.id", {"payload": inner}) == [5]
    assert found("value:payload.order.id", {"payload": "{no json"}) == []
    encoded = base64.b64encode(inner.encode()).decode()
    assert found("value:data.order.id", {"specversion": "1.0", "data_base64": encoded}) == [5]


def test_what_cannot_be_read_leads_nowhere() -> None:
    for value in (None, b"", b"{no json", b"\xff\xfe"):
        content = Content(record(value=value))
        assert list(paths.texts(paths.parse("value:**"), content)) == []


def test_matches_are_bounded_and_so_is_depth() -> None:
    assert len(found("value:[*]", list(range(500)))) == paths.MAX_MATCHES
    deep = b'{"a":' * 300 + b"1" + b"}" * 300
    content = Content(record(value=deep))
    assert 1 in list(paths.found(paths.parse("value:**.**.a"), Content(record(value=b'{"a":' * 50 + b"1" + b"}" * 50))))
    assert len(list(paths.found(paths.parse("value:**"), content))) == paths.MAX_MATCHES


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (17, "17"),
        (17.0, "17"),
        (1.5, "1.5"),
        (1e300, None),
        (True, None),
        (None, None),
        ({}, None),
        ([], None),
    ],
)
def test_names_are_text_or_numbers(value: Any, text: str | None) -> None:
    assert paths.text_of(value) == text


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("vlaue:x", "did you mean value:x?"),
        ("order.number", "begins with no known place"),
        ("value:", "says nothing after the colon; write value for all of it"),
        ("value:a..b", "a dot is missing, or one too many, before '..b'"),
        ("value:a.", "a dot is missing, or one too many"),
        ("value:.a", "cannot be read from '.a' on"),
        ("value:a[x]", "cannot be read from '[x]' on"),
        ("value:a]", "a dot is missing"),
        ('value:a"b"', "a dot is missing"),
        ("header:", "names no header"),
        ("text:", "names no text"),
        ("topic:orders", "topic stands alone"),
    ],
)
def test_a_wrong_path_is_told(written: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=r"write|stands|dot") as caught:
        paths.parse(written)
    assert complaint in str(caught.value)
