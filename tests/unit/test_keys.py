"""Business keys and what is at stake: from records to searches, pages, alerts and the API."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from collector import queries
from collector.models import Key, Payload, Transaction
from collector.queries.filters import TransactionFilter
from dashboard.alerts.models import Alert
from tests.builders import Header, cloud_event
from tests.feeding import Feed

pytestmark = pytest.mark.django_db

CONFIG = """
keys: ["value:order.number", "value:customer"]
impact: "value:order.total"
choreographies:
  order:
    starts: [OrderPlaced]
    rules: [{after: OrderPlaced, expect: Paid, from: payment, within: 5s}]
"""


@pytest.fixture
def feed(tmp_path: Path, settings: Settings) -> Feed:
    settings.CHOREOSCOPE_CONFIG = tmp_path / "choreoscope.yaml"
    settings.CHOREOSCOPE_CONFIG.write_text(CONFIG)
    return Feed()


def placed(feed: Feed, transaction: str, name: str = "", **order: object) -> None:
    value = {"order": order, "customer": order.pop("customer", None)}
    headers: tuple[Header, ...] = cloud_event("OrderPlaced", transaction, name or f"e-{transaction}", time=feed.ago(60))
    feed.raw(*headers, value=json.dumps(value).encode(), at=feed.ago(60))


def ids(**parameters: str) -> list[str]:
    found = queries.page(TransactionFilter.parse(parameters, timezone.now()))
    return sorted(row.transaction.transaction_id for row in found.items)


def test_transactions_are_found_by_key(feed: Feed) -> None:
    placed(feed, "t-1", number=4711, customer="ada")
    placed(feed, "t-2", number=4712, customer="ada")
    placed(feed, "t-3", number="ada", customer="4711")
    feed.read()
    assert ids(key="ada") == ["t-1", "t-2", "t-3"]
    assert ids(key="customer=ada") == ["t-1", "t-2"]
    assert ids(key="order.number=4711") == ["t-1"]
    assert ids(key="471") == ids(key="none=4711") == []
    assert ids(q="4712") == ["t-2"]
    assert ids(q="t-") == ["t-1", "t-2", "t-3"]
    assert ids(q="4711", status="completed") == []


def test_a_search_costs_one_query_more(feed: Feed, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    placed(feed, "t-1", number=4711)
    feed.read()
    with django_assert_num_queries(3):
        assert ids(q="4711") == ["t-1"]
    with django_assert_num_queries(2):
        assert ids(key="4711") == ["t-1"]


def test_a_search_for_a_key_that_one_transaction_has_leads_to_it(feed: Feed, client: Client) -> None:
    placed(feed, "t-1", number=4711, customer="ada")
    placed(feed, "t-2", number=4712, customer="ada")
    feed.read()
    assert client.get("/transactions", {"q": "4712"}).headers["Location"] == "/transactions/t-2"
    assert client.get("/transactions", {"q": "ada"}).status_code == 200


def test_the_largest_amount_counts_in_whatever_order(feed: Feed) -> None:
    placed(feed, "t-1", "a", total="30.5")
    placed(feed, "t-1", "b", total=10)
    placed(feed, "t-2", "a", total=-4)
    placed(feed, "t-3")
    feed.read()
    placed(feed, "t-1", "c", total=20)
    placed(feed, "t-2", "b", total=-3)
    feed.read()
    assert dict(Transaction.objects.values_list("transaction_id", "impact")) == {"t-1": 30.5, "t-2": -3, "t-3": None}


def test_alerts_sum_what_is_at_stake(feed: Feed, client: Client) -> None:
    placed(feed, "t-1", total=1000)
    placed(feed, "t-2", total=234.5)
    placed(feed, "t-3")
    feed.read()
    [alert] = Alert.objects.all()
    assert (alert.count, alert.impact) == (3, 1234.5)
    assert "1\u202f234.50 at stake" in client.get("/alerts").content.decode()
    assert client.get("/api/alerts").json()["items"][0]["impact"] == 1234.5
    placed(feed, "t-3", "later", total=5)
    feed.read()
    placed(feed, "t-4", total=10)
    feed.read()
    assert Alert.objects.get().impact == 1249.5


def test_pages_and_the_api_show_keys_and_impact(feed: Feed, client: Client) -> None:
    placed(feed, "t-1", number="<b>", total=99)
    feed.read()
    found = client.get("/api/transactions/t-1").json()
    assert found["impact"] == 99
    assert found["events"][0]["keys"] == [{"name": "order.number", "value": "<b>"}]
    assert client.get("/api/transactions", {"key": "<b>"}).json()["items"][0]["id"] == "t-1"
    page = client.get("/transactions/t-1").content.decode()
    assert "99 at stake" in page
    assert "/transactions?key=order.number%3D%3Cb%3E" in page
    assert "<b>" not in page


def test_keys_are_stored_once(feed: Feed) -> None:
    for _ in range(2):
        placed(feed, "t-1", "a", number=1)
        placed(feed, "t-1", "b", number=1)
        feed.read()
    assert Key.objects.count() == 1


def test_without_payloads_nothing_of_them_is_stored_and_the_page_says_so(
    feed: Feed, client: Client, settings: Settings
) -> None:
    settings.CHOREOSCOPE_CONFIG.write_text("payloads: none\nkeys: value:order.number")
    placed(feed, "t-1", number=1)
    feed.read()
    assert not Payload.objects.exists()
    assert Key.objects.get().value == "1"
    assert "Its record is not kept." in client.get("/transactions/t-1").content.decode()
