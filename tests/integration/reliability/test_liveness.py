"""How well reading is, on a real Kafka: signs of life, partitions without an answer, transactions that hang."""

from __future__ import annotations

import json
import signal
import socket
import time
import urllib.request
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic
from django.utils import timezone

from collector import queries
from collector.health.counts import Counts
from collector.health.liveness import Liveness, State, TopicState
from collector.kafka import Place
from collector.models import End, Heartbeat, Payload, Topic
from collector.queries.metrics import counts
from tests.builders import cloud_event
from tests.collecting import Collector, Services, transaction
from tests.integration.reliability.processes import Collectors
from tests.stack.brokers import Broker
from tests.stack.kafka import Server
from tests.stack.waiting import poll_until

pytestmark = pytest.mark.usefixtures("empty_database")


def reading() -> Liveness:
    return queries.readiness(timezone.now()).liveness


def states() -> dict[str, TopicState]:
    return {topic.name: state for topic, state in reading().topics}


def counted() -> Counts:
    beat = Heartbeat.objects.filter(name__startswith="collector:").first()
    return counts(beat) if beat else Counts()


def watermark(topic: str) -> datetime:
    found = Topic.objects.get(name=topic).watermark
    assert found
    return found


def test_a_collector_says_that_it_lives_what_it_counts_and_goodbye(broker: Broker) -> None:
    topic = broker.topic("orders", partitions=2)
    services = Services(broker)
    services.event(topic, "OrderPlaced", "order-1", partition=0)
    services.publish(topic, value=b"{no", partition=1)
    services.flush()
    with Collector(broker) as collector:
        collector.until(lambda: sum(counted().records.values()) == 2, "both records to be counted")
        found = counted()
        assert (found.events, sum(found.undecodable.values()), sum(found.delays)) == (1, 1, 2)
        assert found.rebalances >= 1
        assert (reading().state, states()) == (State.LIVE, {topic: TopicState.READ})
    assert reading().state == State.DOWN
    assert "was stopped at" in reading().troubles[0].sentence


def test_a_partition_without_an_answer_is_named_until_it_answers(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, other = broker.topic("orders", partitions=2), broker.topic("payments", partitions=1)
    with Collector(broker) as collector:
        collector.until(lambda: all(Topic.objects.values_list("watermark", flat=True)), "watermarks")
        ends = collector.cluster.ends

        def but_one(places: Iterable[Place]) -> dict[Place, int]:
            return {place: end for place, end in ends(places).items() if place != (topic, 1)}

        with monkeypatch.context() as away:
            away.setattr(collector.cluster, "ends", but_one)
            collector.until(lambda: states()[topic] == TopicState.UNREADABLE, "the topic to be unreadable")
            before = watermark(topic), watermark(other)
            since = End.objects.get(unreadable_since__isnull=False).unreadable_since
            collector.until(lambda: watermark(other) > before[1], "the other topic's watermark to move on")
            assert watermark(topic) == before[0]
            assert End.objects.get(unreadable_since__isnull=False).unreadable_since == since
            assert reading().troubles[0].names == f"{topic}[1]"
        collector.until(lambda: watermark(topic) > before[0], "the watermark to move on")
        assert set(states().values()) == {TopicState.READ}


def test_one_broker_of_two_that_hangs_holds_up_its_own_partitions_only(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.start()
    broker, services = Broker("kafka", server.bootstrap), Services(Broker("kafka", server.bootstrap))
    topic = broker.topic("orders", partitions=1)

    def read_on() -> float:
        """Seconds until an event has been stored and its topic's watermark has passed it."""
        began, count = time.monotonic(), Payload.objects.count()
        services.event(topic, "OrderPlaced", "order-1", partition=0)
        services.flush()
        sent = timezone.now()
        poll_until(lambda: Payload.objects.count() > count and watermark(topic) > sent, 30, "the watermark to move on")
        return time.monotonic() - began

    try:
        with Collectors(broker, tmp_path).running():
            read_on()
            with server.joined() as second:
                there, admin = f"{broker.prefix}there", broker.admin()
                admin.create_topics([NewTopic(there, 1, replica_assignment=[[2]])])[there].result(30)
                poll_until(lambda: states().get(there) == TopicState.READ and watermark(there), 30, "both topics")
                second.send_signal(signal.SIGSTOP)
                poll_until(lambda: states()[there] == TopicState.UNREADABLE, 40, "the partition to be named")
                assert f"{there}[0]" in [trouble.names for trouble in reading().troubles]
                assert sorted(read_on() for _ in range(5))[2] < 3
                second.send_signal(signal.SIGCONT)
                poll_until(lambda: states()[there] == TopicState.READ, 40, "the partition to be read")
    finally:
        server.stop(signal.SIGKILL)


def test_a_transaction_that_hangs_holds_its_own_topic_and_mutes_what_depends_on_it(broker: Broker) -> None:
    orders, payments = broker.topic("orders", partitions=1), broker.topic("payments", partitions=2)
    services = Services(broker)
    for kind in ("OrderPlaced", "OrderCompleted", "OrderCancelled"):
        services.event(orders, kind, "order-0")
    for kind in ("Paid", "Declined"):
        services.event(payments, kind, "order-0", service="payment")
    services.flush()
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": f"{broker.prefix}payment"})
    producer.init_transactions(30)
    with Collector(broker) as collector:
        collector.until_read(5)
        producer.begin_transaction()
        producer.produce(payments, b"{}", headers=list(cloud_event("Paid", "order-9", "paid-9")), partition=0)
        producer.flush(30)
        services.event(orders, "OrderPlaced", "order-1")
        services.flush()
        collector.until(lambda: states()[payments] == TopicState.HELD, "the topic to be held")
        assert (states()[orders], reading().state) == (TopicState.READ, State.LIVE)
        assert f"{payments} is held by an open producer transaction since" in reading().troubles[0].sentence
        waiting = [
            (entry.awaited, entry.count) for entry in queries.muted(reading().standing_still, collector.rulebook)
        ]
        assert waiting == [("Paid or Declined", 1)]
        assert transaction("order-1").overdue_since is None, "its deadline has passed by the clock alone"
        producer.commit_transaction(30)
        collector.until(lambda: transaction("order-1").overdue_since, "the deadline to pass")
        collector.until(lambda: states()[payments] == TopicState.READ, "the topic to be read")


def test_the_command_serves_metrics_and_logs_json(broker: Broker, collectors: Collectors) -> None:
    services = Services(broker)
    services.event(broker.topic("orders", partitions=1), "OrderPlaced", "order-1")
    services.flush()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

    def exposed() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            found: str = answer.read().decode()
            return found

    settings = {"COLLECTOR_METRICS_PORT": str(port), "LOG_FORMAT": "json", "LOG_LEVEL": "DEBUG"}
    with collectors.running(**settings) as collector:
        collector.await_words("stored a batch")
        poll_until(lambda: 'choreoscope_events_stored_total{collector="' in exposed(), 30, "metrics")
        collector.signal(signal.SIGTERM)
        assert collector.await_end() == 0
    entries = [json.loads(line) for line in collector.said().splitlines() if line]
    batch = next(entry for entry in entries if entry["message"].startswith("stored a batch"))
    assert (batch["batch"], batch["records"], batch["events"], batch["level"]) == (1, 1, 1, "debug")
    ours = [entry for entry in entries if entry["logger"].startswith("collector.")]
    assert len({entry["collector"] for entry in ours}) == 1
    assert Heartbeat.objects.get(name__startswith="collector:").detail["stopped"]
