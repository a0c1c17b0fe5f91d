"""Search, and the services' pages: what a text may mean; who takes part, and what waits for whom."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from collector import miner
from collector.models import End
from collector.queries.presence import Silence
from dashboard.pages.shared import shared
from tests.feeding import Feed
from tests.pages import text

pytestmark = pytest.mark.django_db


@pytest.fixture
def feed() -> Feed:
    shared.clear()
    return Feed()


@pytest.fixture
def company(feed: Feed) -> Feed:
    feed.order("order-1", ago=20)
    feed.order("order-2", steps=2, ago=60)
    feed.read()
    return feed


class TestSearch:
    @pytest.mark.parametrize(
        ("asked", "kind", "address"),
        [
            ("order-", "Transaction", 'href="/transactions/order-1"'),
            (
                "order-1/PaymentAuthorized",
                "Event",
                "/transactions/order-1?source=%2Fservices%2Fpayment&amp;event=order-1",
            ),
            ("4711", "Key", 'href="/transactions/order-2"'),
            ("PAYM", "Service", 'href="/services/payment"'),
            ("fulfil", "Choreography", 'href="/choreographies/order-fulfilment"'),
            ("stockres", "Event type", 'href="/transactions?event_type=StockReserved"'),
        ],
    )
    def test_what_it_may_mean_is_offered(
        self, client: Client, company: Feed, asked: str, kind: str, address: str
    ) -> None:
        assert company
        found = text(client.get("/live/search", {"q": asked}))
        assert f'<span class="note">{kind}</span>' in found
        assert address in found

    @pytest.mark.parametrize("asked", ["", "x", "nothing-like-it", "a\x00b", "%", "\u202e", "x" * 10_000])
    def test_what_finds_nothing_says_so(self, client: Client, company: Feed, asked: str) -> None:
        assert company
        assert 'role="option"' not in text(client.get("/live/search", {"q": asked}))

    def test_cost_is_bounded(
        self, client: Client, company: Feed, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        assert company
        text(client.get("/"))
        with django_assert_max_num_queries(4):
            text(client.get("/live/search", {"q": "order-1"}))

    @pytest.mark.parametrize(
        ("asked", "address"),
        [
            ("order-1", "/transactions/order-1"),
            ("order-1/OrderPlaced", "/transactions/order-1?source=%2Fservices%2Forder&event=order-1%2FOrderPlaced"),
            ("payment", "/services/payment"),
            ("order-fulfilment", "/choreographies/order-fulfilment"),
        ],
    )
    def test_what_means_one_thing_leads_there(self, client: Client, company: Feed, asked: str, address: str) -> None:
        assert company
        response = client.get("/transactions", {"q": asked})
        assert (response.status_code, response.headers["Location"]) == (302, address)


class TestServices:
    def test_each_service_with_what_waits_for_it(
        self, client: Client, company: Feed, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        assert company
        with django_assert_max_num_queries(13):
            page = text(client.get("/services"))
        rows = page.split("<tr data-row>")[1:]
        assert "inventory" in rows[0], "what is in trouble comes first"
        assert "1 overdue" in rows[0]
        assert "team-warehouse" in rows[0]
        assert all(f">{name}<" in page for name in ("order", "payment", "inventory", "shipping", "notification"))

    def test_one_service(self, client: Client, company: Feed) -> None:
        assert company
        page = text(client.get("/services/inventory"))
        assert "StockReserved" in page
        assert "OrderPlaced" in page
        assert "inventory belongs to team-warehouse" in page
        assert "/transactions?status=stuck&amp;waiting_for=StockReserved" in page
        assert '<a href="/transactions?awaited_from=inventory">1 transaction waits</a>' in page
        assert "/transactions?status=stuck&amp;awaited_from=inventory" in page
        assert text(client.get("/live/service/inventory"))
        assert "order-2" in text(client.get("/transactions", {"awaited_from": "inventory"}))
        assert "No transaction fits" in text(client.get("/transactions", {"awaited_from": "payment"}))
        assert client.get("/services/nobody").status_code == 404

    def test_what_is_needed_together_is_said(self, client: Client, feed: Feed) -> None:
        feed.order("order-1", ago=20)
        feed.read()
        page = text(client.get("/services/shipping"))
        assert "with StockReserved</small>" in page
        assert "with PaymentAuthorized</small>" in page
        (found,) = [one for one in client.get("/api/services").json()["items"] if one["name"] == "shipping"]
        needed = {one["after"]: one["together_with"] for one in found["reacts"] if one["emits"] == "ShipmentScheduled"}
        assert needed == {"PaymentAuthorized": ["StockReserved"], "StockReserved": ["PaymentAuthorized"]}

    def test_its_readers_are_asked_of_kafka(self, client: Client, company: Feed) -> None:
        assert company
        answer = text(client.get("/live/readers/inventory"))
        assert "Kafka" in answer
        assert "order-2" in answer
        assert "What has waited longest" not in text(client.get("/live/readers/payment"))

    def test_where_no_partition_is_known_no_group_is_asked_for(self, client: Client, company: Feed) -> None:
        """As of a service that is known from a file alone."""
        assert company
        End.objects.all().delete()
        assert "No consumer group is known" in text(client.get("/live/readers/payment"))

    def test_what_falls_silent_is_marked(self, client: Client, company: Feed) -> None:
        assert company
        assert 'bad">silent<' not in text(client.get("/services"))
        shared.clear()
        silence = Silence(company.now - timedelta(minutes=4), 7)
        with mock.patch("collector.queries.presence.silences", return_value={"payment": silence}):
            assert text(client.get("/services")).count('bad">silent<') == 1
            shared.clear()
            page = text(client.get("/services/payment"))
        assert "It is silent: 7 events came since it was last heard, <span" in page
        assert ">up to a minute ago</span>, that it would usually have reacted to." in page

    def test_its_usual_rhythm_is_drawn_and_told(self, client: Client, company: Feed) -> None:
        miner.mine(company.rulebook)
        page = text(client.get("/services/order"))
        assert 'aria-label="Events in each of the last 48 hours' in page
        assert page.count("<tr><td>") > 48

    def test_programs_are_told_the_same(
        self, client: Client, company: Feed, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        miner.mine(company.rulebook)
        with django_assert_max_num_queries(11):
            found = client.get("/api/services").json()["items"]
        assert found[0]["name"] == "inventory", "what is in trouble comes first"
        by_name = {one["name"]: one for one in found}
        assert (found[0]["waiting"], found[0]["overdue"], found[0]["marks"]) == (1, 1, ["new"])
        payment = by_name["payment"]
        (reaction,) = payment["reacts"]
        assert (reaction["after"], reaction["source"], reaction["emits"]) == (
            "OrderPlaced",
            "order",
            "PaymentAuthorized",
        )
        assert (reaction["count"], reaction["p95"] > 0) == (2, True)
        assert {entry["type"]: entry["count"] for entry in payment["emits"]} == {"PaymentAuthorized": 2}
        assert (sum(payment["hours"]), payment["silent_since"], payment["failing"]) == (2, None, None)
        assert payment["last_heard"]
