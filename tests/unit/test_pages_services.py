"""Search, and the services' pages: what a text may mean; who takes part, and what waits for whom."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

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
        with django_assert_max_num_queries(10):
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
        assert text(client.get("/live/service/inventory"))
        assert client.get("/services/nobody").status_code == 404

    def test_its_readers_are_asked_of_kafka(self, client: Client, company: Feed) -> None:
        assert company
        answer = text(client.get("/live/readers/inventory"))
        assert "Kafka" in answer
        assert "order-2" in answer
        assert "Of what has waited longest" not in text(client.get("/live/readers/payment"))

    def test_what_falls_silent_is_marked(self, client: Client, company: Feed) -> None:
        assert company
        assert ">silent<" not in text(client.get("/services"))
        shared.clear()
        with mock.patch("dashboard.pages.services.SILENT", timedelta(minutes=-1)):
            assert text(client.get("/services")).count(">silent<") == 5
