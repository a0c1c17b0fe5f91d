"""Consumer groups that nobody declared: learned from what services answered, used and marked as learned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from collector import config
from collector.config import Service
from collector.correlation.choreography import RuleBook
from collector.kafka import Groups, KafkaFailure, Place
from collector.kafka.groups import Members
from collector.learning import watching
from collector.learning.watching import watch
from collector.models import Event, Heartbeat, LearnedGroup
from collector.queries import OverdueWith, reading, waits, why
from dashboard.alerts.models import Alert
from dashboard.notifying.explaining import explain
from tests.feeding import Feed
from tests.stack.brokers import Broker

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("day_tables")]

LONG = timedelta(minutes=20)


class Stand(Groups):
    """Kafka, as far as groups go: how far each has read the one partition of a topic."""

    def __init__(self, **committed: int) -> None:
        self.read, self.hidden = committed, set[str]()

    def names(self) -> list[str]:
        return sorted(self.read)

    def members(self, names: Iterable[str]) -> dict[str, Members]:
        return {name: Members(1, frozenset()) for name in names}

    def committed(self, names: Iterable[str], places: Iterable[Place]) -> dict[str, dict[Place, int]]:
        return {name: dict.fromkeys(places, self.read[name]) for name in {*names} & self.read.keys() - self.hidden}


@pytest.fixture
def feed() -> Feed:
    """Nine orders as they should be, and one that waits for payment."""
    feed = Feed()
    for number in range(9):
        feed.order(f"order-{number}")
    feed.event("stuck", "OrderPlaced", "order", 60)
    feed.read()
    return feed


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    stand = Stand(one=1_000)
    monkeypatch.setattr(why, "kafka_groups", lambda: stand)
    configured({}, monkeypatch)
    return stand


def configured(services: dict[str, Service], monkeypatch: pytest.MonkeyPatch) -> None:
    known = config.load(django_settings.CHOREOSCOPE_CONFIG)
    settled = msgspec.structs.replace(known, services=services)
    monkeypatch.setattr(config, "current", lambda _: settled)


def look(kafka: Groups, later: timedelta = timedelta()) -> None:
    watch(RuleBook(), kafka, timezone.now() + later)


def verdict(client: Client) -> dict[str, Any]:
    waiting = client.get("/api/transactions/stuck").json()["waiting_for"]
    (found,) = [entry["consumer"] for entry in waiting if entry["from"] == "payment"]
    return found


def test_the_only_group_that_reads_it_is_learned(client: Client, stand: Stand, feed: Feed) -> None:
    assert verdict(client)["basis"] == ""
    look(stand)
    found = verdict(client)
    assert (found["verdict"], found["basis"], found["groups"]) == ("read", "learned", ["one"])
    assert found["sentence"] == "payment (group one, as learned) has read it and published nothing."
    (payment,) = [row for row in client.get("/api/services").json()["items"] if row["name"] == "payment"]
    assert payment["learned_groups"] == [{"topic": "orders", "groups": ["one"]}]
    assert '<span class="note mark-learned"' in client.get("/live/readers/payment").content.decode()


def overdue(*, compensation: bool = False) -> OverdueWith:
    causes = {("order-fulfilment", "PaymentAuthorized or PaymentDeclined")}
    return OverdueWith("payment", causes, (compensation,))


def test_all_that_is_overdue_is_judged_and_not_the_oldest_alone(client: Client, stand: Stand, feed: Feed) -> None:
    """An order from an earlier outage was read long ago; those of now are not."""
    look(stand)
    stand.read["one"] = 64  # the oldest lies at 63
    for number in range(8):
        feed.event(f"later-{number}", "OrderPlaced", "order", 50 - number)
    feed.event("going", "OrderPlaced", "order", 1)
    feed.read()
    said = (
        "Of 9 that are overdue, payment (group one, as learned) has read 1 and published nothing, and has not come to"
        " 8 (8 records behind the last of them; it may be at work on the next few)."
    )
    with CaptureQueriesContext(connection) as asked:
        assert reading(overdue()) == said
    assert len(asked) == 3
    assert reading(overdue(compensation=True)) == ""
    page = client.get("/live/readers/payment").content.decode()
    assert said in page
    assert 'What has waited longest: <a href="/transactions/stuck"' in page
    Alert.objects.update(explained_at=None)
    explain(timezone.now())
    assert Alert.objects.get(service="payment", kind="stuck").verdict == said
    stand.read["one"] = 1_000
    assert "has read all and published nothing" in reading(overdue())


def test_of_very_many_the_newest_are_judged(stand: Stand, feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    look(stand)
    feed.event("later", "OrderPlaced", "order", 50)
    feed.event("last", "OrderPlaced", "order", 40)
    feed.read()
    monkeypatch.setattr(waits, "MOST_JUDGED", 2)
    monkeypatch.setattr(waits, "_NEWEST", waits._NEWEST.replace("201", "3"))
    stand.read["one"] = 65
    assert reading(overdue()).startswith("Of the newest 2 that are overdue, payment (group one, as learned) has read 1")


def test_where_kafka_does_not_say_it_of_all_that_is_said(
    stand: Stand, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unanswered(*_: Any) -> None:
        raise KafkaFailure("nobody answers")

    monkeypatch.setattr(stand, "members", unanswered)
    look_at = overdue()
    assert reading(look_at) == "Whether it was read is not known: no consumer group of payment is known."
    configured({"payment": Service(groups=("one",))}, monkeypatch)
    assert reading(look_at) == "Whether it was read is not known: Kafka does not say it just now."


def test_it_is_not_said_which_where_that_is_not_known(client: Client, stand: Stand, feed: Feed) -> None:
    stand.read = {"one": 1_000, "two": 60}
    look(stand)
    stand.read = {"one": 1_000, "two": 10}
    found = verdict(client)
    assert (found["verdict"], found["basis"]) == ("not known", "likely")
    assert found["sentence"].endswith("is one of one, two; one has read it, two has not.")
    stand.read = {"one": 1_000, "two": 1_000}
    assert verdict(client)["verdict"] == "read"
    assert "perhaps" in client.get("/live/readers/payment").content.decode()


def test_who_stands_still_while_the_service_goes_on_is_left_out(client: Client, stand: Stand, feed: Feed) -> None:
    stand.read = {"one": 1_000, "two": 60}
    look(stand)
    feed.order("ahead")
    feed.read()
    look(stand)
    feed.order("further")
    feed.read()
    assert verdict(client)["basis"] == "likely"
    Event.objects.filter(offset__gte=71).update(received_at=timezone.now() + LONG)
    look(stand, LONG)
    assert (verdict(client)["basis"], verdict(client)["groups"]) == ("learned", ["one"])
    assert LearnedGroup.objects.get(service="payment", name="two").against_at


def test_who_stopped_with_the_service_is_it(client: Client, stand: Stand, feed: Feed) -> None:
    stand.read = {"one": 1_000, "two": 1_000}
    look(stand)
    stand.read["two"] = 63  # the first that waits lies there
    for number in range(3):
        feed.event(f"lost-{number}", "OrderPlaced", "order", 55)
    feed.read()
    Event.objects.filter(offset__gte=63).update(received_at=timezone.now() - LONG)
    look(stand)
    found = verdict(client)
    assert (found["verdict"], found["basis"], found["groups"]) == ("behind", "learned", ["two"])


def test_what_is_declared_or_called_after_it_goes_before_what_was_learned(
    client: Client, stand: Stand, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(stand)
    stand.read["payment-7"] = 5
    assert (verdict(client)["basis"], verdict(client)["groups"]) == ("named", ["payment-7"])
    configured({"payment": Service(groups=("cash",))}, monkeypatch)
    assert (verdict(client)["basis"], verdict(client)["verdict"]) == ("declared", "not known")


def test_our_own_groups_are_nobodys(stand: Stand, feed: Feed) -> None:
    Heartbeat.objects.create(name="collector:x", at=timezone.now(), detail={"group": "one"})
    look(stand)
    assert not LearnedGroup.objects.exists()


def test_nothing_follows_where_not_all_groups_are_seen(
    stand: Stand, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that is not seen could be the service's."""
    stand.hidden = {"two"}
    stand.read = {"one": 1_000, "two": 1_000}
    look(stand)
    stand.hidden = set()
    monkeypatch.setattr(watching, "MOST_GROUPS", 1)
    look(stand)
    assert not LearnedGroup.objects.exists()
    monkeypatch.undo()
    look(stand)
    assert LearnedGroup.objects.exists()


