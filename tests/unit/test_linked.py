"""Transactions with several ids: configured, found by each of them, and shown as one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from collector import actions, config, queries, upkeep
from collector.config import ConfigError
from collector.decoding import Event, configured
from collector.models import FailedDelivery, Overdue, Transaction, Transition
from collector.storage import saving
from dashboard.alerts.models import Alert
from dashboard.pages.shared import shared
from tests.builders import cloud_event, record
from tests.feeding import Feed

CONFIG = """
correlation: [{transaction_id: ["header:order", "header:shipment"]}]
links: [{ids: ["header:order", "header:shipment"]}]
"""


@pytest.fixture
def feed(tmp_path: Path, settings: Settings) -> Iterator[Feed]:
    shared.clear()
    settings.CHOREOSCOPE_CONFIG = tmp_path / "choreoscope.yaml"
    settings.CHOREOSCOPE_CONFIG.write_text(CONFIG)
    yield Feed()
    shared.clear()


def told(feed: Feed, kind: str, **ids: str) -> None:
    named = [(name, value.encode()) for name, value in ids.items()]
    feed.raw(*cloud_event(kind, None, kind, time=feed.ago(30)), *named, value=b"{}", at=feed.ago(30))
    feed.read()


def joined(feed: Feed) -> None:
    told(feed, "Delivered", shipment="s-1")
    told(feed, "Placed", order="o-1")
    told(feed, "Shipped", order="o-1", shipment="s-1")


def test_an_event_names_by_links_what_is_one() -> None:
    policy = config.parse("c.yaml", 'links: [{ids: ["value:orders", "header:s"]}]').policy
    source = record(*cloud_event(transaction="t"), ("s", b"s-1"), value=b'{"orders": ["o-1", "o-2"]}')
    found = configured.read(source, policy.of("orders"))[1]
    assert isinstance(found, Event)
    assert found.transaction_ids == ("t", "o-1", "o-2", "s-1")
    assert found.links == (((0, "o-1"), (0, "o-2"), (1, "s-1")),)
    alone = configured.read(record(*cloud_event(transaction=None), ("s", b"s-1")), policy.of("orders"))[1]
    assert isinstance(alone, Event)
    assert (alone.transaction_ids, alone.links, alone.basis) == (("s-1",), (), "link 1, header:s")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("links: [{topics: x}]", "line 1, links[0]: ids is missing"),
        ("links: [{ids: [key]}]", "line 1, links[0].ids: expected at least two paths"),
        ("links:\n- ids: [key, topic]", "line 2, links[0].ids[1]: would make one transaction of all that have it"),
        ("links: [{idz: [key]}]", "did you mean 'ids'?"),
    ],
)
def test_a_wrong_link_is_told(content: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse("c.yaml", content)
    assert complaint in str(caught.value)


@pytest.mark.django_db
def test_every_id_leads_to_it_on_pages_and_in_the_api(feed: Feed, client: Client) -> None:
    joined(feed)
    for name in ("o-1", "s-1"):
        found = client.get(f"/api/transactions/{name}").json()
        assert (found["id"], found["aliases"], found["event_count"]) == ("o-1", ["s-1"], 3)
        page = client.get(f"/transactions/{name}").content.decode()
        assert "also <span" in page
        assert "Delivered" in page
    assert client.get("/transactions", {"q": "s-1"}).headers["Location"] == "/transactions/s-1"
    listed = client.get("/api/transactions").json()["items"]
    assert [item["id"] for item in listed] == ["o-1"]


@pytest.mark.django_db
def test_later_events_and_failed_deliveries_with_either_id_join_it(feed: Feed) -> None:
    joined(feed)
    told(feed, "Returned", shipment="s-1")
    letters = Feed("orders.dlq", feed.now)
    told(letters, "Placed", shipment="s-1")
    row = Transaction.objects.get()
    assert (row.transaction_id, row.event_count, row.failed_delivery_count) == ("o-1", 4, 1)
    assert FailedDelivery.objects.get().due_at is None
    found = queries.find("o-1")
    assert found is not None
    assert len(found.failures) == 1


@pytest.mark.django_db
def test_of_two_that_were_stuck_one_is_left(feed: Feed, settings: Settings) -> None:
    rules = "choreographies: {o: {starts: [Placed, Ordered], rules: [{after: [Placed], expect: Paid, within: 5s}]}}"
    settings.CHOREOSCOPE_CONFIG.write_text(CONFIG + rules)
    told(feed, "Placed", order="o-1")
    told(feed, "Placed", shipment="s-1")
    assert (Alert.objects.get().count, Overdue.objects.count()) == (2, 2)
    told(feed, "Shipped", order="o-1", shipment="s-1")
    assert (Alert.objects.get().count, Overdue.objects.count()) == (1, 1)
    row = Transaction.objects.get()
    assert (row.status, row.event_count, row.redelivery_count) == ("stuck", 2, 1)
    kinds = list(Transition.objects.filter(transaction=row.pk).order_by("id").values_list("kind", flat=True))
    assert kinds == ["started", "stuck", "stuck", "merged"]
    told(feed, "Paid", shipment="s-1")
    assert not Overdue.objects.exists()
    assert Transaction.objects.get().status != "stuck"


@pytest.mark.django_db
def test_it_can_be_closed_by_either_id(feed: Feed) -> None:
    joined(feed)
    assert actions.abandon(["s-1"], "ada", "Lost.", feed.rulebook) == ["o-1"]


@pytest.mark.django_db
def test_an_id_is_forgotten_with_what_it_leads_to(feed: Feed) -> None:
    joined(feed)
    upkeep.keep_up()
    assert Transaction.every.count() == 2
    Transaction.objects.update(day=timezone.now().date() - timedelta(days=31))
    upkeep.keep_up()
    assert not Transaction.every.exists()


@pytest.mark.django_db
def test_an_id_whose_transaction_is_being_forgotten_begins_one_anew(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined(feed)
    told(feed, "Other", order="o-2")
    Transaction.objects.update(day=timezone.now().date() - timedelta(days=31))
    monkeypatch.setattr(upkeep, "CHUNK", 1)
    forget = saving.forget

    def interrupted(*args: Any) -> None:
        forget(*args)
        monkeypatch.setattr(saving, "forget", stopped)

    def stopped(*_: Any) -> None:
        raise OperationalError("the server is gone")

    monkeypatch.setattr(saving, "forget", interrupted)
    with pytest.raises(OperationalError):
        upkeep.keep_up()
    told(feed, "Returned", shipment="s-1")
    assert Transaction.objects.get(transaction_id="s-1").event_count == 1
