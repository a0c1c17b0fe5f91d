"""What is read the short way is what would have been read the long way, whatever is slightly wrong about a record."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.decoding import Event, decode, familiar
from collector.decoding.content import Content
from collector.decoding.decoder import decode_at_length
from collector.records import Header, Record, pack_headers
from tests.builders import ORDERS

USUAL: dict[str, bytes] = {
    "ce_specversion": b"1.0",
    "ce_id": b"9b318e33-d26c-46d0-918a-c09d0f6d15b6",
    "ce_source": b"/services/order",
    "ce_type": b"OrderPlaced",
    "ce_time": b"2026-11-20T16:07:54.059233+00:00",
    "ce_correlationid": b"ord-20261120-7f3a91c2",
    "content-type": b"application/json",
    "ce_causationid": b"0f9d6a1e-59a7-4f53-9a3c-55b3f3f2d1c4",
    "ce_subject": b"ord-7f3a91c2",
}
ODD = [
    *(None, b"", b" ", b"null", b"a,b", b"first-of-them,second-of-them,first-of-them", b"\xff\xfe", b"a\x00bcdef"),
    *(b" blank before", b"blank after ", b"x" * 50, b"x" * 51, b"x" * 300, "ä".encode() * 30, b"tab\there", b"***"),
    *(b"0.3", b"1.0 ", b"/", b"urn:a:b", b",,,,,,", b"many," * 150, b"2026-11-20", b"1969-12-31T23:59:59Z"),
    *(b"2026-11-20T16:07:54Z", b"2026-11-20t16:07:54z", b"2026-11-20T16:07:54", b"2026-11-20 16:07:54+02:00"),
    *(b"2200-01-01T00:00:00Z", b"9999-12-31T23:59:59-12:00", b"application/cloudevents+json", b"text/" + b"x" * 100),
]
BESIDE = ["traceparent", "kafka_dlt-original-topic", "correlation-id", "x", "CE_ID", "ce_source", "Content-Type"]
STAMPS = [datetime(2026, 11, 20, tzinfo=UTC), datetime(1969, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC), None]


@st.composite
def nearly_usual(draw: st.DrawFn) -> Record:
    """A record with all the usual headers, up to three of which are odd, missing or beside them, in any order."""
    named: dict[str, bytes | None] = dict(USUAL)
    for name in draw(st.lists(st.sampled_from(sorted(USUAL)), max_size=2)):
        named[name] = draw(st.sampled_from(ODD) | st.binary(max_size=60))
    for name in draw(st.lists(st.sampled_from(sorted(USUAL)), max_size=1)):
        del named[name]
    headers: list[Header] = [
        (draw(st.sampled_from([name, name.upper()])) if name == "ce_id" else name, v) for name, v in named.items()
    ]
    headers += [(name, b"something") for name in draw(st.lists(st.sampled_from(BESIDE), max_size=1))]
    headers = draw(st.permutations(headers))
    return Record(ORDERS, 0, 1, draw(st.sampled_from(STAMPS)), None, b"{}", pack_headers(headers))


@given(nearly_usual())
@settings(max_examples=2_000)
def test_the_short_way_reads_what_the_long_way_reads(record: Record) -> None:
    found = familiar.read(record, record.headers)
    assert found is None or found == decode_at_length(Content(record))
    assert decode(record) == decode_at_length(Content(record))


def test_the_usual_record_is_read_the_short_way() -> None:
    for left_out in ({}, {"ce_causationid"}, {"ce_subject"}, {"content-type"}):
        headers: list[Header] = [(name, value) for name, value in USUAL.items() if name not in left_out]
        record = Record(ORDERS, 0, 1, STAMPS[0], None, b"{}", pack_headers(headers))
        found = familiar.read(record, headers)
        assert isinstance(found, Event)
        assert (found.transaction_ids, found.service) == (("ord-20261120-7f3a91c2",), "order")


def test_layouts_are_remembered_within_bounds() -> None:
    for number in range(familiar.MOST_LAYOUTS + 10):
        familiar.read(Record(ORDERS, 0, 1, STAMPS[0], None, b"{}"), [(f"header-{number}", b"x")])
    familiar.read(Record(ORDERS, 0, 1, STAMPS[0], None, b"{}"), [("x" * familiar.LONGEST_NAMES, b"y"), ("z", b"z")])
    assert 0 < len(familiar.layouts) <= familiar.MOST_LAYOUTS
    assert not any(len(name) > familiar.LONGEST_NAMES / 2 for names in familiar.layouts for name in names)
