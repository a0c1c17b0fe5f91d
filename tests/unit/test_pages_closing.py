"""A person closes a transaction that will never progress; and the overview says what is new."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from collector.models import EventType, Transaction
from dashboard.pages.shared import shared
from tests.feeding import Feed
from tests.pages import text

pytestmark = pytest.mark.django_db


@pytest.fixture
def feed() -> Feed:
    shared.clear()
    return Feed()


@pytest.fixture
def operator(feed: Feed) -> Client:
    feed.order("stuck", steps=2, ago=60)
    feed.read()
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    return client


def test_only_with_a_reason(operator: Client) -> None:
    assert "It will never progress" in text(operator.get("/transactions/stuck"))
    operator.post("/close/stuck", {"reason": " \x00 "})
    assert Transaction.objects.get().phase == "running"
    response = operator.post("/close/stuck", {"reason": "It was\na test."})
    assert response.headers["Location"] == "/transactions/stuck"
    page = text(operator.get("/transactions/stuck"))
    assert "Closed by ada" in page
    assert "Reason: It was a test." in page
    assert "It will never progress" not in page


def test_not_by_a_link_nor_by_a_stranger_nor_one_that_is_not_there(operator: Client, client: Client) -> None:
    assert operator.get("/close/stuck").status_code == 405
    assert operator.post("/close/nobody", {"reason": "x"}).status_code == 404
    assert "It will never progress: close it" not in text(client.get("/transactions/stuck"))
    assert client.post("/close/stuck", {"reason": "x"}).status_code == 401
    assert Transaction.objects.get().phase == "running"


def test_new_services_and_types_are_told_what_was_there_from_the_beginning_is_not(client: Client, feed: Feed) -> None:
    feed.order("order", ago=20)
    feed.read()
    assert "No service, event type or rule is new since yesterday." in text(client.get("/"))
    EventType.objects.exclude(service="inventory").exclude(type="OrderCompleted").update(first_seen_at=feed.ago(7_200))
    shared.clear()
    page = text(client.get("/"))
    assert 'new service <a href="/services/inventory">' in page
    assert "new event type" in page
    assert "OrderCompleted</a> of order" in page
    assert "StockReserved</a> of inventory" not in page, "the service is new, which says it"
