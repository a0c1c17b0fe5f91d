"""What configuration masks is gone before anything else looks at a record, wherever in it it was."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector import config
from collector.decoding import Event, Undecodable, configured
from collector.decoding.content import Content
from collector.decoding.framing import Framed
from collector.records import Record
from tests.builders import Header, cloud_event, record

CANARY = "canary-4111111111111111"
CARD: dict[str, Any] = {"card_number": CANARY}
HIDDEN = {"card_number": "***"}
DEEPLY = r'{"q":"{\"card_number\":\"***\"}"}'


def kept(
    redact: str, *headers: Header, value: Any = None, key: bytes | None = None, raw: bytes | None = None
) -> Record:
    policy = config.parse("choreoscope.yaml", f"redact: {redact}").policy
    data = raw if raw is not None else json.dumps(value).encode()
    return configured.read(record(*headers, value=data, key=key), policy.of("orders"))[0]


def value_of(found: Record) -> Any:
    return json.loads(found.value or b"null")


@pytest.mark.parametrize(
    ("path", "value", "left"),
    [
        ("value:**.card_number", {"a": [{"b": CARD}], **CARD}, {"a": [{"b": HIDDEN}], **HIDDEN}),
        ("value:**.CARD_number", CARD, HIDDEN),
        ("value:address.*", {"address": {"no": 5}, "x": 1}, {"address": {"no": "***"}, "x": 1}),
        ("value:address", {"address": {"street": CANARY}}, {"address": "***"}),
        ("value:cards.number", {"cards": [{"number": CANARY, "ok": 1}]}, {"cards": [{"number": "***", "ok": 1}]}),
        ("value:cards[0]", {"cards": [CANARY, "x"]}, {"cards": ["***", "x"]}),
        ("value:**.c*d*", {"a": {"card": CANARY, "CODE": CANARY}}, {"a": {"card": "***", "CODE": "***"}}),
        ("value:**", {"a": CANARY}, {"a": "***"}),
        ("value:p.card_number", {"p": json.dumps(CARD)}, {"p": '{"card_number":"***"}'}),
        ("value:**.card_number", {"p": json.dumps({"q": json.dumps(CARD)})}, {"p": DEEPLY}),
        ("value:**.card_number", {"p": '{"card_number": "' + CANARY}, {"p": "***"}),  # looks like JSON, and is none
        ("value", {"a": 1}, "***"),
    ],
)  # fmt: skip
def test_values_are_masked_and_their_surroundings_stay(path: str, value: Any, left: Any) -> None:
    found = kept(f'["{path}"]', value=value)
    assert (value_of(found) if path != "value" else found.value) == (left if path != "value" else b"***")
    assert CANARY.encode() not in (found.value or b"")


def test_what_is_in_base64_is_masked_as_data() -> None:
    inside = base64.b64encode(json.dumps({"x": CARD}).encode()).decode()
    masked = value_of(kept('["value:data.x.card_number"]', value={"data_base64": inside}))
    assert json.loads(base64.b64decode(masked["data_base64"])) == {"x": {"card_number": "***"}}
    no_json = base64.b64encode(CANARY.encode()).decode()
    assert value_of(kept('["value:data.x"]', value={"data_base64": no_json})) == {"data_base64": "***"}
    assert value_of(kept('["value:other"]', value={"data_base64": no_json})) == {"data_base64": no_json}


@pytest.mark.parametrize(
    "raw",
    [
        f'{{"card_number": "{CANARY}"'.encode(),
        CANARY.encode(),
        b"\xff" + CANARY.encode(),
        f'"{CANARY}"'.encode(),
        f"<card>{CANARY}</card>".encode(),
        b"\x00\x00\x00\x00\x01" + CANARY.encode(),
        b"4111111111111111",
    ],
)
def test_what_a_path_cannot_be_looked_for_in_is_masked_as_a_whole(raw: bytes) -> None:
    assert kept('["value:**.card_number"]', raw=raw).value == b"***"
    assert kept('["key:card_number"]', value={}, key=raw).key == b"***"
    assert kept('["header:x"]', raw=raw).value == raw


def test_a_name_that_comes_twice_hides_nothing() -> None:
    raw = f'{{"a": {{"card_number": "{CANARY}"}}, "a": {{}}}}'.encode()
    assert value_of(kept('["value:**.card_number"]', raw=raw)) == {"a": {}}


def test_nesting_beyond_measure_is_masked_as_a_whole() -> None:
    raw = b'{"a":' * 900 + json.dumps(CARD).encode() + b"}" * 900
    assert CANARY.encode() not in (kept('["value:**.card_number"]', raw=raw).value or b"")


def test_headers_and_keys() -> None:
    headers: tuple[Header, ...] = (
        ("Authorization", CANARY.encode()),
        ("x-card-no", CANARY.encode()),
        ("x", None),
        ("y", b"1"),
    )
    found = kept('["header:authorization", "header:x-*", "key"]', *headers, value={}, key=CANARY.encode())
    assert found.headers == [("Authorization", b"***"), ("x-card-no", b"***"), ("x", None), ("y", b"1")]
    assert found.key == b"***"
    assert kept('["key:card_number"]', value={}, key=json.dumps(CARD).encode()).key == b'{"card_number":"***"}'
    assert kept('["key", "value"]', raw=b"", key=None).key is None


def test_a_masked_value_is_no_id_and_no_name() -> None:
    content = """
