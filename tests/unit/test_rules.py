"""What the configuration adds to the dialects: ids found by path, attributes, business keys, and what is at stake."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from collector import config
from collector.decoding import Bundle, Event, Found, Undecodable, configured
from collector.decoding.content import Unreadable
from collector.decoding.framing import Framed
from collector.intake.reading import Reader
from collector.records import Record, TopicRef
from tests.builders import NOON, Header, cloud_event, record

LEGACY = TopicRef(row=2, cluster="cluster-1", uid="uid-legacy", name="legacy.orders")


def read(content: str, found: Record) -> Found:
    policy = config.parse("choreoscope.yaml", content).policy
    return configured.read(found, policy.of(found.topic.name))[1]


def event(content: str, found: Record) -> Event:
    decoded = read(content, found)
    assert isinstance(decoded, Event), decoded
    return decoded


def legacy(value: Any, *headers: Header, key: bytes | None = None) -> Record:
    return record(*headers, value=json.dumps(value).encode(), topic=LEGACY, key=key)


WHOLE = """
correlation:
  - topics: "^legacy\\\\."
    transaction_id: "value:orders[*].number"
    id: "value:msg"
    type: "header:eventName"
    service: "value:meta.app"
    time: "value:at"
    causes: "value:because[*]"
"""


def test_a_rule_makes_an_event_of_what_no_dialect_reads() -> None:
    value = {
        "orders": [{"number": 17}, {"number": "18"}, {"number": 17}],
        "msg": "m-1",
        "meta": {"app": "billing"},
        "at": "2026-11-20T12:00:05Z",
        "because": ["m-0"],
    }
    found = event(WHOLE, legacy(value, ("eventName", b"InvoiceSent")))
    assert (found.id, found.type, found.service, found.source) == ("m-1", "InvoiceSent", "billing", "billing")
    assert found.transaction_ids == ("17", "18")  # each once
    assert found.time == datetime(2026, 11, 20, 12, 0, 5, tzinfo=UTC)
    assert found.causes == ("m-0",)
    assert (found.dialect, found.basis) == ("configured rule", "rule 1, value:orders[*].number")
    assert found.notes == ()


def test_what_a_rule_does_not_say_is_assumed_and_noted() -> None:
    bare = legacy({"orders": [{"number": 17}]})
    found = event(WHOLE, bare)
    assert (found.id, found.type, found.source) == (bare.coordinates, "(no type)", "legacy.orders")
    assert found.time == NOON
    assert len(found.notes) == 4


def test_without_an_id_the_dialects_say_what_it_is() -> None:
    assert isinstance(read(WHOLE, legacy({"orders": [{"number": "null"}, {"number": ""}, {}]})), Undecodable)


def test_a_rule_goes_before_the_envelope_and_leaves_the_rest_to_it() -> None:
    rule = 'correlation: [{transaction_id: "value:order.number"}]'
    found = event(rule, record(*cloud_event(), value=b'{"order": {"number": 4711}}'))
    assert found.transaction_ids == ("4711",)
    assert (found.id, found.type, found.service, found.dialect) == (
        "event-1", "OrderPlaced", "order", "CloudEvents binary",
    )  # fmt: skip
    assert event(rule, record(*cloud_event(), value=b"{}")).transaction_ids == ("order-1",)


def test_the_first_rule_that_finds_something_counts() -> None:
    rules = """
correlation:
  - {topics: "^other", transaction_id: "text:wrong"}
  - {transaction_id: "value:missing"}
  - {transaction_id: ["value:missing", "header:order", "value:id"], type: ["value:missing", "value:kind"]}
  - {transaction_id: "text:later"}
