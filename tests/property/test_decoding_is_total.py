"""Whatever bytes a record holds: decoding never raises, and what it says fits any database and any page."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.decoding import Event, decode
from collector.decoding.dialects import CLOUDEVENTS_BINARY, CLOUDEVENTS_STRUCTURED, GENERIC
from collector.decoding.values import EARLIEST, ID_BYTES, LATEST
from collector.records import Record
from tests.builders import ORDERS, cloud_event, record
from tests.property.hostile import hostile_records

NAMES_OF_DIALECTS = {CLOUDEVENTS_BINARY.name, CLOUDEVENTS_STRUCTURED.name, GENERIC.name}


@given(hostile_records(ORDERS))
@settings(max_examples=1_000)
def test_any_record_becomes_an_event_or_undecodable(hostile: Record) -> None:
    found = decode(hostile)
    assert EARLIEST <= found.record_time < LATEST
    if not isinstance(found, Event):
        assert is_storable(found.reason)
        assert is_storable(found.detail)
        return
    assert EARLIEST <= found.time < LATEST
    assert found.time.tzinfo is UTC
    assert found.dialect in NAMES_OF_DIALECTS
    assert found.id
    assert found.source
    assert found.type
    for name in (found.id, found.source, found.type, found.service, found.subject):
        assert is_bounded(name)
    for name in (*found.transaction_ids, *found.causes):
        assert name.strip()
        assert is_bounded(name)
    assert all(is_storable(text) for text in (found.trace, found.basis, *found.notes))


@given(hostile_records(ORDERS))
def test_decoding_the_same_record_again_says_the_same(hostile: Record) -> None:
    assert decode(hostile) == decode(hostile)


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)), st.integers(0, 9))  # noqa: DTZ001
def test_any_time_is_read_or_replaced(moment: datetime, digits: int) -> None:
    fraction = f".{moment.microsecond:06d}000"[: digits + 1] if digits else ""
    written = f"{moment:%H:%M:%S}{fraction}Z"
    date = f"{moment.year:04d}-{moment:%m-%d}"
    found = decode(record(*cloud_event(time=f"{date}T{written}"), timestamp=None))
    assert isinstance(found, Event)
    cut = moment.microsecond - moment.microsecond % 10 ** max(0, 6 - digits)
    own = moment.replace(microsecond=cut, tzinfo=UTC)
    assert found.time == (own if EARLIEST <= own < LATEST else EARLIEST)


def is_storable(text: str) -> bool:
    """Neither NUL, which PostgreSQL's text cannot hold, nor a lone surrogate, which UTF-8 cannot."""
    text.encode()
    return "\x00" not in text


def is_bounded(name: str) -> bool:
    return is_storable(name) and len(name.encode()) <= ID_BYTES
