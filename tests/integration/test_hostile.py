"""Hostile records between good ones: every one of them is kept, and nothing stops for it."""

from __future__ import annotations

import pytest

from collector.models import Event, Payload, Transaction, Uncorrelated, Undecodable
from tests.builders import cloud_event
from tests.collecting import Collector, Services, transaction
from tests.stack.brokers import Broker

pytestmark = pytest.mark.usefixtures("empty_database")

LONG_ID = "order-" + "ä" * 5_000
MEGABYTE = b"\x00\xff" * 490_000


def test_hostile_records_are_kept_and_nothing_stops(broker: Broker) -> None:
    in_order = {"message.max.bytes": 2_000_000, "max.in.flight": 1}  # what is sent again stays before what follows
    topic, services = broker.topic("orders"), Services(broker, **in_order)
    structured = ("content-type", b"application/cloudevents+json")

    def good(name: str) -> None:
        services.publish(topic, *cloud_event("OrderPlaced", "order-good", name), partition=0)

    good("good-1")
    services.publish(topic, structured, value=b'{"specversion": ', partition=0)  # 1: undecodable
    services.publish(topic, value=None, partition=0)  # 2: undecodable
    services.publish(topic, value=b"no headers at all", partition=0)  # 3: undecodable
    services.publish(topic, *cloud_event(transaction=None, name="lost", time=None), partition=0)  # 4: uncorrelated
    broken = cloud_event(name="broken", transaction=None)
    services.publish(topic, *broken, ("ce_correlationid", b"order-\xff\xfe"), partition=0)  # 5
    services.publish(topic, *cloud_event(transaction="order-big", name="big"), value=MEGABYTE, partition=0)  # 6
    services.publish(topic, *cloud_event(transaction="order\x00-nul", name="n\x00l"), value=b"\x00", partition=0)  # 7
    services.publish(topic, *cloud_event(transaction=LONG_ID, name=LONG_ID), partition=0)  # 8
    services.publish(topic, *cloud_event(transaction="order-gone", name="gone"), value=None, partition=0)  # 9
    services.publish(topic, *cloud_event("<b>bold</b>", "<script>", time="9999-99-99"), partition=0)  # 10
    good("good-2")
    services.flush()
    with Collector(broker) as collector:
        collector.until(lambda: transaction("order-good").event_count == 2, "the good ones around the hostile")
        assert_all_kept()
        good("good-3")
        services.flush()
        collector.until(lambda: transaction("order-good").event_count == 3, "what comes later")


def assert_all_kept() -> None:
    undecodable = Undecodable.objects.order_by("offset").values_list("offset", "reason", "size")
    assert list(undecodable) == [(1, "invalid JSON", 16), (2, "no dialect", 0), (3, "no dialect", 17)]
    assert list(Uncorrelated.objects.values_list("offset", "event_id")) == [(4, "lost")]
    assert set(Payload.objects.values_list("offset", flat=True)) == {0, *range(4, 12)}
    names = dict(Event.objects.values_list("offset", "transaction"))
    found = {row.pk: row.transaction_id for row in Transaction.objects.all()}
    ids = {offset: found[row] for offset, row in names.items()}
    assert (ids[5], ids[7], ids[10]) == ("order-\ufffd\ufffd", "order\ufffd-nul", "<script>")
    assert ids[8].startswith("order-ää")
    assert len(ids[8].encode()) <= 200
    assert bytes(Payload.objects.get(offset=6).value) == MEGABYTE
    assert Payload.objects.get(offset=9).value is None
    notes = dict(Event.objects.values_list("offset", "notes"))
    assert notes[5] == ["ce_correlationid is not UTF-8"]
    assert notes[8] == ["id was shortened", "transaction id was shortened"]
    assert notes[10] == ["its time is not readable: the record's stands for it"]


def test_a_header_whose_name_is_not_utf8_makes_a_record_undecodable(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's producer refuses to send such a name, and so do most; one that does not is imitated."""
    topic, services = broker.topic("orders"), Services(broker)
    services.publish(topic, *cloud_event(), partition=0)
    services.flush()
    monkeypatch.setattr("collector.kafka.source.cast", _broken_name)
    with Collector(broker) as collector:
        collector.until(Undecodable.objects.exists, "the record")
    found = Undecodable.objects.get()
    assert (found.reason, found.detail) == ("headers", "A header's name is not UTF-8.")


def _broken_name(_: object, headers: object) -> object:
    raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")


def test_a_transaction_that_grows_without_bound_is_stored_and_counted_but_judged_no_more(broker: Broker) -> None:
    topic, services = broker.topic("orders"), Services(broker)
    with Collector(broker, "limits: {transaction_events: 50}") as collector:
        for i in range(49):
            services.event(topic, "OrderPlaced", "order-1", name=f"e{i}")
        services.flush()
        collector.until(lambda: transaction("order-1").event_count == 49, "49 events")
        assert not transaction("order-1").oversized
        for i in range(45, 120):  # some of them again
            services.event(topic, "OrderPlaced", "order-1", name=f"e{i}")
        services.flush()
        collector.until(lambda: transaction("order-1").redelivery_count == 4, "the copies")
        collector.until(lambda: transaction("order-1").event_count == 120, "all events")
        row = transaction("order-1")
        assert (row.oversized, row.state, Event.objects.filter(transaction=row.pk).count()) == (True, {}, 120)