redact: ["header:ce_id", "header:ce_type", "header:ce_subject", "header:ce_correlationid", "value:**.email"]
correlation: [{transaction_id: "value:email", service: "value:email"}]
keys: ["value:email"]
impact: "value:email"
"""
    policy = config.parse("choreoscope.yaml", content).policy
    source = record(
        *cloud_event(name=CANARY, kind=CANARY, transaction=CANARY), value=json.dumps({"email": CANARY}).encode()
    )
    found = configured.read(source, policy.of("orders"))[1]
    assert isinstance(found, Event)
    assert (found.id, found.type, found.transaction_ids, found.keys, found.impact) == (
        source.coordinates, "(no type)", (), (), None,
    )  # fmt: skip
    assert CANARY.encode() not in msgspec.json.encode(found)


class OneSchema:
    """A registry that reads every framed value as JSON behind its frame."""

    def read(self, framed: Framed) -> tuple[Any, str]:
        return json.loads(framed.data), "Avro"


def test_of_what_was_written_with_a_schema_the_masked_document_is_kept() -> None:
    policy = config.parse("choreoscope.yaml", 'redact: ["value:card_number"]').policy
    source = record(*cloud_event(), value=b"\x00\x00\x00\x00\x05" + json.dumps({**CARD, "n": 1}).encode())
    found, decoded = configured.read(source, policy.of("orders"), OneSchema())
    assert json.loads(found.value or b"") == {"card_number": "***", "n": 1}
    assert isinstance(decoded, Event)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["card", "a", "b"]), inner, max_size=4)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text() | st.just(CANARY), nested))
def test_whatever_the_document_nothing_below_a_masked_name_is_left(document: Any) -> None:
    policy = config.parse("choreoscope.yaml", 'redact: ["value:**.card"]').policy
    found, _ = configured.read(record(value=json.dumps({"x": document}).encode()), policy.of("orders"))
    content = Content(found)

    def check(left: Any) -> None:
        for name, member in (
            left.items() if isinstance(left, dict) else enumerate(left) if isinstance(left, list) else ()
        ):
            if name == "card":
                assert member == "***"
            else:
                check(member)

    check(content.value.document)


def test_what_is_undecodable_says_nothing_of_what_it_held() -> None:
    policy = config.parse("choreoscope.yaml", 'redact: ["value:**.card"]').policy
    for raw in (b'{"a": "' + CANARY.encode(), CANARY.encode(), b"\xff" + CANARY.encode()):
        found = configured.read(record(value=raw), policy.of("orders"))[1]
        assert isinstance(found, Undecodable)
        assert CANARY not in found.detail
