"""Whatever records hold, the store takes them: each is found again in the one table where it belongs."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.correlation.choreography import RuleBook
from collector.decoding import Event, decode, opened
from collector.kafka import Span
from collector.models import Event as StoredEvent
from collector.models import Payload, Progress, Topic, Transaction, Uncorrelated, Undecodable
from collector.records import Record, TopicRef
from collector.storage import store
from tests.builders import ORDERS, choreography, rule
from tests.property.hostile import hostile_records

# hostile types may well be those that rules speak of
BOOK = RuleBook((choreography(rule("null", "0"), starts=("(no type)",), completes=("1",)),))


@pytest.mark.django_db
@pytest.mark.usefixtures("day_tables")
@given(st.lists(hostile_records(ORDERS), min_size=1, max_size=8))
@settings(max_examples=40, deadline=timedelta(seconds=10), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_record_is_kept_where_it_belongs(found: list[Record]) -> None:
    with transaction.atomic():
        row = Topic.objects.create(cluster="c", uid="uid", name="orders")
        Progress.objects.create(topic=row, partition=0, next_offset=0, first_offset=0, from_start=True)
        ref = TopicRef(row.pk, row.cluster, row.uid, row.name)
        records = [
            msgspec.structs.replace(record, topic=ref, partition=0, offset=offset)
            for offset, record in enumerate(found)
        ]
        decoded = [(record, decode(record)) for record in records]
        store.write([Span(ref, 0, 0, len(records), records)], decoded, BOOK, "writer")

        pairs = opened(decoded)
        events = [(record.offset, event) for record, event in pairs if isinstance(event, Event)]
        names = {name for _, event in events for name in event.transaction_ids}
        uncorrelated = {(offset, event.position) for offset, event in events if not event.transaction_ids}
        undecodable = {record.offset for record, found in pairs if not isinstance(found, Event)}
        assert Progress.objects.get().next_offset == len(records)
        assert set(Transaction.objects.values_list("transaction_id", flat=True)) == names
        assert set(Undecodable.objects.values_list("offset", flat=True)) == undecodable
        assert set(Uncorrelated.objects.values_list("offset", "position")) == uncorrelated
        assert set(StoredEvent.objects.values_list("source", "event_id")) == {
            (event.source, event.id) for _, event in events if event.transaction_ids
        }
        values = {offset: (records[offset].key, records[offset].value) for offset, _ in events}
        assert {p.offset: (_bytes(p.key), _bytes(p.value)) for p in Payload.objects.all()} == values
        transaction.set_rollback(True)


def _bytes(stored: memoryview | bytes | None) -> bytes | None:
    return None if stored is None else bytes(stored)
