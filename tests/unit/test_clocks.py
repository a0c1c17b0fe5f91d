"""Clocks that are off, by service: seen as events arrive, kept by day, told by the API."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from collector.models import Clock
from dashboard.pages.shared import shared
from tests.feeding import Feed
from tests.pages import text

pytestmark = pytest.mark.django_db


def clocks() -> dict[str, tuple[float, float, int]]:
    return {
        clock.service: (clock.ahead.total_seconds(), clock.behind.total_seconds(), clock.count)
        for clock in Clock.objects.all()
    }


def test_events_that_are_earlier_than_their_causes_show_a_clock_that_is_behind() -> None:
    feed = Feed()
    feed.event("one", "OrderPlaced", "order", 60)
    feed.event("one", "PaymentAuthorized", "payment", 63, ["OrderPlaced"])
    feed.read()
    feed.event("two", "OrderPlaced", "order", 50)
    feed.read()
    feed.event("two", "PaymentAuthorized", "payment", 52, ["OrderPlaced"])
    feed.event("two", "StockReserved", "inventory", 49, ["OrderPlaced"])
    feed.read()
    assert clocks() == {"payment": (0.0, 3.0, 2)}


def test_events_from_the_future_show_a_clock_that_is_ahead_and_blame_nobody_else() -> None:
    feed = Feed()
    feed.event("one", "OrderPlaced", "order", -30)
    feed.event("one", "PaymentAuthorized", "payment", 1, ["OrderPlaced"])
    feed.read()
    assert set(clocks()) <= {"order", "payment"}
    ahead, behind, count = clocks()["order"]
    assert 29 < ahead <= 30
    assert (behind, count) == (0.0, 1)
    assert clocks().get("payment", (0, 0, 0))[1] < 2, "but for the time until it was stored"


def test_a_rule_that_pairs_them_is_no_evidence() -> None:
    feed = Feed()
    feed.event("one", "OrderPlaced", "order", 60)
    feed.event("one", "PaymentAuthorized", "payment", 63)
    feed.read()
    assert clocks() == {}


def test_a_transaction_says_whose_times_are_not_to_be_trusted(client: Client) -> None:
    shared.clear()
    feed = Feed()
    feed.event("one", "OrderPlaced", "order", 60)
    feed.event("one", "PaymentAuthorized", "payment", 63, ["OrderPlaced"])
    feed.event("two", "OrderPlaced", "order", 50)
    feed.read()
    page = text(client.get("/transactions/one"))
    assert "payment</a> is 3 s behind at least, by what 1 of its events have shown" in page
    assert 'id="clocks"' not in text(client.get("/transactions/two"))


def test_services_say_whom_to_call_what_they_emit_and_how_their_clock_is(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    shared.clear()
    feed = Feed()
    feed.event("one", "OrderPlaced", "order", 60)
    feed.event("one", "PaymentAuthorized", "payment", 63, ["OrderPlaced"])
    feed.event("two", "Viewed", "shop-window", 3)
    feed.read()
    with django_assert_max_num_queries(11):
        items = {item["name"]: item for item in client.get("/api/services").json()["items"]}
    payment = items["payment"]
    assert (payment["owner"], payment["groups"], payment["types"]) == (
        "team-payments",
        ["payment-service"],
        ["PaymentAuthorized"],
    )
    assert (payment["clock"]["behind_ms"], payment["clock"]["ahead_ms"], payment["clock"]["events"]) == (3000, 0, 1)
    assert (items["shop-window"]["owner"], items["shop-window"]["types"]) == ("", ["Viewed"])
    assert items["order"]["clock"] is None
    assert items["shipping"]["types"] == []
