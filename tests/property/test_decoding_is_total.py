"""Whatever bytes a record holds: decoding never raises, and what it says fits any database and any page."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.decoding import Event, decode, opened
from collector.decoding.values import EARLIEST, LATEST
from collector.records import Record, TopicRef
from tests.builders import ORDERS, cloud_event, record
from tests.property.bounds import assert_is_bounded
from tests.property.hostile import Registry, hostile_records

OUTBOX = TopicRef(row=2, cluster="cluster-1", uid="uid-outbox", name="outbox.event.order")
RECORDS = hostile_records(ORDERS) | hostile_records(OUTBOX)


@given(RECORDS)
@settings(max_examples=1_000)
def test_any_record_becomes_events_or_undecodable(hostile: Record) -> None:
    for _, found in opened([(hostile, decode(hostile, Registry()))]):
        assert_is_bounded(found)


@given(RECORDS)
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
