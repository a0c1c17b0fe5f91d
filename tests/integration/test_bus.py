"""Back on the bus: what becomes of transactions is published, at least once, and not faster than wanted."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition
from django.conf import settings
from django.test import Client

from collector import actions, bus, config
from collector.config import Bus
from collector.kafka import Letter, Outlet, Sent
from collector.models import Heartbeat, Transaction, Transition
from collector.records import Record
from tests.builders import cloud_event
from tests.feeding import Feed
from tests.stack.brokers import Broker

pytestmark = pytest.mark.django_db

FAST = Bus(publish=True, most_per_minute=10_000)


class Box:
    """Takes letters as brokers would; `takes` decides how many of a call it acknowledges."""

    def __init__(self, takes: Callable[[int], int] = lambda count: count, refuses: Sequence[int] = ()) -> None:
        self.letters: list[Letter] = []
        self._takes, self._refuses = takes, refuses

    def send(self, topic: str, letters: Sequence[Letter], timeout: float) -> Sent:  # noqa: ARG002
        taken = set(range(self._takes(len(letters)))) - set(self._refuses)
        self.letters += [letters[position] for position in sorted(taken)]
        return Sent(taken, dict.fromkeys(self._refuses, "too large"))

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(letter.key.decode(), dict(letter.headers)["ce_type"].decode()) for letter in self.letters]


@pytest.fixture
def announces() -> bool:
    return True


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch, announces: bool) -> Feed:
    known = config.current(settings.CHOREOSCOPE_CONFIG)
    told = msgspec.structs.replace(known.rulebook, announces=announces)
    switched = msgspec.structs.replace(known, rulebook=told, bus=Bus(publish=announces))
    monkeypatch.setattr(config, "current", lambda _: switched)
    return Feed()


def stuck(feed: Feed, count: int = 1) -> None:
    for number in range(count):
        feed.order(f"order-{number}", steps=2, ago=60)
    feed.read()


def data(letter: Letter) -> dict[str, Any]:
    return json.loads(letter.value)


def test_says_what_is_awaited_from_whom_and_since_when(feed: Feed) -> None:
    stuck(feed)
    box = Box()
    assert bus.announce(FAST, box) == 1
    (letter,) = box.letters
    headers = {name: value.decode() for name, value in letter.headers}
    assert (headers["ce_type"], headers["ce_source"]) == ("choreoscope.transaction.stuck", "/choreoscope")
    assert headers["ce_subject"] == headers["ce_correlationid"] == letter.key.decode() == "order-0"
    told = data(letter)
    assert (told["choreography"], told["phase"]) == ("order-fulfilment", "running")
    assert told["waiting_for"] == [
        {"awaited": "StockReserved", "from": "inventory", "since": told["overdue_since"].replace("Z", "+00:00")}
    ]
    assert bus.announce(FAST, box) == 0, "once"


def test_recovery_and_failure_are_told_as_well(feed: Feed) -> None:
    stuck(feed)
    feed.event("order-0", "StockReserved", "inventory", 1, ["OrderPlaced"])
    feed.event("lost", "OrderPlaced", "order", 2)
    feed.event("lost", "OrderCancelled", "order", 1)
    feed.read()
    box = Box()
    bus.announce(FAST, box)
    assert box.told[0] == ("order-0", "choreoscope.transaction.stuck")
    assert set(box.told[1:]) == {
        ("lost", "choreoscope.transaction.failed"),
        ("order-0", "choreoscope.transaction.recovered"),
    }
    (recovered,) = [letter for letter in box.letters if b"recovered" in dict(letter.headers)["ce_type"]]
    assert data(recovered)["was_overdue_since"] is not None


def test_what_is_not_acknowledged_goes_out_again_under_the_same_id(feed: Feed) -> None:
    stuck(feed, 3)
    lost, kept = Box(takes=lambda _: 0), Box(takes=lambda count: min(count, 2))
    assert bus.announce(FAST, lost) == 0
    assert bus.announce(FAST, kept) == 2
    again = Box()
    assert bus.announce(FAST, again) == 1
    assert len({dict(letter.headers)["ce_id"] for letter in kept.letters + again.letters}) == 3
    transition = Transition.objects.get(kind="stuck", transaction=Transaction.objects.get(transaction_id="order-0").id)
    expected = bus.announcement_id("order-0", transition.id, transition.at)
    assert [dict(letter.headers)["ce_id"].decode() for letter in kept.letters if letter.key == b"order-0"] == [expected]


def test_one_that_no_broker_takes_does_not_stand_in_the_way(feed: Feed) -> None:
    stuck(feed, 3)
    box = Box(refuses=[0])
    assert bus.announce(FAST, box) == 2
    assert bus.announce(FAST, box) == 0


@pytest.mark.parametrize("announces", [False])
def test_nothing_is_due_where_it_is_switched_off(feed: Feed) -> None:
    stuck(feed)
    assert bus.announce_now() == 0
    assert not Transition.objects.filter(bus_due=True).exists()


class TestBreaker:
    SLOW = Bus(publish=True, most_per_minute=2)

    def test_holds_back_what_is_too_much(self, feed: Feed) -> None:
        stuck(feed, 5)
        box = Box()
        assert bus.announce(self.SLOW, box) == 2
        assert bus.announce(self.SLOW, box) == 0
        assert bus.breaking().waiting == 3
        assert bus.breaking().tripped_at is not None

    def test_stays_open_when_the_minute_is_over(self, feed: Feed) -> None:
        stuck(feed, 5)
        bus.announce(self.SLOW, Box())
        row = Heartbeat.objects.get(name=bus.NAME)
        row.detail = {**row.detail, "minute": row.detail["minute"] - 1}
        row.save()
        assert bus.announce(self.SLOW, Box()) == 0

    def test_exactly_as_many_as_allowed_do_not_trip_it(self, feed: Feed) -> None:
        stuck(feed, 2)
        assert bus.announce(self.SLOW, Box()) == 2
        assert bus.breaking().tripped_at is None

    def test_a_person_releases_the_excess(self, feed: Feed) -> None:
        stuck(feed, 5)
        bus.announce(self.SLOW, Box())
        assert actions.release_announcements(discard=False) == 3
        box = Box()
        assert bus.announce(self.SLOW, box) == 3
        assert bus.breaking() == bus.Breaking(None, 0)

    def test_or_discards_it(self, feed: Feed) -> None:
        stuck(feed, 5)
        bus.announce(self.SLOW, Box())
        assert actions.release_announcements(discard=True) == 3
        assert bus.announce(self.SLOW, Box()) == 0
        assert bus.breaking() == bus.Breaking(None, 0)

    def test_is_seen_and_closed_through_the_api(self, feed: Feed, operator: Client) -> None:
        stuck(feed, 5)
        bus.announce(self.SLOW, Box())
        seen = operator.get("/api/bus").json()
        assert (seen["waiting"], seen["topic"], seen["tripped_at"] is None) == (3, "choreoscope.alerts", False)
        answer = operator.post("/api/bus/release", {"discard": True}, "application/json").json()
        assert (answer["waiting"], answer["tripped_at"]) == (0, None)
        assert operator.post("/api/bus/release", {}, "text/plain").status_code == 415


def test_arrives_on_the_topic(feed: Feed, broker: Broker) -> None:
    stuck(feed, 2)
    topic = broker.topic("choreoscope.alerts")
    outlet = Outlet({"bootstrap.servers": broker.bootstrap})
    assert bus.announce(msgspec.structs.replace(FAST, topic=topic), outlet) == 2
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "test", "auto.offset.reset": "earliest"})
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        found: list[Record] = []
        while len(found) < 2:
            found += [message for message in consumer.consume(10, timeout=10) if message.error() is None]
        assert sorted(message.key() for message in found) == [b"order-0", b"order-1"]
    finally:
        consumer.close()


def test_ids_are_told_apart(feed: Feed) -> None:
    at = feed.now
    ids = {
        bus.announcement_id("a", 1, at),
        bus.announcement_id("b", 1, at),
        bus.announcement_id("a", 2, at),
        bus.announcement_id("a", 1, at + timedelta(microseconds=1)),
    }
    assert len(ids) == 4


def test_what_a_service_does_about_it_shows_what_it_was_told(feed: Feed, client: Client) -> None:
    stuck(feed)
    box = Box()
    bus.announce(FAST, box)
    told = dict(box.letters[0].headers)["ce_id"].decode()
    headers = cloud_event("OrderWithdrawn", "order-0", "withdrawn", "/services/order", feed.ago(1), [told, "lost"])
    feed.raw(*headers, value=b"{}", at=feed.ago(1))
    feed.read()
    answer = client.get("/api/transactions/order-0").json()
    assert [(entry["event"], entry["announced"]) for entry in answer["caused_by_us"]] == [("withdrawn", "stuck")]
    assert [entry["cause"] for entry in answer["missing_causes"]] == ["lost"]
    page = client.get("/transactions/order-0").content.decode()
    assert "Choreoscope said stuck" in page
    assert told not in page
