"""The sub-choreographies that a transaction passes through, on its page and in the API."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from dashboard.pages.shared import shared
from tests.feeding import Feed
from tests.pages import text

pytestmark = pytest.mark.django_db

RULES = """
choreographies:
  order-fulfilment:
    starts: [OrderPlaced]
    completes: [OrderCompleted]
    parts: [delivery, payment]
  delivery:
    starts: [ShipmentScheduled]
    completes: [ShipmentDispatched]
  payment:
    starts: [PaymentAuthorized]
"""


@pytest.fixture(autouse=True)
def rules(tmp_path: Path, settings: Settings) -> None:
    shared.clear()
    settings.CHOREOSCOPE_CONFIG = tmp_path / "parts.yaml"
    settings.CHOREOSCOPE_CONFIG.write_text(RULES)


def test_each_passage_is_told_with_how_it_stands(client: Client) -> None:
    feed = Feed()
    feed.order("going", steps=6, ago=20)
    feed.order("begun", steps=1, ago=20)
    feed.read()
    answer = client.get("/api/transactions/going").json()
    assert [(part["name"], part["phase"], part["ended_at"] is None) for part in answer["parts"]] == [
        ("delivery", "completed", False),
        ("payment", "running", True),
    ]
    page = text(client.get("/transactions/going"))
    assert "It passes through delivery (completed, since" in page
    assert ", payment (running, since" in page
    assert "passes through" not in text(client.get("/transactions/begun"))
