"""Servers that receive, rules with a deadline, and a payment service that has read what it does not answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
from pytest_django import Settings

from dashboard.notifying import explaining
from tests.feeding import Feed
from tests.integration.notifying.steps import READ
from tests.stack.receiving import Mailbox, Web, mail_server, web_server

CONFIG = """
limits: {{grace: 500ms}}
services: {{payment: {{owner: team-payments, contact: "#payments", runbook: "https://runbooks.example.com/payment"}}}}
alerts:
  group_wait: 0s
  update_every: 0s
  link: https://choreoscope.example.com
{more}
choreographies:
  order:
    starts: [OrderPlaced]
    completes: [OrderCompleted]
    rules:
      - {{after: OrderPlaced, expect: [PaymentAuthorized, PaymentDeclined], from: payment, within: 5s}}
      - {{after: PaymentAuthorized, expect: ShipmentScheduled, from: shipping, within: 5s}}
"""


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as server:
        yield server


@pytest.fixture
def mail() -> Iterator[Mailbox]:
    with mail_server() as server:
        yield server


@pytest.fixture(autouse=True)
def verdict() -> Iterator[None]:
    """Kafka says that payment has read it."""
    with mock.patch.object(explaining.queries, "reading", return_value=READ):
        yield


@pytest.fixture
def configure(settings: Settings, tmp_path: Path) -> Callable[..., None]:
    def write(more: str = "", allow: str = "127.0.0.0/8") -> None:
        settings.CHOREOSCOPE_CONFIG = tmp_path / f"{len(list(tmp_path.iterdir()))}.yaml"
        settings.CHOREOSCOPE_CONFIG.write_text(CONFIG.format(more=f"  allow: [{allow}]\n{more}"))

    write()
    return write


@pytest.fixture
def feed(configure: Callable[..., None]) -> Feed:
    return Feed()
