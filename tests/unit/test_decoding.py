"""Records as they come from the world, good and hostile, and what decoding makes of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from collector.decoding import Event, Undecodable, decode
from collector.decoding.content import MAX_BODY_BYTES, MAX_HEADERS
from collector.decoding.event import UNTYPED
from collector.decoding.naming import MAX_CAUSES
from collector.decoding.values import EARLIEST, ID_BYTES, bounded, service_of
from collector.records import Record
from tests.builders import NOON, at, cloud_event, record

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ENVELOPE = {
    "specversion": "1.0",
    "id": "event-1",
    "source": "/services/order",
    "type": "OrderPlaced",
    "time": "2026-11-20T12:00:00Z",
    "correlationid": "order-1",
    "causationid": "event-0",
    "data": {"total": 3},
}


def event(found: Record) -> Event:
    decoded = decode(found)
    assert isinstance(decoded, Event), decoded
    return decoded


def undecodable(found: Record) -> Undecodable:
    decoded = decode(found)
    assert isinstance(decoded, Undecodable), decoded
    return decoded


def structured(*, content_type: bytes | None = b"application/cloudevents+json", **changes: object) -> Record:
    body = {name: value for name, value in (ENVELOPE | changes).items() if value is not None}
    headers = [] if content_type is None else [("content-type", content_type)]
    return record(*headers, value=json.dumps(body).encode())


def test_a_cloudevent_in_binary_mode_is_read_from_its_headers() -> None:
    headers = cloud_event("OrderPlaced", "order-1", "event-1", causes=["event-0"], time="2026-11-20T13:00:01+01:00")
    found = event(record(*headers, ("ce_subject", b"a subject"), ("traceparent", TRACE.encode())))
    assert found == Event(
        id="event-1",
        source="/services/order",
        type="OrderPlaced",
        service="order",
        time=at(1),
        record_time=NOON,
        dialect="CloudEvents binary",
        transaction_ids=("order-1",),
        causes=("event-0",),
        subject="a subject",
        trace="0af7651916cd43dd8448eb211c80319c/b7ad6b7169203331",
        basis="header ce_correlationid",
    )


def test_header_names_are_read_without_regard_to_case() -> None:
    found = event(record(*((name.upper(), value) for name, value in cloud_event())))
    assert (found.id, found.transaction_ids, found.dialect) == ("event-1", ("order-1",), "CloudEvents binary")


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/cloudevents+json",
        b"Application/CloudEvents+JSON; charset=UTF-8",
        b" APPLICATION/CLOUDEVENTS",
        None,
    ],
)
def test_a_cloudevent_in_structured_mode_is_read_from_its_value(content_type: bytes | None) -> None:
    found = event(structured(content_type=content_type))
    assert (found.id, found.source, found.type) == ("event-1", "/services/order", "OrderPlaced")
    assert (found.transaction_ids, found.causes, found.time) == (("order-1",), ("event-0",), NOON)
    assert (found.dialect, found.basis, found.notes) == ("CloudEvents structured", "value correlationid", ())


def test_an_envelope_announced_but_incomplete_is_an_event_with_notes() -> None:
    found = event(structured(id=None, type=None))
    assert found.id == "cluster-1/uid-orders/0/7"
    assert found.type == UNTYPED
    assert found.notes == ("no id: its coordinates stand for it", "no type")


def test_json_that_only_resembles_an_envelope_is_of_no_dialect() -> None:
    assert undecodable(structured(content_type=None, specversion=None)).reason == "no dialect"
    assert undecodable(structured(content_type=None, id=7)).reason == "no dialect"


def test_a_number_or_a_boolean_as_an_id_is_read_or_left() -> None:
    assert event(structured(correlationid=4711)).transaction_ids == ("4711",)
    assert event(structured(correlationid=True)).transaction_ids == ()
    assert event(structured(correlationid=["order-1"])).transaction_ids == ()


@pytest.mark.parametrize(
    "name", ["correlation-id", "CorrelationId", "X-Correlation-ID", "transaction-id", "x-request-id"]
)
def test_generic_headers_are_read_where_there_is_no_envelope(name: str) -> None:
    found = event(record((name, b"order-1"), ("message-id", b"m-1"), ("event-type", b"Placed"), ("source", b"shop")))
    assert (found.transaction_ids, found.id, found.type, found.service) == (("order-1",), "m-1", "Placed", "shop")
    assert (found.dialect, found.basis) == ("generic headers", f"header {name.lower()}")


def test_of_several_generic_names_the_most_telling_one_counts() -> None:
    found = event(record(("x-request-id", b"request"), ("correlation-id", b"order-1")))
    assert found.transaction_ids == ("order-1",)


def test_an_event_without_an_envelope_says_what_was_assumed() -> None:
    found = event(record(("correlation-id", b"order-1"), timestamp=at(3)))
    assert (found.id, found.source, found.service) == ("cluster-1/uid-orders/0/7", "orders", "orders")
    assert (found.type, found.time) == (UNTYPED, at(3))
    assert found.notes == (
        "no id: its coordinates stand for it",
        "no source: the topic stands for it",
        "no type",
        "no time: the record's stands for it",
    )


@pytest.mark.parametrize("identifier", [b"", b"  ", b"null", b"NULL", None])
def test_an_id_that_is_not_there_is_never_invented(identifier: bytes | None) -> None:
    headers = [pair for pair in cloud_event() if pair[0] != "ce_correlationid"]
    found = event(record(*headers, ("ce_correlationid", identifier)))
    assert (found.transaction_ids, found.basis) == ((), "")


@pytest.mark.parametrize(
    ("hostile", "reason"),
    [
        (record(value=None), "no dialect"),
        (record(value=b""), "no dialect"),
        (record(value=b"\x00\x01\xff"), "unknown format"),
        (record(value=b'{"a": 1}'), "no dialect"),
        (record(value=b'{"a": '), "invalid JSON"),
        (record(value=b'{"a": "\xff"}'), "invalid JSON"),
        (record(value=b'{"a":' * 100_000), "invalid JSON"),
        (record(("content-type", b"application/cloudevents"), value=b"{"), "invalid JSON"),
        (record(("content-type", b"application/cloudevents"), value=b"[" * 100_000), "invalid JSON"),
        (record(("content-type", b"application/cloudevents"), value=b"[1]"), "invalid value"),
        (record(("content-type", b"application/cloudevents"), value=None), "invalid value"),
        (record(("content-type", b"application/cloudevents"), value=b"{" * (MAX_BODY_BYTES + 1)), "too long"),
        (record(headers_error="A header's name is not UTF-8."), "headers"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_nothing_can_read_is_undecodable_with_its_reason(hostile: Record, reason: str) -> None:
    found = undecodable(hostile)
    assert found.reason == reason
    assert 0 < len(found.detail) <= 500
    assert found.record_time == NOON


def test_a_null_value_is_no_obstacle_where_the_headers_say_it_all() -> None:
    assert event(record(*cloud_event(), value=None)).transaction_ids == ("order-1",)


def test_a_broken_value_is_no_obstacle_to_generic_headers() -> None:
    assert event(record(("correlation-id", b"order-1"), value=b'{"a": ')).transaction_ids == ("order-1",)


def test_headers_that_are_not_utf8_are_read_with_replacements_and_noted() -> None:
    headers = [*cloud_event(transaction=None, source=""), ("ce_correlationid", b"ord\xff1"), ("ce_source", b"/s/\xfe")]
    found = event(record(*headers))
    assert (found.transaction_ids, found.source) == (("ord\ufffd1",), "/s/\ufffd")
    assert found.notes == ("ce_source is not UTF-8", "ce_correlationid is not UTF-8")


def test_characters_that_no_database_takes_are_replaced() -> None:
    assert event(record(*cloud_event(transaction="a\x00b\x1bc"))).transaction_ids == ("a\ufffdb\ufffdc",)
    assert event(structured(correlationid="a\x00b")).transaction_ids == ("a\ufffdb",)
    assert undecodable(structured(correlationid="a\ud800b")).reason == "invalid JSON"


def test_an_id_of_ten_kilobytes_becomes_a_prefix_with_a_digest() -> None:
    long = "order-" + "ä" * 5_000
    found = event(record(*cloud_event(transaction=long + "1", name=long)))
    other = event(record(*cloud_event(transaction=long + "2", name=long)))
    (name,), (another,) = found.transaction_ids, other.transaction_ids
    assert len(name.encode()) <= ID_BYTES
    assert name.startswith("order-ä")
    assert name != another, "ids that differ only at their end stay distinct"
    assert found.notes == ("id was shortened", "transaction id was shortened")


@pytest.mark.parametrize("length", [ID_BYTES - 1, ID_BYTES, ID_BYTES + 1])
def test_ids_are_bounded_in_bytes(length: int) -> None:
    assert (bounded("x" * length) == "x" * length) == (length <= ID_BYTES)
    assert len(bounded("€" * length).encode()) <= ID_BYTES


def test_of_a_header_that_comes_twice_the_last_counts_and_it_is_noted() -> None:
    found = event(record(*cloud_event(), ("CE_CorrelationId", b"order-2")))
    assert found.transaction_ids == ("order-2",)
    assert found.notes == ("a header came twice or some were left out",)


def test_headers_beyond_the_bound_are_left_out_and_noted() -> None:
    many = [(f"h{i}", b"x") for i in range(MAX_HEADERS)]
    assert event(record(*cloud_event(), *many)).notes == ("a header came twice or some were left out",)
    assert undecodable(record(*many, *cloud_event())).reason == "no dialect"


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("2026-11-20T12:00:00Z", 0),
        ("2026-11-20t12:00:00z", 0),
        ("2026-11-20T12:00:00.5Z", 500_000),
        ("2026-11-20T12:00:00.25Z", 250_000),
        ("2026-11-20T12:00:00.123Z", 123_000),
        ("2026-11-20T12:00:00.1234Z", 123_400),
        ("2026-11-20T12:00:00.12345Z", 123_450),
        ("2026-11-20T12:00:00.123456Z", 123_456),
        ("2026-11-20T12:00:00.1234567Z", 123_456),
        ("2026-11-20T12:00:00.12345678+00:00", 123_456),
        ("2026-11-20T12:00:00.123456789Z", 123_456),
        ("2026-11-20T05:00:00.000000001-07:00", 0),
        ("2026-11-20T12:00:00", 0),
    ],
)
def test_times_have_up_to_nine_fractional_digits(written: str, micros: int) -> None:
    found = event(record(*cloud_event(time=written)))
    assert found.time == NOON.replace(microsecond=micros)
    assert found.time.tzinfo is UTC
    assert found.notes == ()


@pytest.mark.parametrize(
    ("written", "note"),
    [
        ("yesterday", "its time is not readable: the record's stands for it"),
        ("1795176000", "its time is not readable: the record's stands for it"),
        ("2026-11-20T12:00:60Z", "its time is not readable: the record's stands for it"),
        ("0001-01-01T00:00:00+14:00", "its time is not readable: the record's stands for it"),
        ("1969-12-31T23:59:59Z", "its time is out of bounds: the record's stands for it"),
        ("9999-12-31T23:59:59Z", "its time is out of bounds: the record's stands for it"),
    ],
)
def test_a_time_that_cannot_be_is_replaced_by_the_records(written: str, note: str) -> None:
    found = event(record(*cloud_event(time=written), timestamp=at(5)))
    assert (found.time, found.record_time, found.notes) == (at(5), at(5), (note,))


def test_a_record_without_a_usable_timestamp_takes_the_events_time() -> None:
    for stamp in (None, datetime(2300, 1, 1, tzinfo=UTC)):
        found = event(record(*cloud_event(), timestamp=stamp))
        assert (found.time, found.record_time) == (NOON, NOON)
        assert found.notes == ("the record has no usable timestamp",)
    nothing = event(record(*cloud_event(time=None), timestamp=None))
    assert (nothing.time, nothing.record_time) == (EARLIEST, EARLIEST)
    assert undecodable(record(timestamp=None)).record_time == EARLIEST


def test_causes_are_separated_by_commas_and_each_counts_once() -> None:
    found = event(record(*cloud_event(causes=["a", " b ", "a", "", "null"])))
    assert found.causes == ("a", "b")


def test_causes_are_bounded() -> None:
    found = event(record(*cloud_event(causes=[f"cause-{i}" for i in range(MAX_CAUSES + 50)])))
    assert len(found.causes) == MAX_CAUSES
    assert found.notes == (f"more than {MAX_CAUSES} causes: the rest was left out",)


@pytest.mark.parametrize(
    ("source", "service"),
    [
        ("/services/payment", "payment"),
        ("/services/payment/", "payment"),
        ("https://example.com/shop/payment", "payment"),
        ("urn:example:payment", "payment"),
        ("payment", "payment"),
        ("/", "/"),
        ("::", "::"),
    ],
)
def test_a_service_is_named_by_the_last_part_of_its_source(source: str, service: str) -> None:
    assert service_of(source) == service
