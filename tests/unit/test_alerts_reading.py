"""Alerts about reading itself: raised when it is not well for long, one each, resolved when it is over."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from collector.models import End, Heartbeat, Overdue, Topic
from dashboard.alerts.models import Alert, AlertEntry
from dashboard.alerts.process import process
from dashboard.pages.shared import shared
from tests.feeding import Feed, calm

pytestmark = pytest.mark.django_db


@pytest.fixture
def feed() -> Feed:
    """Everything has been read, by a collector that has been alive for an hour."""
    shared.clear()
    feed = Feed()
    feed.order("stuck", steps=2, ago=60)
    feed.read()
    beat(0)
    return feed


def beat(ago: float, **detail: object) -> None:
    now = timezone.now()
    started = (now - timedelta(hours=1)).isoformat()
    Heartbeat.objects.filter(name="collector:test").update(
        at=now - timedelta(seconds=ago), detail={"started_at": started, **detail}
    )


def read_until(feed: Feed, ago: float) -> None:
    Topic.objects.filter(pk=feed.topic.row).update(watermark=timezone.now() - timedelta(seconds=ago))


def unreadable(feed: Feed, *partitions: int, ago: float) -> None:
    since = timezone.now() - timedelta(seconds=ago)
    for number in partitions:
        End.objects.update_or_create(
            topic_id=feed.topic.row, partition=number, defaults={"end_offset": 2, "unreadable_since": since}
        )


def about_reading(*, after_a_while: bool = False) -> list[tuple[str, str, str]]:
    process()
    if after_a_while:
        calm()
    found = Alert.objects.filter(kind__in=Alert.READING).order_by("kind", "id")
    return [(alert.kind, alert.state, alert.sentence) for alert in found]


def test_while_all_is_well_it_costs_little(feed: Feed, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    Overdue.objects.all().delete()
    process()
    calm()  # what is looked for every few seconds only was looked for now
    with django_assert_max_num_queries(14):  # four of them for the database transaction, its turn and the sign of life
        assert not process().changed
    assert not Alert.unresolved().exists()


def test_a_collector_that_is_down_until_it_is_back(feed: Feed) -> None:
    beat(11)
    assert about_reading() == [("collector_down", "open", "No collector is alive")]
    assert not process().changed
    beat(0)
    assert about_reading()[0][1] == "open", "it may go again at once"
    assert about_reading(after_a_while=True) == [("collector_down", "resolved", "No collector was alive")]
    assert list(AlertEntry.objects.filter(alert__kind="collector_down").values_list("kind", flat=True)) == [
        "raised",
        "resolved",
    ]
    assert Alert.unresolved().get().kind == Alert.Kind.STUCK


def test_a_collector_that_is_restarted_raises_nothing(feed: Feed) -> None:
    beat(3, stopped=True)
    assert about_reading() == []


def test_where_none_ever_ran_nobody_is_called() -> None:
    assert about_reading() == []


def test_behind_is_one_alert_until_it_is_over(feed: Feed) -> None:
    read_until(feed, 59)
    assert about_reading() == []
    read_until(feed, 61)
    assert about_reading() == [("collector_behind", "open", "Reading is behind: orders")]
    read_until(feed, 30)  # less than what would raise it, and not yet well
    assert about_reading() == [("collector_behind", "open", "Reading is behind: orders")]
    read_until(feed, 1)
    assert about_reading(after_a_while=True) == [("collector_behind", "resolved", "Reading was behind: orders")]


def test_partitions_are_named_and_make_one_alert_a_topic(feed: Feed) -> None:
    unreadable(feed, 2, ago=16)
    assert about_reading() == [("partition_unreadable", "open", "orders[2] cannot be read")]
    unreadable(feed, 3, ago=5)
    assert about_reading() == [("partition_unreadable", "open", "orders[2] and orders[3] cannot be read")]
    beat(11)
    assert len(about_reading()) == 2, "while no collector is alive, it is not known to be over"
    beat(0)
    End.objects.update(unreadable_since=None)
    assert about_reading(after_a_while=True)[1:] == [
        ("partition_unreadable", "resolved", "orders[2] and orders[3] could not be read")
    ]


def test_a_topic_that_kafka_does_not_let_us_read_until_it_does(client: Client, feed: Feed) -> None:
    ago = [(timezone.now() - timedelta(seconds=seconds)).isoformat() for seconds in (3, 6)]
    beat(0, forbidden={"orders": ago[0]})
    assert about_reading() == []
    beat(0, forbidden={"orders": ago[1]})
    open_ = ("topic_forbidden", "open", "Kafka does not let us read orders: the right Read is missing")
    assert about_reading() == [open_]
    sentence = "Kafka does not let us read orders since"
    shared.clear()
    for page in ("/transactions", "/ingestion"):
        content = client.get(page).content.decode()
        assert sentence in content
        assert "The right Read on this topic is missing (docs/kafka.md)" in content
    answer = client.get("/api/ingestion").json()
    assert [(row["topic"], row["state"]) for row in answer["watermarks"]] == [("orders", "forbidden")]
    assert [row["kind"] for row in answer["troubles"]] == ["topic_forbidden"]
    beat(11, forbidden={"orders": ago[1]})
    assert open_ in about_reading(), "while no collector is alive, it is not known to be over"
    beat(0)
    assert about_reading(after_a_while=True)[1:] == [
        ("topic_forbidden", "resolved", "Kafka did not let us read orders: the right Read is missing")
    ]


def test_a_hanging_producer_transaction_calls_nobody(feed: Feed) -> None:
    End.objects.filter(topic=feed.topic.row).update(end_offset=9, stable_offset=2)
    read_until(feed, 600)
    assert about_reading() == []


def test_what_could_be_read_before_it_is_behind(feed: Feed) -> None:
    End.objects.filter(topic=feed.topic.row).update(end_offset=9, stable_offset=5)
    read_until(feed, 600)
    assert about_reading() == [("collector_behind", "open", "Reading is behind: orders")]


def test_transactions_that_change_leave_them_alone(feed: Feed) -> None:
    unreadable(feed, 2, ago=16)
    process()
    raised = Alert.objects.get(kind="partition_unreadable")
    feed.order("another", steps=1, ago=60)
    feed.read()
    assert Alert.unresolved().get(kind="partition_unreadable").pk == raised.pk
    assert Alert.objects.filter(kind="stuck").exists()


def test_pages_lead_to_the_ingestion_page(client: Client, feed: Feed) -> None:
    unreadable(feed, 2, ago=16)
    process()
    address = f"/alerts/{Alert.objects.get(kind='partition_unreadable').pk}"
    alerts = client.get("/alerts").content.decode()
    assert f'href="{address}"' in alerts
    assert "orders[2] cannot be read" in alerts
    assert '<a href="/ingestion">Ingestion</a>' in client.get(address).content.decode()
    assert '<a href="/ingestion">' in client.get("/").content.decode()
    entry = client.get("/api/alerts").json()["items"][0]
    assert (entry["kind"], entry["subject"], entry["count"]) == ("partition_unreadable", "orders", 0)


def test_every_page_says_what_is_wrong(client: Client, feed: Feed) -> None:
    unreadable(feed, 2, ago=16)
    page = client.get("/transactions").content.decode()
    assert "orders[2] cannot be read since" in page
    troubles = client.get("/readyz").json()["troubles"]
    assert any(sentence.startswith("orders[2] cannot be read since") for sentence in troubles)


def test_the_ingestion_page_lists_the_deadlines_that_wait(client: Client, feed: Feed) -> None:
    assert "Deadlines that wait" not in client.get("/ingestion").content.decode()
    shared.clear()
    End.objects.filter(topic=feed.topic.row).update(end_offset=9, stable_offset=2)
    read_until(feed, 20)
    page = client.get("/ingestion").content.decode()
    assert "orders is held by an open producer transaction since" in page
    assert "behind an open transaction" in page
    assert "<td>StockReserved</td><td>inventory</td>" in page


def test_the_header_says_that_nothing_is_read(client: Client, feed: Feed) -> None:
    assert "behind</span>" in client.get("/alerts").content.decode()
    shared.clear()
    beat(11)
    assert ">Nothing read<" in client.get("/alerts").content.decode()
