"""A transaction as it was drawn and judged at an earlier moment."""

from __future__ import annotations

from math import ceil

import pytest
from django.test import Client

from collector.models import Event
from dashboard.pages.shared import shared
from tests.feeding import HAPPY, Feed
from tests.pages import text

pytestmark = pytest.mark.django_db


def known_at() -> int:
    latest = Event.objects.order_by("-received_at").first()
    assert latest
    return ceil(latest.received_at.timestamp() * 1000)


@pytest.fixture
def feed() -> Feed:
    shared.clear()
    return Feed()


@pytest.fixture
def finished(feed: Feed) -> int:
    """An order whose second half was read later than its first; when the first had been read."""
    feed.order("order", steps=2, ago=60)
    feed.read()
    moment = known_at()
    for name, service, causes in HAPPY[2:]:
        feed.event("order", name, service, 0.1, causes)
    feed.read()
    shared.clear()
    return moment


@pytest.mark.parametrize("view", ["causal", "time", "sequence"])
def test_every_view_draws_what_was_known_then_at_the_place_it_has_now(client: Client, finished: int, view: str) -> None:
    def states(**asked: object) -> dict[str, str]:
        rows = client.get("/live/drawing/order", {"view": view, **asked}).json()["table"]["rows"]
        return {row[0]: row[2] for row in rows}

    assert states()["OrderCompleted"] == "end"
    then = states(at=finished)
    assert then["OrderPlaced"] == "event"
    assert then["OrderCompleted"] == "expected later"
    places = [
        {stop["id"]: (stop["x"], stop["y"]) for stop in client.get("/live/drawing/order", asked).json()["stops"]}
        for asked in ({"view": view}, {"view": view, "at": finished})
    ]
    assert places[0] == places[1]


def test_it_says_where_it_stood(client: Client, finished: int) -> None:
    assert "Waiting for StockReserved from inventory" in text(client.get("/live/then/order", {"at": finished}))
    assert "Completed in" in text(client.get("/live/then/order", {"at": finished + 60_000}))
    assert "Nothing of it had been read" in text(client.get("/live/then/order", {"at": 1}))
    assert "Waiting for StockReserved from inventory" in text(client.get("/transactions/order", {"at": finished}))


@pytest.mark.parametrize("at", ["", "soon", "-1", "9" * 15, "9" * 40, "१२"])
def test_what_is_no_moment_is_now(client: Client, finished: int, at: str) -> None:
    assert finished
    assert client.get("/live/then/order", {"at": at}).status_code == 404
    assert text(client.get("/transactions/order", {"at": at}))


def test_any_other_view_is_the_causal_one(client: Client, finished: int) -> None:
    assert finished
    assert 'data-view="causal"' in text(client.get("/transactions/order", {"view": "upside-down"}))
