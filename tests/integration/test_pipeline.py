"""From the topics to the tables: nothing is lost, nothing comes twice. On the embedded broker and on Apache Kafka."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from django.db import OperationalError, connection
from django.db.models import Sum

from collector.intake import progress, watermarks
from collector.models import Event, Gap, Payload, Progress, Topic, Transaction, Undecodable
from collector.storage import store
from collector.storage.store import database_now
from tests.builders import cloud_event
from tests.collecting import Collector, Services, ids_of_events, transaction
from tests.stack.brokers import Broker
from tests.stack.waiting import poll_until

pytestmark = pytest.mark.usefixtures("empty_database")


def positions() -> dict[tuple[str, int], int]:
    return {(row.topic.name, row.partition): row.next_offset for row in Progress.objects.select_related("topic")}


def send(services: Services, topic: str, count: int, start: int = 0) -> list[str]:
    """Events of as many transactions as there are partitions, spread over these."""
    names = [
        services.event(topic, "OrderPlaced", f"order-{i % 4}", name=f"{topic}-{i}", partition=i % 4)
        for i in range(start, start + count)
    ]
    services.flush()
    return names


def delete(broker: Broker, topic: str) -> None:
    admin = broker.admin()
    admin.delete_topics([topic])[topic].result(30)
    poll_until(lambda: topic not in admin.list_topics(timeout=10).topics, 30, "the topic to be gone")


def test_events_become_transactions(broker: Broker) -> None:
    topic, services = broker.topic("orders"), Services(broker)
    sent = send(services, topic, 20)
    with Collector(broker) as collector:
        collector.until_read(20)
        assert ids_of_events() == sorted(sent)
        assert sorted(Transaction.objects.values_list("transaction_id", "event_count")) == [
            (f"order-{i}", 5) for i in range(4)
        ]
        assert positions() == {(topic, i): 5 for i in range(4)}
        assert sorted(set(collector.browsers.told)) == [f"order-{i}" for i in range(4)]


def test_few_records_do_not_wait_for_many(broker: Broker) -> None:
    topic, services = broker.topic("orders"), Services(broker)
    send(services, topic, 4)
    with Collector(broker) as collector:
        collector.until_read(4)
        send(services, topic, 1, start=4)
        patience = 20.0
        began = time.monotonic()
        poll_until(lambda: collector.source.poll(300, patience), patience, "the record")
        assert time.monotonic() - began < patience / 2


def test_new_topics_join_by_themselves(broker: Broker) -> None:
    services = Services(broker)
    first = broker.topic("orders")
    with Collector(broker) as collector:
        sent = send(services, first, 4)
        collector.until_read(4)
        for name in ("payments", "stock"):
            sent += send(services, broker.topic(name), 4)
        collector.until_read(12)
        assert ids_of_events() == sorted(sent)
        collector.until(
            lambda: Topic.objects.exclude(watermark=None).count() == 3, "watermarks of the topics that came later"
        )


def test_what_is_excluded_is_not_read(broker: Broker) -> None:
    services, wanted, unwanted = Services(broker), broker.topic("orders"), broker.topic("private")
    send(services, unwanted, 4)
    sent = send(services, wanted, 4)
    with Collector(broker, "topics: {exclude: ['private$']}") as collector:
        collector.until_read(4)
        collector.until(lambda: Topic.objects.get().watermark, "the watermark of the one topic that is read")
        assert ids_of_events() == sorted(sent)


def test_a_collector_that_stops_and_starts_loses_nothing_and_counts_nothing_twice(broker: Broker) -> None:
    topic, services = broker.topic("orders"), Services(broker)
    sent = []
    for round_ in range(3):
        sent += send(services, topic, 12, start=12 * round_)
        with Collector(broker) as collector:
            collector.until_read(len(sent))
    assert ids_of_events() == sorted(sent)
    assert Transaction.objects.aggregate(n=Sum("event_count"), again=Sum("redelivery_count")) == {"n": 36, "again": 0}


def test_two_collectors_share_the_partitions(broker: Broker) -> None:
    topic, services = broker.topic("orders"), Services(broker)
    with Collector(broker) as one, Collector(broker) as other:

        def both_have_some() -> bool:
            other.turn()
            return len(one.source.positions) == len(other.source.positions) == 2

        one.until(both_have_some, "both collectors with two partitions each")
        sent = send(services, topic, 40)

        def all_read() -> bool:
            other.turn()
            return Payload.objects.count() == 40

        one.until(all_read, "40 records by both collectors")
        assert {*one.browsers.told, *other.browsers.told} == {f"order-{i}" for i in range(4)}
        assert one.browsers.told
        assert other.browsers.told
    assert ids_of_events() == sorted(sent)


def test_copies_of_an_event_are_counted_as_redeliveries(broker: Broker) -> None:
    topic, services = broker.topic("orders"), Services(broker)
    with Collector(broker) as collector:
        for times in (2, 1):
            for _ in range(times):
                services.event(topic, "OrderPlaced", "order-1", name="event-1", partition=0)
            services.flush()
            collector.until(lambda: transaction("order-1").redelivery_count >= 1, "a redelivery")
        collector.until(lambda: transaction("order-1").redelivery_count == 2, "two redeliveries")
        found = transaction("order-1")
        (event,) = Event.objects.filter(transaction=found.pk)
        assert (found.event_count, event.redeliveries, event.offset) == (1, 2, 0)


def test_records_below_stored_progress_are_dropped(broker: Broker) -> None:
    """Another collector has stored them meanwhile: what was fetched must not be counted again."""
    topic, services = broker.topic("orders"), Services(broker)
    with Collector(broker) as collector:
        collector.until(lambda: len(collector.source.positions) == 4, "its partitions")
        Progress.objects.filter(topic__name=topic).update(next_offset=2)
        sent = send(services, topic, 12)
        collector.until_read(4)
        collector.until(lambda: set(positions().values()) == {3}, "progress past the records")
        assert ids_of_events() == sorted(sent[8:])


def test_where_stored_progress_is_behind_the_records_are_read_again(broker: Broker) -> None:
    """As after a database was restored: nothing is written until what lies between has been read again."""
    topic, services = broker.topic("orders"), Services(broker)
    with Collector(broker) as collector:
        sent = send(services, topic, 8)
        collector.until_read(8)
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE collector_event, collector_payload, collector_transition")
        Transaction.objects.all().delete()
        Progress.objects.filter(topic__name=topic).update(next_offset=0)
        sent += send(services, topic, 4, start=8)
        collector.until_read(12)
        assert ids_of_events() == sorted(sent)
        assert Transaction.objects.aggregate(n=Sum("event_count"), again=Sum("redelivery_count")) == {
            "n": 12,
            "again": 0,
        }


def test_when_the_database_fails_the_batch_is_read_again(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    topic, services = broker.topic("orders"), Services(broker)
    write, attempts = store.write, []

    def failing_twice(*batch: Any) -> store.Written:
        attempts.append(batch)
        if len(attempts) == 1:
            raise OperationalError("the connection was lost before the batch was written")
        written = write(*batch)
        if len(attempts) == 2:
            raise OperationalError("the connection was lost after the batch was written")
        return written

    monkeypatch.setattr(store, "write", failing_twice)
    with Collector(broker) as collector:
        sent = send(services, topic, 12)
        collector.until_read(12)
        sent += send(services, topic, 4, start=12)
        collector.until_read(16)
        assert len(attempts) > 2
    assert ids_of_events() == sorted(sent)
    assert Transaction.objects.aggregate(n=Sum("redelivery_count"))["n"] == 0


def test_records_that_were_removed_before_they_were_read_are_a_gap(broker: Broker) -> None:
    if not broker.is_real:
        pytest.skip("The embedded broker removes no records.")
    topic, services = broker.topic("orders", partitions=1), Services(broker)
    with Collector(broker) as collector:
        for i in range(4):
            services.event(topic, "OrderPlaced", "order-1", name=f"e{i}", partition=0)
        services.flush()
        collector.until_read(4)
    for i in range(4, 10):
        services.event(topic, "OrderPlaced", "order-1", name=f"e{i}", partition=0)
    services.flush()
    admin = broker.admin()
    admin.delete_records([TopicPartition(topic, 0, 7)])[TopicPartition(topic, 0)].result(30)
    with Collector(broker) as collector:
        collector.until_read(7)
    assert ids_of_events() == ["e0", "e1", "e2", "e3", "e7", "e8", "e9"]
    (gap,) = Gap.objects.all()
    assert (gap.kind, gap.partition, gap.from_offset, gap.to_offset) == (Gap.Kind.GAP, 0, 4, 7)


def test_a_log_that_ends_before_the_place_read_to_is_a_truncation_and_is_read_from_its_start(broker: Broker) -> None:
    topic, services = broker.topic("orders"), Services(broker)
    with Collector(broker) as collector:
        sent = send(services, topic, 8)
        services.publish(topic, partition=0)
        services.flush()
        collector.until_read(8)
        collector.until(Undecodable.objects.exists, "the record that nothing can read")
    Progress.objects.filter(topic__name=topic, partition=0).update(next_offset=5)
    with Collector(broker) as collector:
        collector.until(Gap.objects.exists, "the truncation")
        collector.until(lambda: positions().get((topic, 0)) == 3, "the log read again from its start")
        sent += send(services, topic, 4, start=8)
        collector.until(lambda: positions().get((topic, 0)) == 4, "what came later")
        collector.until_read(12)
    (gap,) = Gap.objects.all()
    assert (gap.kind, gap.partition, gap.from_offset, gap.to_offset) == (Gap.Kind.TRUNCATION, 0, 3, 5)
    assert ids_of_events() == sorted(sent)


@pytest.mark.parametrize(("start", "expected"), [("latest", 4), ("1h", 8), ("earliest", 8)])
def test_reading_starts_where_the_configuration_says(broker: Broker, start: str, expected: int) -> None:
    if start == "1h" and not broker.is_real:
        pytest.skip("The embedded broker cannot look records up by their time.")
    old, services = broker.topic("orders"), Services(broker)
    send(services, old, 4)
    with Collector(broker, f"topics: {{start: {start}}}") as collector:
        send(services, old, 4, start=4)
        # a topic that comes later is read from its beginning, wherever reading of the others began
        send(services, broker.topic("payments"), 4)
        collector.until_read(4 + expected)
        collector.until(lambda: Topic.objects.exclude(watermark=None).count() == 2, "both watermarks")
    assert len(ids_of_events()) == 4 + expected
    assert set(Progress.objects.filter(topic__name=old).values_list("from_start", flat=True)) == {start != "latest"}


def test_a_watermark_rises_as_soon_as_what_it_asks_for_is_stored(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, services = broker.topic("orders"), Services(broker)
    with Collector(broker) as collector:
        send(services, topic, 4)
        collector.until_read(4)
        send(services, topic, 4, start=4)
        sent = database_now()
        collector.watermarks.step()
        collector.watermarks.follow()
        assert not Topic.objects.filter(watermark__gte=sent).exists()

        def forbid(*_: object) -> None:
            raise AssertionError("no broker is to be asked")

        with monkeypatch.context() as patch:
            for name in ("describe", "ends", "stable_ends"):
                patch.setattr(collector.cluster, name, forbid)

            def read_and_follow() -> bool:
                collector.pipeline.step()
                collector.watermarks.follow()
                return Topic.objects.filter(watermark__gte=sent).exists()

            poll_until(read_and_follow, 10, "the watermark to rise", every=0.01)
        assert len(ids_of_events()) == 8


def test_a_topic_made_anew_is_another_topic(broker: Broker) -> None:
    if not broker.is_real:
        pytest.skip("The embedded broker has no topic ids.")
    topic, services = broker.topic("orders", partitions=4), Services(broker)
    with Collector(broker) as collector:
        first = send(services, topic, 8)
        collector.until_read(8)
        delete(broker, topic)
        broker.topic("orders")
        second = send(Services(broker), topic, 4, start=8)
        collector.until_read(12)
        assert ids_of_events() == sorted(first + second)
        collector.until(lambda: Topic.objects.get(vanished_at=None).watermark, "the new topic's watermark")
        assert Topic.objects.filter(name=topic).exclude(vanished_at=None).count() == 1
        assert not Gap.objects.exists()


def test_a_topic_that_was_deleted_holds_no_deadline_up(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    if not broker.is_real:
        pytest.skip("The embedded broker deletes no topics.")
    kept, gone, services = broker.topic("orders"), broker.topic("payments"), Services(broker)
    with Collector(broker) as collector:
        send(services, gone, 4)
        collector.until_read(4)
        delete(broker, gone)
        monkeypatch.setattr(watermarks, "GONE_AFTER", timedelta(seconds=1))
        collector.until(lambda: Topic.objects.get(name=gone).vanished_at, "the topic to be noticed as gone")
        services.event(kept, "OrderPlaced", "order-9")
        services.flush()
        collector.until(lambda: transaction("order-9").overdue_since, "the deadline to pass")


def test_markers_of_transactions_hold_no_watermark_up(broker: Broker) -> None:
    if not broker.is_real:
        pytest.skip("The embedded broker writes no markers.")
    topic = broker.topic("orders", partitions=1)
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": f"{broker.prefix}shop"})
    producer.init_transactions(30)
    with Collector(broker) as collector:
        for name, commits in (("kept", True), ("undone", False)):
            producer.begin_transaction()
            producer.produce(topic, b"{}", headers=list(cloud_event("OrderPlaced", "order-1", name)))
            if commits:
                producer.commit_transaction(30)
            else:
                producer.flush(30)
                producer.abort_transaction(30)
        collector.until(lambda: positions().get((topic, 0)) == 4, "progress past the markers")
        before = collector.until(lambda: Topic.objects.get().watermark, "a watermark")
        collector.until(lambda: Topic.objects.get().watermark > before, "the watermark to move on")
    assert ids_of_events() == ["kept"]


def test_a_partition_that_was_never_registered_is_behind(broker: Broker) -> None:
    topic = broker.topic("orders")
    with Collector(broker) as collector:
        collector.until(lambda: len(collector.source.positions) == 4, "its partitions")
        Progress.objects.all().delete()
        sent = send(Services(broker), topic, 4)
        collector.until_read(4)
        assert ids_of_events() == sorted(sent)
        assert progress.locate(collector.cluster, collector.cluster_id, [(topic, 0)])[topic, 0].offset == 1
