"""Brokers that go away and come back, members that come and go."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable

import pytest
from django.db.models import Sum

from collector.kafka import Bounds, Place
from collector.models import Gap, Heartbeat, Payload, Progress, Topic, Transaction
from tests.collecting import Collector, Services, ids_of_events
from tests.integration.reliability.processes import Collectors
from tests.stack.brokers import Broker
from tests.stack.kafka import Server
from tests.stack.waiting import poll_until


class Sender:
    """Sends events of three transactions in turns to the partitions of a topic, and knows what it sent."""

    def __init__(self, broker: Broker, topic: str, partitions: int) -> None:
        self._services, self._topic, self._partitions = Services(broker), topic, partitions
        self.sent: list[str] = []

    def send(self, count: int) -> None:
        for _ in range(count):
            number = len(self.sent)
            where = {"name": f"event-{number}", "partition": number % self._partitions}
            self.sent.append(self._services.event(self._topic, "OrderPlaced", f"order-{number % 3}", **where))
        self._services.flush()

    def await_stored(self, timeout: float = 30) -> None:
        """Waits until all has been stored; it is exactly once then."""
        poll_until(lambda: Payload.objects.count() >= len(self.sent), timeout, f"{len(self.sent)} records")
        assert ids_of_events() == sorted(self.sent)
        totals = Transaction.objects.aggregate(n=Sum("event_count"), again=Sum("redelivery_count"))
        assert totals == {"n": len(self.sent), "again": 0}


def members(broker: Broker) -> dict[str, int]:
    """The members of the collectors' group, and how many partitions each has."""
    group, admin = f"{broker.prefix}collector", broker.admin()
    found = admin.describe_consumer_groups([group])[group].result(10).members
    return {member.member_id: len(member.assignment.topic_partitions) for member in found}


def shares(broker: Broker, *counts: int) -> Callable[[], bool]:
    return lambda: sorted(members(broker).values()) == sorted(counts)


def test_when_kafka_restarts_reading_goes_on(broker: Broker, collectors: Collectors, kafka: Server) -> None:
    sender = Sender(broker, broker.topic("orders", partitions=2), 2)
    with collectors.running() as collector:
        sender.send(10)
        sender.await_stored()
        signs = Heartbeat.objects.filter(name__startswith="collector:")
        poll_until(signs.exists, 10, "a sign of life")
        with kafka.away():
            beat = signs.get().at
            poll_until(lambda: signs.get().at > beat, 10, "a sign of life without Kafka")
        sender.send(10)
        sender.await_stored()
        poll_until(Topic.objects.exclude(watermark=None).exists, 10, "a watermark")
        assert collector.process.poll() is None


