"""Figures say up to when they are known, and nothing is called fine that nobody looks at."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from collector.models import Heartbeat, Topic
from dashboard.pages.shared import shared
from tests.feeding import Feed
from tests.pages import text

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_shared() -> None:
    shared.clear()


@pytest.fixture
def feed() -> Feed:
    feed = Feed()
    feed.event("order", "OrderPlaced", "order", 1)
    feed.read()
    return feed


@pytest.fixture
def since(feed: Feed) -> str:
    """The collector has said goodbye a minute ago."""
    assert feed
    gone = timezone.now() - timedelta(seconds=60)
    Heartbeat.objects.filter(name="collector:test").update(at=gone, detail={"stopped": True})
    return f"{gone:%H:%M:%S}"


def test_while_all_is_well(client: Client, feed: Feed) -> None:
    assert feed
    page = text(client.get("/"))
    assert "nothing is overdue" in page
    assert "?</b>" not in page


def test_without_a_collector(client: Client, since: str) -> None:
    page = text(client.get("/"))
    assert f"<b>?</b><small>not judged since {since}</small>" in page
    assert "nothing is overdue" not in page
    assert "Nothing that is declared is overdue" not in page
    assert page.count(f"<b>?</b><small>nothing read since {since}</small>") == 3
    assert f'class="bad">Nothing read<span class="roomy"> since {since}<' in page
    assert f"; deadlines are not judged since {since}." in text(client.get("/alerts"))
    ingestion = text(client.get("/ingestion"))
    assert ingestion.count(">?</span>") == 2
    assert f"no collector: nothing read since {since}" in ingestion
    assert f"known to be stuck: deadlines are not judged since {since}" in text(client.get("/?status=stuck"))


def test_the_transaction_page_does_not_say_that_topics_are_being_read(client: Client, since: str) -> None:
    page = text(client.get("/transactions/order"))
    assert "still being read" not in page
    assert f"Nothing is judged since about {since}: so it stood then." in page


def test_without_a_sweep(client: Client, feed: Feed) -> None:
    assert feed
    gone = timezone.now() - timedelta(seconds=60)
    Heartbeat.objects.filter(name="sweep").update(at=gone)
    page = text(client.get("/"))
    assert f"<b>?</b><small>not judged since {gone:%H:%M:%S}</small>" in page
    assert f'class="warn"> · not judged<span class="roomy"> since {gone:%H:%M:%S}<' in page
    assert "nothing read" not in page


def test_without_a_worker(client: Client, feed: Feed) -> None:
    assert feed
    Heartbeat.objects.filter(name="notifications").update(at=timezone.now() - timedelta(seconds=60))
    page = text(client.get("/transactions"))
    assert "The Celery worker of the queue <code>notifications</code> last gave a sign of life" in page
    assert "nobody is told of anything" in page


def test_behind(client: Client, feed: Feed) -> None:
    late = feed.ago(60)
    Topic.objects.update(watermark=late)
    page = text(client.get("/"))
    assert f"<b>?</b><small>not all judged since {late:%H:%M:%S}</small>" in page
    assert 'class="warn"> · 1 min behind<' in page


def test_nobody_is_told_to_start_what_belongs_to_the_demo(client: Client, since: str, settings: Settings) -> None:
    assert f"stopped at {since} UTC: nothing is read, and all deadlines wait. Start one with" in text(client.get("/"))
    shared.clear()
    settings.DEMO_CONTROL_URL = "http://127.0.0.1:9"
    settings.ROOT_URLCONF = "tests.demo_urls"
    page = text(client.get("/"))
    assert "manage.py collect" not in page
    assert "It is part of the demo" in page
