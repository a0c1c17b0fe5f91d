"""What topics hold in production: transactions, compression, compaction, timestamps of either kind, large records."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import NewTopic
from django.utils import timezone

from collector.models import Event, Gap, Payload, Progress, Topic
from tests.builders import cloud_event
from tests.collecting import Collector, Services, ids_of_events, transaction
from tests.stack.brokers import Broker
from tests.stack.waiting import poll_until

pytestmark = pytest.mark.usefixtures("empty_database")

LARGE = 12_000_000


def make(broker: Broker, name: str, **settings: str) -> str:
    """A topic with one partition and these settings (`max_message_bytes` is `max.message.bytes`)."""
    topic, admin = f"{broker.prefix}{name}", broker.admin()
    properties = {key.replace("_", "."): value for key, value in settings.items()}
    admin.create_topics([NewTopic(topic, 1, 1, config=properties)])[topic].result(30)
    return topic


def transactional(broker: Broker) -> Producer:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": f"{broker.prefix}shop"})
    producer.init_transactions(30)
    return producer


def produce(producer: Producer, topic: str, *names: str) -> None:
    for name in names:
        producer.produce(topic, b"{}", headers=list(cloud_event("OrderPlaced", "order-1", name)), partition=0)
    assert producer.flush(30) == 0


def read_to(*offsets: int) -> Callable[[], bool]:
    return lambda: tuple(Progress.objects.order_by("topic__name").values_list("next_offset", flat=True)) == offsets


def test_what_a_producer_takes_back_never_shows(broker: Broker) -> None:
    topic, producer = broker.topic("orders", partitions=1), transactional(broker)
    with Collector(broker) as collector:
        for name, commits in (("first", True), ("undone", False), ("last", True)):
            producer.begin_transaction()
            produce(producer, topic, f"{name}-1", f"{name}-2")
            if commits:
                producer.commit_transaction(30)
            else:
                producer.abort_transaction(30)
            collector.turn()
        collector.until(read_to(9), "reading to come past the last marker")
        assert ids_of_events() == ["first-1", "first-2", "last-1", "last-2"]
        assert not Gap.objects.exists()
        before = timezone.now()
        collector.until(Topic.objects.filter(watermark__gt=before).exists, "the watermark to move on")


def test_a_transaction_that_hangs_holds_its_own_topic_only(broker: Broker) -> None:
    held, free = broker.topic("a-held", partitions=1), broker.topic("b-free", partitions=1)
    producer, services = transactional(broker), Services(broker)
    with Collector(broker) as collector:
        services.event(held, "OrderPlaced", "order-1", name="before", partition=0)
        services.event(free, "OrderPlaced", "order-2", name="beside", partition=0)
        services.flush()
        collector.until(read_to(1, 1), "both records")
        collector.until(lambda: Topic.objects.exclude(watermark=None).count() == 2, "both watermarks")
        producer.begin_transaction()
        produce(producer, held, "hanging")
        services.event(held, "OrderPlaced", "order-1", name="behind", partition=0)
        services.flush()
        hanging = timezone.now()
        collector.until(Topic.objects.filter(name=free, watermark__gt=hanging).exists, "the free topic's watermark")
        for _ in range(5):
            collector.turn()
        assert not Topic.objects.filter(name=held, watermark__gt=hanging).exists()
        assert ids_of_events() == ["before", "beside"]
        producer.commit_transaction(30)
        collector.until(read_to(4, 1), "what had been held")
        assert ids_of_events() == ["before", "behind", "beside", "hanging"]
        collector.until(Topic.objects.filter(name=held, watermark__gt=hanging).exists, "the held topic's watermark")


def test_every_compression_is_read(broker: Broker) -> None:
    topic = broker.topic("orders", partitions=1)
    codecs = ("none", "gzip", "snappy", "lz4", "zstd")
    value = b'{"like": "this"}' * 50
    for codec in codecs:
        services = Services(broker, **{"compression.type": codec, "linger.ms": 100})
        for number in range(10):
            services.event(topic, "OrderPlaced", "order-1", name=f"{codec}-{number}", partition=0, value=value)
        services.flush()
    with Collector(broker) as collector:
        collector.until_read(50)
    assert len(ids_of_events()) == 50
    assert {bytes(found) for found in Payload.objects.values_list("value", flat=True)} == {value}


def await_compaction(broker: Broker, topic: str, left: list[str | None]) -> None:
    """Waits until the cleaner has left records with these keys only."""
    reader = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": f"{broker.prefix}reader"})

    def keys() -> bool:
        reader.assign([TopicPartition(topic, 0, 0)])
        found = [message.key() for message in reader.consume(10, 1) if message.error() is None]
        assert [key and key.decode() for key in found] == left
        return True

    poll_until(keys, 60, "the cleaner")
    reader.close()


def test_what_was_compacted_away_is_no_gap_and_a_tombstone_is_an_event(broker: Broker) -> None:
    topic = make(
        broker,
        "stock",
        cleanup_policy="compact",
        segment_ms="100",
        min_cleanable_dirty_ratio="0.001",
        delete_retention_ms="600000",
    )
    producer = Producer({"bootstrap.servers": broker.bootstrap})

    def change(key: str, name: str, value: bytes | None = b"{}", ago: float = 10) -> None:
        headers = list(cloud_event("StockChanged", "order-1", name))
        stamp = int((timezone.now().timestamp() - ago) * 1000)
        producer.produce(topic, value, key=key.encode(), headers=headers, partition=0, timestamp=stamp)
        assert producer.flush(30) == 0

    for number in range(5):
        change("shoes", f"shoes-{number}")
    change("hats", "hats")
    change("hats", "no more hats", None)
    change("belts", "belts", ago=0)  # begins another segment, by its timestamp; the last one is never cleaned
    await_compaction(broker, topic, ["shoes", "hats", "belts"])
    with Collector(broker) as collector:
        collector.until(read_to(8), "the end")
    assert ids_of_events() == ["belts", "no more hats", "shoes-4"]
    assert Payload.objects.get(offset=6).value is None
    assert not Gap.objects.exists()


def test_timestamps_of_either_kind(broker: Broker) -> None:
    """LogAppendTime is the broker's, whatever the producer says; CreateTime is the producer's, however wrong."""
    appended = make(broker, "appended", message_timestamp_type="LogAppendTime")
    created = make(broker, "created", message_timestamp_type="CreateTime", message_timestamp_after_max_ms=str(2**62))
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    began = timezone.now() - timedelta(seconds=1)
    moments = {"past": datetime(2001, 2, 3, tzinfo=UTC), "future": datetime(2101, 2, 3, tzinfo=UTC)}
    with Collector(broker) as collector:
        for topic in (appended, created):
            for name, moment in moments.items():
                headers = list(cloud_event("OrderPlaced", "order-1", f"{topic}-{name}"))
                producer.produce(topic, b"{}", headers=headers, timestamp=int(moment.timestamp() * 1000))
        assert producer.flush(30) == 0
        collector.until_read(4)
        stamps = dict(Event.objects.values_list("event_id", "record_time"))
        for name, moment in moments.items():
            assert stamps[f"{created}-{name}"] == moment
            assert began < stamps[f"{appended}-{name}"] < timezone.now()
        # the watermark goes by none of them
        read = timezone.now()
        collector.until(lambda: Topic.objects.filter(watermark__gt=read).count() == 2, "both watermarks to move on")
        assert not Topic.objects.filter(watermark__gt=timezone.now()).exists()


def test_records_of_several_megabytes_are_read_and_hold_nothing_up(broker: Broker) -> None:
    topic = make(broker, "documents", max_message_bytes=str(LARGE + 10_000))
    services = Services(broker, **{"message.max.bytes": LARGE + 10_000})
    with Collector(broker) as collector:
        for number in range(3):
            services.event(topic, "OrderPlaced", "order-1", name=f"large-{number}", value=bytes(LARGE))
            services.event(topic, "OrderPlaced", "order-1", name=f"small-{number}")
        services.flush()
        collector.until(read_to(6), "the end")
    assert transaction("order-1").event_count == 6
    assert list(Payload.objects.order_by("offset").values_list("size", flat=True)) == [LARGE, 2] * 3
