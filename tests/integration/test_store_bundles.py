"""A record that holds several events: each is stored in its transaction, the record once."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from django.utils import timezone

from collector.config import parse
from collector.config.rules import registered
from collector.correlation.events import in_order
from collector.decoding import decode
from collector.intake import isolation
from collector.kafka import Span
from collector.models import Event, Payload, Progress, Topic, Transaction, Uncorrelated, Undecodable
from collector.queries import transaction
from collector.queries.ingestion import uncorrelated
from collector.records import Record, TopicRef
from tests.builders import cloud_event, record
from tests.collecting import CONFIG

pytestmark = pytest.mark.usefixtures("empty_database")

BATCH = ("content-type", b"application/cloudevents-batch+json; charset=utf-8")


def part(name: str, transaction: str | None, kind: str = "OrderPlaced") -> dict[str, Any]:
    found = {"specversion": "1.0", "id": name, "source": "/services/order", "type": kind}
    return found | {"time": timezone.now().isoformat()} | ({"correlationid": transaction} if transaction else {})


def batch(topic: TopicRef, offset: int, *parts: object) -> Record:
    return record(BATCH, value=json.dumps(parts).encode(), topic=topic, offset=offset, timestamp=timezone.now())


@pytest.fixture
def topic() -> TopicRef:
    row = Topic.objects.create(cluster="c", uid="uid", name="orders")
    Progress.objects.create(topic=row, partition=0, next_offset=0, first_offset=0, from_start=True)
    return TopicRef(row.pk, row.cluster, row.uid, row.name)


def store(topic: TopicRef, *records: Record) -> None:
    rulebook = registered(parse("choreoscope.yaml", CONFIG).rulebook)
    start = records[0].offset
    decoded = [(found, decode(found)) for found in records]
    isolation.write([Span(topic, 0, start, start + len(records), list(records))], decoded, rulebook, "writer")


def test_each_event_of_a_batch_goes_into_its_transaction_and_the_record_is_stored_once(topic: TopicRef) -> None:
    several = batch(
        topic, 0, part("e1", "order-1"), part("e2", "order-2"), part("e1", "order-1"), part("e3", "order-1")
    )
    store(topic, several, record(*cloud_event(), topic=topic, offset=1))
    counts = Transaction.objects.values_list("transaction_id", "event_count", "redelivery_count")
    assert sorted(counts) == [("order-1", 3, 1), ("order-2", 1, 0)]
    assert sorted(Event.objects.values_list("event_id", "offset")) == [("e1", 0), ("e2", 0), ("e3", 0), ("event-1", 1)]
    assert sorted(Payload.objects.values_list("offset", flat=True)) == [0, 1]
    assert Payload.objects.get(offset=0).value == several.value
    assert Progress.objects.get().next_offset == 2


def test_what_belongs_to_no_transaction_and_what_is_no_event_is_kept_as_well(topic: TopicRef) -> None:
    store(topic, batch(topic, 0, part("e1", None), 7, part("e2", "order-1"), part("e3", None), {"id": "no event"}))
    assert sorted(Uncorrelated.objects.values_list("event_id", "position")) == [("e1", 0), ("e3", 2)]
    assert [event.event_id for event in uncorrelated(limit=1).items] == ["e3"]
    following = uncorrelated(uncorrelated(limit=1).next or "", limit=1)
    assert [event.event_id for event in following.items] == ["e1"]
    assert Undecodable.objects.get().detail.startswith("Of the 5 parts of the batch 3 are read")
    assert Payload.objects.count() == 1


def test_a_batch_that_the_database_refuses_stands_alone(topic: TopicRef, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.decoding.decoder.values.clean", lambda text: text)
    hostile = batch(topic, 1, part("e1", "order-1"), part("a\x00b", "order-1"))
    store(topic, batch(topic, 0, part("e0", "order-1")), hostile, batch(topic, 2, part("e2", "order-1")))
    assert sorted(Event.objects.values_list("event_id", "offset")) == [("e0", 0), ("e2", 2)]
    assert [(found.offset, found.reason) for found in Undecodable.objects.all()] == [(1, isolation.REASON)]


def test_the_order_of_a_batchs_events_does_not_depend_on_how_they_are_read_back(topic: TopicRef) -> None:
    """They share their coordinates, and here their time as well."""
    time = timezone.now().isoformat()
    parts = [part(f"e{number}", "order-1", f"Step{number}") | {"time": time} for number in (3, 1, 2)]
    store(topic, batch(topic, 0, *parts))
    found = transaction.find("order-1")
    assert found is not None
    assert [event.event_id for event in found.events] == ["e1", "e2", "e3"]
    for skeletons in itertools.permutations(found.skeletons):
        assert [event.id for event in in_order(skeletons)] == ["e1", "e2", "e3"]