def test_a_service_need_not_read_its_own_events(stand: Stand, feed: Feed) -> None:
    look(stand)
    assert not LearnedGroup.objects.filter(service="order", topic="nowhere").exists()
    assert set(LearnedGroup.objects.values_list("service", flat=True)) == {
        "payment", "inventory", "shipping", "notification", "order"
    }  # fmt: skip


def test_looking_asks_the_database_no_more_for_more(stand: Stand, feed: Feed) -> None:
    look(stand)
    with CaptureQueriesContext(connection) as few:
        look(stand)
    for number in range(40):
        feed.order(f"more-{number}")
    feed.read()
    stand.read |= {f"group-{number}": 9 for number in range(30)}
    with CaptureQueriesContext(connection) as many:
        look(stand)
    assert len(many) == len(few) <= 8


def test_groups_are_asked_of_kafka(broker: Broker, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded broker does not list its groups: nothing is learned there."""
    configured({}, monkeypatch)
    topic = broker.topic("orders")
    feed = Feed(topic=topic)
    feed.order("order")
    feed.event("stuck", "OrderPlaced", "order", 60)
    feed.read()
    reader = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": f"{broker.prefix}cash"})
    reader.commit(offsets=[TopicPartition(topic, 0, 3)], asynchronous=False)
    reader.close()
    asked = Groups({"bootstrap.servers": broker.bootstrap})
    monkeypatch.setattr(why, "kafka_groups", lambda: asked)
    with nullcontext() if broker.is_real else pytest.raises(KafkaFailure, match="not supported by broker"):
        look(asked)
    found = verdict(client)
    if broker.is_real:
        assert (found["verdict"], found["basis"], found["behind"]) == ("no member", "learned", 5)
        assert found["groups"] == [f"{broker.prefix}cash"]
    else:
        assert (found["basis"], LearnedGroup.objects.count()) == ("", 0)