@pytest.mark.usefixtures("empty_database")
def test_while_brokers_do_not_say_where_partitions_begin_polling_goes_on(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of the partitions that are being read, while others are newly assigned."""
    services, first = Services(broker), broker.topic("orders", partitions=1)
    answers = threading.Event()
    with Collector(broker) as collector:
        collector.until(lambda: collector.source.partitions == 1, "its partition")
        bounds = collector.cluster.bounds

        def late(places: Iterable[Place]) -> dict[Place, Bounds]:
            answers.wait(30)
            return bounds(places)

        monkeypatch.setattr(collector.cluster, "bounds", late)
        second = broker.topic("payments", partitions=1)
        services.event(second, "Paid", "order-1", partition=0)
        services.flush()
        collector.until(lambda: (second, 0) in collector.source.unlocated, "the new partition")
        for number in range(5):
            services.event(first, "OrderPlaced", f"order-{number}", partition=0)
            services.flush()
            began = time.monotonic()
            collector.until_read(number + 1)
            assert time.monotonic() - began < 5
        assert (second, 0) in collector.source.unlocated
        answers.set()
        collector.until_read(6)


def test_a_collector_ends_when_it_is_told_to_though_kafka_hangs(
    broker: Broker, collectors: Collectors, kafka: Server
) -> None:
    sender = Sender(broker, broker.topic("orders", partitions=2), 2)
    sender.send(10)
    with collectors.running() as collector:
        sender.await_stored()
        with kafka.frozen():
            collector.signal(signal.SIGTERM)
            assert collector.await_end(25) == 0
    with collectors.running():
        sender.send(10)
        sender.await_stored()


def test_collectors_share_the_partitions_and_one_that_leaves_in_good_order_is_replaced_at_once(
    broker: Broker, collectors: Collectors
) -> None:
    """The group's time-out is far longer than what the test waits: it is told of the leaving."""
    sender = Sender(broker, broker.topic("orders", partitions=4), 4)
    patient = {"session.timeout.ms": "45000"}
    with collectors.running(properties=patient) as one:
        poll_until(shares(broker, 4), 30, "one with all partitions")
        sender.send(40)
        with collectors.running(properties=patient) as other:
            poll_until(shares(broker, 2, 2), 30, "two with two partitions each")
            sender.send(400)
            one.signal(signal.SIGTERM)
            left = time.monotonic()
            assert one.await_end(10) == 0
            poll_until(shares(broker, 4), 10, "the other with all partitions")
            assert time.monotonic() - left < 10
            sender.send(40)
            sender.await_stored()
            assert other.process.poll() is None
    assert not Gap.objects.exists()
    assert {row.next_offset for row in Progress.objects.all()} == {120}


def test_while_one_joins_the_partitions_that_others_keep_are_read_on(broker: Broker, collectors: Collectors) -> None:
    """Cooperative rebalancing: what does not move is not interrupted, so that nothing of it is read again."""
    topic = broker.topic("orders", partitions=4)
    sender = Sender(broker, topic, 4)
    with collectors.running() as one, collectors.running():
        poll_until(shares(broker, 2, 2), 30, "two with two partitions each")
        before = members(broker)
        with collectors.running():
            poll_until(shares(broker, 1, 1, 2), 30, "three that share")
            assert before.keys() <= members(broker).keys()
            sender.send(40)
            sender.await_stored()
        assert "revoking assignment" not in one.said()


def lose_the_end(kafka: Server, topic: str) -> None:
    """Kafka comes back with half of the topic's four batches."""
    with kafka.away():
        (log,) = (kafka.folder / "data" / f"{topic}-0").glob("*.log")
        size = log.stat().st_size
        with log.open("r+b") as file:
            file.truncate(size * 3 // 4 - 10)
        for checkpoint in (kafka.folder / "data").glob("*-checkpoint"):
            if checkpoint.name != "bootstrap.checkpoint":
                checkpoint.unlink()
        (kafka.folder / "data" / ".kafka_cleanshutdown").unlink(missing_ok=True)


@pytest.mark.parametrize("later", [1, 30], ids=["shorter", "longer again"])
def test_a_log_that_lost_its_end_while_it_was_read(
    broker: Broker, collectors: Collectors, kafka: Server, later: int
) -> None:
    """A broker that comes back with less than it had, as after an unclean election: read again from the start.

    Also where the log has become longer than before, until the collector comes back to it.
    """
    topic = broker.topic("orders", partitions=1)
    sender = Sender(broker, topic, 1)
    slow = {"reconnect.backoff.ms": "4000", "reconnect.backoff.max.ms": "4000", "session.timeout.ms": "45000"}
    with collectors.running(properties=slow):
        for _ in range(4):  # each a batch of its own
            sender.send(5)
        sender.await_stored()
        lose_the_end(kafka, topic)
        fresh = Services(broker)
        late = [fresh.event(topic, "OrderPlaced", "order-9", name=f"late-{i}", partition=0) for i in range(later)]
        fresh.flush()
        poll_until(lambda: ids_of_events() == sorted(sender.sent + late), 30, "all that there ever was")
        (gap,) = Gap.objects.all()
        assert (gap.kind, gap.to_offset) == (Gap.Kind.TRUNCATION, 20)
        assert gap.from_offset in {10, 10 + later}  # by the leader epochs, or by the end of the log
        poll_until(lambda: Progress.objects.get().next_offset == 10 + later, 10, "the log's new end")


@pytest.mark.parametrize("later", [1, 30], ids=["shorter", "longer again"])
def test_a_log_that_lost_its_end_while_nobody_read_it(
    broker: Broker, collectors: Collectors, kafka: Server, later: int
) -> None:
    """Noticed by the next collector, though the log may have the place that was read to: what it holds is another."""
    topic = broker.topic("orders", partitions=1)
    sender = Sender(broker, topic, 1)
    with collectors.running():
        for _ in range(4):
            sender.send(5)
        sender.await_stored()
    lose_the_end(kafka, topic)
    fresh = Services(broker)
    late = [fresh.event(topic, "OrderPlaced", "order-9", name=f"late-{i}", partition=0) for i in range(later)]
    fresh.flush()
    with collectors.running():
        poll_until(lambda: ids_of_events() == sorted(sender.sent + late), 30, "all that there ever was")
        (gap,) = Gap.objects.all()
        assert (gap.kind, gap.to_offset) == (Gap.Kind.TRUNCATION, 20)
        poll_until(lambda: Progress.objects.get().next_offset == 10 + later, 10, "the log's new end")