"""
    found = event(rules, legacy({"id": 5, "kind": "Sent"}, ("Order", b"7")))
    assert (found.transaction_ids, found.type, found.basis) == (("7", "5"), "Sent", "rule 3, header:order")
    assert event(rules, legacy({})).transaction_ids == ("later",)


def test_a_rule_may_name_anything_but_the_transaction() -> None:
    found = event('correlation: [{type: "value:kind"}]', record(*cloud_event(), value=b'{"kind": "Better"}'))
    assert (found.type, found.transaction_ids) == ("Better", ("order-1",))
    assert isinstance(read('correlation: [{type: "value:kind"}]', legacy({})), Undecodable)


@pytest.mark.parametrize(
    "written", [1763640005, 1763640005000, "1763640005000000", "1763640005000000000", "2025-11-20T12:00:05+00:00"]
)
def test_times_may_be_numbers_since_1970(written: object) -> None:
    rule = 'correlation: [{transaction_id: "text:t", time: "value:at"}]'
    assert event(rule, legacy({"at": written})).time == datetime(2025, 11, 20, 12, 0, 5, tzinfo=UTC)


def test_a_time_that_is_none_is_noted() -> None:
    found = event('correlation: [{transaction_id: "text:t", time: "value:at"}]', legacy({"at": "soon"}))
    assert found.time == NOON
    assert "its time is not readable: the record's stands for it" in found.notes


def test_ids_are_bounded_in_length_and_number() -> None:
    found = event(WHOLE, legacy({"orders": [{"number": "x" * 5000}, *({"number": n} for n in range(200))]}))
    assert len(found.transaction_ids) == 100
    assert max(len(name.encode()) for name in found.transaction_ids) <= 200
    assert "transaction id was shortened" in found.notes


def test_business_keys_are_picked_out() -> None:
    content = 'keys: ["value:order.number", "value:customers[*].id", "header:x-tenant"]'
    value = b'{"order": {"number": 4711}, "customers": [{"id": "a"}, {"id": "b"}, {"id": "a"}, {"id": null}]}'
    found = event(content, record(*cloud_event(), ("x-tenant", b" acme "), value=value))
    assert found.keys == (
        ("order.number", "4711"), ("customers[*].id", "a"), ("customers[*].id", "b"), ("x-tenant", "acme"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "impact"),
    [
        ({"total": 12.5}, 12.5),
        ({"total": "12.50"}, 12.5),
        ({"total": [1, 30, 2]}, 30),
        ({"total": "a lot"}, None),
        ({"total": True}, None),
        ({"total": "nan"}, None),
        ({"total": "1e400"}, None),
        ({"total": 10**400}, None),
        ({}, None),
    ],
)
def test_what_is_at_stake_is_a_number(value: object, impact: float | None) -> None:
    found = event('impact: "value:total"', record(*cloud_event(), value=json.dumps(value).encode()))
    assert found.impact == impact


def test_topics_may_differ() -> None:
    content = """
keys: ["value:a"]
impact: "value:b"
overrides:
  - {topics: "^legacy", keys: "value:c", impact: "value:d", payloads: none, undecodable: encrypt}
  - {topics: "orders$", payloads: masked}
  - {topics: "^x", payloads: none}
"""
    policy = config.parse("choreoscope.yaml", content).policy
    found = policy.of("legacy.orders")
    assert [str(path) for path in found.keys] == ["value:a", "value:c"]
    assert (str(found.impact), found.payloads, found.encrypt) == ("value:d", True, True)
    assert (policy.of("x").payloads, policy.of("x").encrypt) == (False, False)
    kept, _ = configured.read(record(topic=TopicRef(3, "c", "x", "x")), policy.of("x"))
    assert kept.withheld


def test_what_is_configured_counts_from_the_next_records_on() -> None:
    content = ['correlation: [{transaction_id: "value:a"}]']
    reader = Reader(lambda: config.parse("choreoscope.yaml", content[-1]).policy)
    found = legacy({"a": 1, "b": 2})
    [(_, before)] = reader.read("legacy.orders", [found])
    content.append('correlation: [{transaction_id: "value:b"}]')
    [(_, after)] = reader.read("legacy.orders", [found])
    assert isinstance(before, Event)
    assert isinstance(after, Event)
    assert (before.transaction_ids, after.transaction_ids) == (("1",), ("2",))


def test_each_event_of_a_batch_is_looked_at_by_itself() -> None:
    parts = [{"specversion": "1.0", "id": f"e{n}", "source": "/s/a", "type": "A", "data": {"order": n}} for n in (1, 2)]
    found = read(
        'correlation: [{transaction_id: "value:data.order"}]',
        record(("content-type", b"application/cloudevents-batch+json"), value=json.dumps(parts).encode()),
    )
    assert isinstance(found, Bundle)
    assert [one.transaction_ids for one in found.found if isinstance(one, Event)] == [("1",), ("2",)]


class Away:
    """A registry that does not answer."""

    def read(self, framed: Framed) -> tuple[Any, str]:
        raise Unreadable("schema registry away", f"{framed.schema} did not come.", passing=True)


def test_of_a_batch_one_undecodable_says_that_its_ids_cannot_be_had_yet() -> None:
    policy = config.parse("choreoscope.yaml", 'correlation: [{transaction_id: "key:order"}]').policy
    parts = [{"specversion": "1.0", "id": name, "source": "/s", "type": "T"} for name in ("a", "b")]
    batch = record(
        ("content-type", b"application/cloudevents-batch+json"),
        key=b"\0\0\0\0\x07\x02x",
        value=json.dumps([*parts, 1]).encode(),
    )
    found = configured.read(batch, policy.of("orders"), Away())[1]
    assert isinstance(found, Bundle)
    assert [one.reason for one in found.found if isinstance(one, Undecodable)] == ["schema registry away"]
