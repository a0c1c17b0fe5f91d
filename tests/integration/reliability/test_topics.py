"""Topics that change while they are read: made anew under their name, given more partitions, cut off at either end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import NewPartitions, NewTopic
from django.utils import timezone

from collector.models import Event, Gap, Heartbeat, Payload, Progress, Topic
from collector.storage.store import database_now
from tests.collecting import Collector, Services, ids_of_events, transaction
from tests.stack.brokers import Broker
from tests.stack.waiting import poll_until

pytestmark = pytest.mark.usefixtures("empty_database")


def make_anew(broker: Broker, topic: str) -> None:
    """Deletes a topic and makes one of the same name as soon as the broker lets us."""
    admin = broker.admin()
    admin.delete_topics([topic])[topic].result(30)

    def made() -> bool:
        return admin.create_topics([NewTopic(topic, 1, 1)])[topic].exception(30) is None

    poll_until(made, 30, f"{topic} to be made anew", every=0.01)


def send(broker: Broker, topic: str, generation: str, count: int) -> list[str]:
    services = Services(broker)  # another producer for each generation: this one knows the topic that is there now
    names = [
        services.event(topic, "OrderPlaced", "order-1", name=f"{generation}-{i}", partition=0) for i in range(count)
    ]
    services.flush()
    return names


@pytest.mark.parametrize("count", [3, 10, 300], ids=["fewer records", "as many records", "more records"])
def test_a_topic_made_anew_is_read_from_its_start_as_another_one(broker: Broker, count: int) -> None:
    """Also where it is made anew at once, and holds more records than had been read of the one before."""
    topic = broker.topic("orders", partitions=1)
    sent = send(broker, topic, "first", 10)
    with Collector(broker) as collector:
        collector.until_read(10)
        make_anew(broker, topic)
        sent += send(broker, topic, "second", count)
        collector.until_read(len(sent))
        sent += send(broker, topic, "third", 2)
        collector.until_read(len(sent))
        collector.until(lambda: Topic.objects.get(vanished_at=None).watermark, "the new topic's watermark")
    assert ids_of_events() == sorted(sent)
    old, new = Topic.objects.order_by("id")
    assert (old.vanished_at is None, new.vanished_at) == (False, None)
    kept = {row.topic_id: (row.first_offset, row.next_offset) for row in Progress.objects.all()}
    assert kept == {old.id: (0, 10), new.id: (0, count + 2)}
    assert {row[0] for row in Event.objects.filter(topic=old.id).values_list("event_id")} == set(sent[:10])
    assert not Gap.objects.exists()


def test_a_topic_made_anew_lets_no_watermark_pass_what_has_not_been_read(broker: Broker) -> None:
    topic = broker.topic("orders", partitions=1)
    send(broker, topic, "first", 10)
    with Collector(broker) as collector:
        collector.until_read(10)
        make_anew(broker, topic)
        send(broker, topic, "second", 10)
        made = database_now()
        for _ in range(4):  # as many records as before: by their offsets alone, everything has been read
            collector.watermarks.step()
        assert not Topic.objects.filter(vanished_at=None, watermark__gte=made).exists()
        collector.until(lambda: Topic.objects.get(vanished_at=None).watermark, "the new topic's watermark")
        assert Event.objects.filter(topic=Topic.objects.get(vanished_at=None).id).count() == 10


@pytest.mark.parametrize(("ago", "waited_for"), [(59, True), (61, False)])
def test_a_cluster_that_nobody_reads_any_more_is_not_waited_for(broker: Broker, ago: int, waited_for: bool) -> None:
    """We were moved to another one; unless somebody reads both, and just has been away for a while."""
    moved = Topic.objects.create(cluster="the one before", uid="uid", name="orders")
    last = timezone.now() - timedelta(minutes=ago)
    Heartbeat.objects.create(name="collector:before", at=last, detail={"cluster": moved.cluster})
    send(broker, broker.topic("orders", partitions=1), "first", 3)
    with Collector(broker) as collector:
        collector.until(Topic.objects.exclude(watermark=None).exists, "a watermark")
    moved.refresh_from_db()
    assert (moved.vanished_at is None) == waited_for
    assert Topic.objects.get(cluster=collector.cluster_id).vanished_at is None


def test_partitions_that_are_added_are_read_from_their_start(broker: Broker) -> None:
    topic = broker.topic("orders", partitions=2)
    # also where reading of what there was began at the end
    with Collector(broker, "topics: {start: latest}") as collector:
        collector.until(lambda: len(collector.source.positions) == 2, "its partitions")
        admin = broker.admin()
        admin.create_partitions([NewPartitions(topic, 4)])[topic].result(30)
        late = Services(broker)
        sent = [late.event(topic, "OrderPlaced", "order-1", partition=3) for _ in range(5)]
        late.flush()
        sent += [late.event(topic, "OrderPlaced", "order-1", partition=0)]
        late.flush()
        collector.until_read(6)
    assert ids_of_events() == sorted(sent)


def test_records_removed_before_a_running_collector_came_to_them_are_a_gap(broker: Broker) -> None:
    topic, services = broker.topic("orders", partitions=1), Services(broker)

    def send_large(count: int) -> None:
        for _ in range(count):
            services.event(topic, "OrderPlaced", "order-1", value=bytes(50_000))
        services.flush()

    with Collector(broker, properties={"queued.max.messages.kbytes": 100}) as collector:
        send_large(1)
        collector.until_read(1)
        # nothing is polled meanwhile, so that the client reads ahead only as far as its queue reaches
        send_large(60)
        admin = broker.admin()
        admin.delete_records([TopicPartition(topic, 0, 55)])[TopicPartition(topic, 0)].result(30)
        collector.until(Gap.objects.exists, "the gap to be noticed")
        collector.until(lambda: Progress.objects.get().next_offset == 61, "what was left")
        (gap,) = Gap.objects.all()
        assert (gap.kind, gap.to_offset) == (Gap.Kind.GAP, 55)
        assert Payload.objects.count() == 61 - (gap.to_offset - gap.from_offset)
        assert transaction("order-1").event_count == Payload.objects.count()
