"""Whether the service that owes an answer has read what asks for it, said on a stuck transaction's page."""

from __future__ import annotations

import pytest
from django.test import Client

from collector import queries
from collector.correlation.verdicts import Verdict
from dashboard.pages.shared import shared
from tests.feeding import Feed
from tests.pages import text

pytestmark = pytest.mark.django_db

READ = Verdict("read", "<payment> has read it and published nothing.")


@pytest.fixture(autouse=True)
def stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    shared.clear()
    feed = Feed()
    feed.order("order", steps=1, ago=60)
    feed.order("going", steps=1, ago=1)
    feed.read()
    monkeypatch.setattr(queries, "consumers", lambda found: [READ for _ in found.state.pending])


def test_the_page_asks_for_it_where_something_is_overdue(client: Client) -> None:
    assert 'hx-get="/live/why/order"' in client.get("/transactions/order").content.decode()
    assert "/live/why/" not in client.get("/transactions/going").content.decode()


def test_each_sentence_is_said_once_and_escaped(client: Client) -> None:
    response = client.get("/live/why/order")
    assert response.content.decode().strip() == "&lt;payment&gt; has read it and published nothing."
    assert response["Cache-Control"] == "no-store"


def test_nothing_is_said_of_what_is_not_overdue(client: Client) -> None:
    assert text(client.get("/live/why/going")).strip() == ""


def test_there_has_to_be_such_a_transaction(client: Client) -> None:
    assert client.get("/live/why/nobody").status_code == 404
