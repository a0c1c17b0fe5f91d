"""Each dialect's documented sample says what its documents say; and which dialect it is where several share names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from collector.decoding import Event, decode
from collector.decoding import dialects as table
from collector.decoding.described import markdown
from collector.decoding.dialects import DIALECTS
from collector.decoding.event import Failure
from collector.records import Record
from tests.builders import ORDERS, cloud_event, record
from tests.stack.place import ROOT

VECTORS: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parents[1] / "vectors" / "dialects.yaml").read_text())
GUID = "5f0c7d7e-0d5e-4d67-8d0c-5cb1a8a0f7b2"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def as_bytes(written: Any) -> bytes | None:
    if isinstance(written, dict) and set(written) == {"hex"}:
        return bytes.fromhex(written["hex"])
    if written is None or isinstance(written, str):
        return None if written is None else written.encode()
    return json.dumps(written).encode()


def sample(vector: dict[str, Any]) -> Record:
    return record(
        *((name, as_bytes(written)) for name, written in vector.get("headers", {}).items()),
        key=as_bytes(vector.get("key")),
        value=as_bytes(vector.get("value")),
        topic=msgspec.structs.replace(ORDERS, name=vector.get("topic", "orders")),
    )


def event(found: Record) -> Event:
    decoded = decode(found)
    assert isinstance(decoded, Event), decoded
    return decoded


def of(*headers: tuple[str, str], value: object = None, topic: str = "orders") -> Event:
    written = b"plain" if value is None else json.dumps(value).encode()
    named = msgspec.structs.replace(ORDERS, name=topic)
    return event(record(*((name, text.encode()) for name, text in headers), value=written, topic=named))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['dialect']}, {vector['from'][:60]}")
def test_a_documented_sample_says_what_is_documented(vector: dict[str, Any]) -> None:
    found = event(sample(vector))
    assert found.dialect == vector["dialect"]
    expected = dict(vector["expect"])
    assert expected
    for name in expected.keys() & {"transaction_ids", "causes", "notes"}:
        expected[name] = tuple(expected[name])
    if expected.get("failure"):
        expected["failure"] = Failure(**expected["failure"])
    actual = {name: getattr(found, name) for name in expected}
    if "time" in expected:
        actual["time"] = found.time.replace(tzinfo=None).isoformat()
    assert actual == expected


def test_every_dialect_has_a_sample() -> None:
    assert {dialect.name for dialect in DIALECTS} == {vector["dialect"] for vector in VECTORS}


def test_every_dialect_says_where_it_is_documented() -> None:
    assert [d.name for d in DIALECTS if not d.documents] == [table.GENERIC.name, table.TRACED.name, table.FAILED.name]


@pytest.mark.parametrize(
    ("headers", "dialect"),
    [
        ([("id", "1"), ("message-type", "T"), ("conversation-id", "0"), ("correlation-id", "c")], "Wolverine"),
        ([("id", "1"), ("correlation-id", "c")], "generic headers"),
        ([("MessageId", "1"), ("MessageType", "MT_EVENT"), ("CorrelationId", "c")], "Brighter"),
        ([("MessageId", "1"), ("MessageType", "x"), ("CorrelationId", "c"), ("MT-Host-Info", "{}")], "MassTransit"),
        ([("axon-message-id", "1"), ("axon-metadata-traceId", "t")], "Axon 4"),
        ([("axon-message-id", "1"), ("axon-metadata-correlationId", "c")], "Axon 5"),
        ([("NServiceBus.MessageId", "1"), ("correlation-id", "c")], "NServiceBus"),
        ([("ce_specversion", "1.0"), ("NServiceBus.MessageId", "1")], "CloudEvents binary"),
        ([("__TypeId__", "T"), ("correlationId", "c")], "Spring Kafka"),
    ],
)
def test_the_marker_decides_where_headers_share_names(headers: list[tuple[str, str]], dialect: str) -> None:
    assert of(*headers).dialect == dialect
    assert of(*((name.upper(), text) for name, text in reversed(headers))).dialect == dialect


def test_an_outbox_topic_decides_between_debezium_and_wolverine() -> None:
    assert of(("id", "1"), topic="outbox.event.order").dialect == "Debezium outbox"
    both = (("id", "1"), ("message-type", "T"), ("conversation-id", "0"))
    assert of(*both, topic="outbox.event.order").dialect == "Wolverine"
    assert of(("eventType", "T"), topic="outbox.event.order").dialect == "generic headers"


CLOUD_EVENT = {"specversion": "1.0", "id": "1", "source": "s", "type": "T", "traceid": TRACE}


@pytest.mark.parametrize("headers", [(), (("content-type", "application/cloudevents+json"),)])
@pytest.mark.parametrize(
    ("more", "dialect", "transaction"),
    [
        ({}, "CloudEvents structured", ()),
        ({"pubsubname": "p"}, "Dapr", ("0af7651916cd43dd8448eb211c80319c",)),
        ({"pubsubname": "p", "correlationid": "c"}, "Dapr", ("c",)),
        ({"pubsubname": "p", "group": "g"}, "Dapr", ("0af7651916cd43dd8448eb211c80319c",)),
    ],
)
def test_what_builds_on_cloudevents_is_known_by_what_it_adds(
    headers: tuple[tuple[str, str], ...], more: dict[str, str], dialect: str, transaction: tuple[str, ...]
) -> None:
    found = of(*headers, value=CLOUD_EVENT | more)
    assert (found.dialect, found.transaction_ids) == (dialect, transaction)


def test_flowing_retail_announces_nothing() -> None:
    written = CLOUD_EVENT | {"group": "g", "traceid": "order-1"}
    assert of(value=written).dialect == "flowing-retail"
    assert of(value=written).transaction_ids == ("order-1",)
    announced = of(("content-type", "application/cloudevents+json"), value=written)
    assert (announced.dialect, announced.transaction_ids) == ("CloudEvents structured", ())


def test_what_is_announced_as_a_cloudevent_is_none_of_another_envelope() -> None:
    written = CLOUD_EVENT | {"headers": {"ID": "inner"}, "payload": "{}", "metadata": {"$correlationId": "inner"}}
    found = of(("content-type", "application/cloudevents+json"), value=written)
    assert (found.dialect, found.id, found.transaction_ids) == ("CloudEvents structured", "1", ())


def test_a_value_that_has_a_marker_comes_before_names_that_anybody_uses() -> None:
    found = of(("correlation-id", "outer"), ("id", "9"), value=CLOUD_EVENT | {"correlationid": "inner"})
    assert (found.dialect, found.id, found.transaction_ids) == ("CloudEvents structured", "1", ("inner",))


def test_a_name_that_anybody_uses_serves_where_the_envelope_has_no_id() -> None:
    found = event(
        record(*cloud_event(transaction=None), ("x-correlation-id", b"order-1"), ("traceparent", TRACE.encode()))
    )
    assert (found.transaction_ids, found.basis) == (("order-1",), "header x-correlation-id")


def test_an_inner_field_never_beats_the_envelopes() -> None:
    found = of(value=CLOUD_EVENT | {"data": {"id": "inner", "correlationid": "inner", "type": "inner"}})
    assert (found.id, found.type, found.transaction_ids) == ("1", "T", ())
    enveloped = {"messageId": "m", "messageType": ["urn:message:T"], "message": {"conversationId": "inner"}}
    assert of(value=enveloped).transaction_ids == ()


@pytest.mark.parametrize("empty", ["", "null", "NULL", " ", "00000000-0000-0000-0000-000000000000"])
def test_an_empty_id_is_none(empty: str) -> None:
    found = of(("NServiceBus.MessageId", "1"), ("NServiceBus.ConversationId", empty), ("NServiceBus.RelatedTo", empty))
    assert (found.transaction_ids, found.causes, found.basis) == ((), (), "")
    enveloped = {"messageId": "m", "conversationId": empty, "messageType": ["urn:message:T"], "message": {}}
    assert of(value=enveloped).transaction_ids == ()


@pytest.mark.parametrize("value", [None, b""])
def test_a_null_or_empty_value_is_still_an_event(value: bytes | None) -> None:
    assert event(record(("NServiceBus.MessageId", b"1"), value=value)).id == "1"
    assert event(record(*cloud_event(), value=value)).id == "event-1"


def test_masstransits_initiator_is_no_event() -> None:
    assert of(("MessageId", "1"), ("MT-InitiatorId", GUID), ("ConversationId", "c")).causes == ()


def test_a_trace_id_serves_last_and_says_so() -> None:
    traced = (("traceparent", TRACE),)
    assert of(*traced).basis == "trace id in header traceparent"
    named = event(record(*cloud_event(), ("traceparent", TRACE.encode())))
    assert (named.transaction_ids, named.basis) == (("order-1",), "header ce_correlationid")
    assert named.trace == "0af7651916cd43dd8448eb211c80319c/b7ad6b7169203331"
    unnamed = event(record(*cloud_event(transaction=None), ("traceparent", TRACE.encode())))
    assert unnamed.transaction_ids == ("0af7651916cd43dd8448eb211c80319c",)


def test_where_a_trace_started_says_nothing_about_the_hop() -> None:
    found = event(record(*cloud_event(), ("ce_traceparent", TRACE.encode())))
    assert found.trace == "0af7651916cd43dd8448eb211c80319c"
    hop = f"00-{'1' * 32}-{'2' * 16}-00"
    found = event(record(*cloud_event(), ("ce_traceparent", TRACE.encode()), ("traceparent", hop.encode())))
    assert found.trace == f"{'1' * 32}/{'2' * 16}"


def test_a_dead_letter_of_no_dialect_is_kept_as_what_it_is() -> None:
    found = of(("kafka_dlt-original-topic", "orders"), ("kafka_dlt-original-offset", "7"), value={"plain": 1})
    assert found.failure == Failure("Spring dead letter", topic="orders", offset=7)
    assert found.transaction_ids == ()


def test_the_page_about_dialects_is_what_the_tables_say() -> None:
    """`make docs` makes it anew."""
    page = (ROOT / "docs" / "dialects.md").read_text()
    assert page == markdown()
    assert all(f"\n## {dialect.name}\n" in page for dialect in DIALECTS)
