"""Which share of events names its transaction: counted, shown, and told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from confluent_kafka import KafkaError
from django.test import Client
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from pytest_django import DjangoAssertNumQueries, Settings

from collector import queries
from collector.kafka import KafkaFailure
from collector.models import Flow, Uncorrelated
from collector.queries import correlated as counting
from dashboard.pages.shared import shared
from dashboard.parts.addresses import PartMissing
from tests.builders import cloud_event
from tests.feeding import Feed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    shared.clear()


@pytest.fixture
def feed() -> Feed:
    """Of four events of billing one names its transaction; those of order all do."""
    feed = Feed()
    feed.order("t-1")
    for n in range(4):
        transaction = "t-1" if n == 0 else None
        headers = cloud_event("Billed", transaction, f"b-{n}", "/services/billing", feed.ago(5))
        feed.raw(*headers, value=b"{}", at=feed.ago(5))
    feed.read()
    return feed


def test_it_is_counted_by_topic_and_service_the_least_covered_first(
    feed: Feed, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):
        found = queries.coverage(timezone.now())
    first = found.rows[0]
    assert (first.topic, first.service, first.correlated, first.uncorrelated) == ("orders", "billing", 1, 3)
    assert first.share == 0.25
    assert {row.service: row.share for row in found.rows[1:]} == dict.fromkeys(
        ("order", "payment", "inventory", "shipping", "notification"), 1.0
    )
    assert found.share == 8 / 11


def test_only_the_last_minutes_count(feed: Feed) -> None:
    old = timezone.now() - counting.WINDOW - timedelta(seconds=30)
    Flow.objects.update(bucket=old)
    Uncorrelated.objects.update(received_at=old)
    found = queries.coverage(timezone.now())
    assert (found.rows, found.share) == ([], None)


def test_many_uncorrelated_ones_shorten_the_time_that_is_looked_at(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST", 3)
    assert queries.coverage(timezone.now()).since == Uncorrelated.objects.earliest("received_at").received_at


def test_the_page_and_the_api_tell_it(feed: Feed, client: Client) -> None:
    page = client.get("/ingestion").content.decode()
    assert "72.7% of all since" in page
    assert "25.0%" in page
    told = client.get("/api/ingestion").json()["coverage"]
    assert told[0] == {"topic": "orders", "service": "billing", "correlated": 1, "uncorrelated": 3, "share": 0.25}


def test_without_the_embedded_broker_both_buttons_say_so(client: Client, operator: Client, settings: Settings) -> None:
    def missing() -> dict[str, str]:
        raise PartMissing("Kafka", "KAFKA_BOOTSTRAP_SERVERS")

    settings.KAFKA = SimpleLazyObject(missing)
    feed = Feed()
    feed.raw(value=b"{no")
    feed.read()
    assert "KAFKA_BOOTSTRAP_SERVERS is not set" in client.get("/ingestion/suggestion").content.decode()
    said = operator.post("/ingestion/again", {"list": "undecodable"}).content.decode()
    assert "KAFKA_BOOTSTRAP_SERVERS is not set" in said
    assert "Nothing was decoded again." in said


def test_without_kafka_a_suggestion_says_so(client: Client, settings: Settings) -> None:
    settings.KAFKA = {"bootstrap.servers": "127.0.0.1:1", "socket.timeout.ms": 500, "log_level": 0}

    def refused(*_: object) -> None:
        raise KafkaFailure(failure)

    failure = KafkaError(KafkaError._TRANSPORT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("collector.kafka.cluster.Cluster.describe", refused)
        said = client.get("/ingestion/suggestion").content.decode()
    assert "Kafka does not answer (KAFKA_BOOTSTRAP_SERVERS)" in said
