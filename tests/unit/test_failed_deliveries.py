"""Copies on retry and dead-letter topics: told as failures of their originals, never counted as events."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.test import Client
from django.utils import timezone

from collector import deadlines
from collector.decoding import Event, configured
from collector.decoding.event import Failure
from collector.models import Event as StoredEvent
from collector.models import FailedDelivery, Transaction, Uncorrelated
from collector.records import TopicRef
from collector.storage import failures
from dashboard.pages.shared import shared
from tests.builders import Header, cloud_event, record
from tests.feeding import Feed

pytestmark = pytest.mark.django_db

SPRING: tuple[Header, ...] = (
    ("kafka_dlt-original-topic", b"orders"),
    ("kafka_dlt-original-partition", (0).to_bytes(4, "big")),
    ("kafka_dlt-original-offset", (1).to_bytes(8, "big")),
    ("kafka_dlt-exception-fqcn", b"java.lang.IllegalStateException"),
    ("kafka_dlt-exception-message", b"no <b>stock</b>"),
)

BATCH: Header = ("content-type", b"application/cloudevents-batch+json")


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    shared.clear()
    yield
    shared.clear()


@pytest.fixture
def orders() -> Feed:
    return Feed()


@pytest.fixture
def letters(orders: Feed) -> Feed:
    return Feed("orders.dlq", orders.now)


def copy_of_placed(feed: Feed, *headers: Header, transaction: str = "t-1", ago: float = 50) -> None:
    name = f"{transaction}/OrderPlaced"
    event = cloud_event("OrderPlaced", transaction, name, "/services/order", feed.ago(60))
    feed.raw(*event, *headers, value=b"{}", at=feed.ago(ago))


def test_a_copy_is_a_failure_of_its_transaction_and_no_event(orders: Feed, letters: Feed) -> None:
    orders.order("t-1", steps=3, ago=60)
    orders.read()
    before = Transaction.objects.get()
    copy_of_placed(letters, *SPRING)
    letters.read()
    after = Transaction.objects.get()
    assert (after.event_count, after.redelivery_count, after.failed_delivery_count) == (3, 0, 1)
    assert (after.phase, after.state, StoredEvent.objects.count()) == (before.phase, before.state, 3)
    assert after.version > before.version, "open pages are told"
    failed = FailedDelivery.objects.get()
    assert (failed.exception, failed.message) == ("java.lang.IllegalStateException", "no <b>stock</b>")
    assert (failed.original_topic, failed.original_partition, failed.original_offset) == ("orders", 0, 1)
    assert (failed.retried, failed.due_at) == (False, None)


def test_it_may_come_before_its_original(orders: Feed, letters: Feed) -> None:
    copy_of_placed(letters, *SPRING)
    letters.read()
    assert not Transaction.objects.exists()
    FailedDelivery.objects.update(due_at=timezone.now())
    orders.order("t-1", steps=1, ago=60)
    orders.read()
    assert Transaction.objects.get().failed_delivery_count == 1
    assert failures.attach() == (), "each is counted once"
    assert Transaction.objects.get().failed_delivery_count == 1


def test_what_waits_for_its_transaction_is_looked_at_less_and_less_often(letters: Feed) -> None:
    copy_of_placed(letters, *SPRING)
    letters.read()
    waiting = FailedDelivery.objects.get()
    assert waiting.due_at is not None
    assert waiting.due_at > timezone.now()


def test_retries_and_letters_are_told_apart_and_counted(orders: Feed, letters: Feed) -> None:
    retries = Feed("orders.retry.5s", orders.now)
    orders.order("t-1", steps=1, ago=60)
    orders.read()
    for n in range(2):
        copy_of_placed(retries, ("x-retry-count", b"%d" % (n + 1)), ("x-error-message", b"timed out"), ago=40 - n)
    retries.read()
    copy_of_placed(letters, *SPRING, ago=30)
    letters.read()
    found = list(FailedDelivery.objects.order_by("record_time"))
    assert [(one.retried, one.attempts, one.message) for one in found[:2]] == [
        (True, 1, "timed out"),
        (True, 2, "timed out"),
    ]
    assert (found[0].convention, found[2].retried) == ("its topic", False)
    assert Transaction.objects.get().failed_delivery_count == 3


def test_a_mark_is_enough_on_any_topic(orders: Feed) -> None:
    orders.order("t-1", steps=1, ago=60)
    copy_of_placed(orders, ("cap-exception", b"System.TimeoutException-->too slow"))
    orders.read()
    found = FailedDelivery.objects.get()
    assert (found.exception, found.message, found.convention) == (
        "System.TimeoutException",
        "too slow",
        "DotNetCore.CAP",
    )
    row = Transaction.objects.get()
    assert (row.event_count, row.redelivery_count, row.failed_delivery_count) == (1, 0, 1)


def test_without_a_transaction_it_is_kept_as_uncorrelated(letters: Feed) -> None:
    letters.raw(*cloud_event(transaction=None), *SPRING, value=b"{}")
    letters.read()
    assert Uncorrelated.objects.count() == 1
    assert not FailedDelivery.objects.exists()


def test_page_list_and_api_say_so(orders: Feed, letters: Feed, client: Client) -> None:
    orders.order("t-1", steps=3, ago=60)
    orders.read()
    copy_of_placed(letters, *SPRING)
    letters.read()
    page = client.get("/transactions/t-1").content.decode()
    for said in (
        "Failed deliveries",
        "java.lang.IllegalStateException",
        "no &lt;b&gt;stock",
        "set aside",
        "1 not delivered",
    ):
        assert said in page
    assert "1 not delivered" in client.get("/transactions").content.decode()
    found = client.get("/api/transactions/t-1").json()
    assert found["failed_delivery_count"] == 1
    assert found["failed_deliveries"] == [
        {
            "event": "t-1/OrderPlaced",
            "source": "/services/order",
            "type": "OrderPlaced",
            "retried": False,
            "at": found["failed_deliveries"][0]["at"],
            "topic": "orders.dlq",
            "partition": 0,
            "offset": 0,
            "original_topic": "orders",
            "original_partition": 0,
            "original_offset": 1,
            "exception": "java.lang.IllegalStateException",
            "message": "no <b>stock</b>",
            "attempts": None,
            "convention": "Spring dead letter",
        }
    ]


def test_common_header_names_count_on_a_topic_of_failures_only() -> None:
    from collector import config  # noqa: PLC0415

    policy = config.parse("choreoscope.yaml", "").policy
    headers: tuple[Header, ...] = (*cloud_event(), ("X-Exception-Class", b"E"), ("x-original-topic", b"orders"))
    plain = configured.read(record(*headers), policy.of("orders"))[1]
    assert isinstance(plain, Event)
    assert plain.failure is None
    letter = configured.read(record(*headers, topic=TopicRef(2, "c", "x", "orders.dlt")), policy.of("orders.dlt"))[1]
    assert isinstance(letter, Event)
    assert letter.failure == Failure("its topic", topic="orders", exception="E")


def test_the_sweep_attaches_them(orders: Feed, letters: Feed) -> None:
    orders.order("t-1", steps=1, ago=60)
    orders.read()
    copy_of_placed(letters, *SPRING)
    letters.read()
    FailedDelivery.objects.update(due_at=timezone.now())
    assert "t-1" in deadlines.sweep(orders.rulebook).changed


def test_a_batch_with_several_events_of_a_transaction_is_one_failed_delivery(orders: Feed, letters: Feed) -> None:
    orders.order("t-1", steps=2, ago=60)
    orders.read()
    parts = [
        {"specversion": "1.0", "id": name, "source": "/s", "type": name, "correlationid": "t-1"}
        for name in ("OrderPlaced", "PaymentAuthorized")
    ]
    letters.raw(BATCH, *SPRING, value=json.dumps(parts).encode())
    letters.read()
    assert Transaction.objects.get().failed_delivery_count == 1
    assert FailedDelivery.objects.get().event_id == "OrderPlaced"
