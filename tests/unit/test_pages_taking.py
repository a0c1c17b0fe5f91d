"""Whole tables as files: all rows of all pages, what narrows them, no formulas, and an end."""

from __future__ import annotations

import csv
import io
import json
import warnings
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from dashboard.pages import taking
from dashboard.pages.shared import shared
from tests.builders import cloud_event
from tests.feeding import Feed

pytestmark = pytest.mark.django_db


def taken(client: Client, address: str) -> bytes:
    """The test client is no ASGI server: Django warns that it collects what would be streamed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = client.get(f"/take/{address}")
        assert answer.status_code == 200
        assert answer.streaming
        return b"".join(answer)  # type: ignore[arg-type]


def items(client: Client, address: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(taken(client, address))["items"]
    return found


@pytest.fixture
def feed() -> Feed:
    shared.clear()
    feed = Feed()
    for number in range(3):
        feed.order(f"done-{number}", ago=40 + number)
    feed.order("=HYPERLINK(1)", steps=2, ago=60)
    for _ in range(3):
        feed.raw(value=b"{no")
        feed.raw(*cloud_event("Lost", None, f"lost-{_}", "/services/order", feed.now), value=b"{}")
    feed.read()
    return feed


@pytest.mark.parametrize("table", list(taking.TABLES))
@pytest.mark.parametrize("form", ["csv", "json"])
def test_every_table_is_had_in_both_forms(client: Client, feed: Feed, table: str, form: str) -> None:
    assert feed
    asked = "?transaction=done-1" if table == "events" else ""
    content = taken(client, f"{table}.{form}{asked}").decode()
    if form == "csv":
        header, *rows = csv.reader(io.StringIO(content))
        assert tuple(header) == taking.TABLES[table].columns
        assert rows or table == "gaps"
        assert {len(row) for row in rows} <= {len(header)}
    else:
        found = json.loads(content)
        assert found["more"] is False
        assert found["items"] or table == "gaps"


@pytest.mark.parametrize("at_once", [1, 2, 200])
def test_all_pages_are_in_it(client: Client, feed: Feed, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    assert feed
    monkeypatch.setattr(taking, "_AT_ONCE", at_once)
    names = [row["transaction"] for row in items(client, "transactions.json")]
    assert names == ["done-0", "done-1", "done-2", "=HYPERLINK(1)"]
    assert [row["offset"] for row in items(client, "undecodable.json")] == sorted(
        (row["offset"] for row in items(client, "undecodable.json")), reverse=True
    )
    assert len(items(client, "uncorrelated.json")) == 3


def test_it_is_narrowed_as_the_list_is(client: Client, feed: Feed) -> None:
    assert feed
    (row,) = items(client, "transactions.json?status=stuck")
    assert row["waiting_for"] == "StockReserved from inventory"
    wrong = client.get("/take/transactions.csv?status=odd")
    assert (wrong.status_code, wrong.headers["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert client.get("/take/events.csv?transaction=none").status_code == 400
    assert client.get("/take/secrets.csv").status_code == 404
    assert client.get("/take/transactions.exe").status_code == 404


def test_a_spreadsheet_runs_nothing_of_it(client: Client, feed: Feed) -> None:
    assert feed
    content = taken(client, "transactions.csv?status=stuck").decode()
    assert "\r\n'=HYPERLINK(1)," in content
    assert items(client, "transactions.json?status=stuck")[0]["transaction"] == "=HYPERLINK(1)"


@pytest.mark.parametrize("at_once", [1, 2, 200])
def test_it_ends_and_says_so(client: Client, feed: Feed, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    assert feed
    monkeypatch.setattr(taking, "_AT_ONCE", at_once)
    monkeypatch.setattr(taking, "MOST", 3)
    found = json.loads(taken(client, "transactions.json"))
    assert (len(found["items"]), found["more"]) == (3, True)
    assert taken(client, "transactions.csv").decode().splitlines()[-1].startswith("There are more than 3 rows")


@pytest.mark.parametrize("count", [1, 9])
def test_a_page_costs_the_same_whatever_is_on_it(
    client: Client, feed: Feed, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(count):
        feed.order(f"more-{number}", ago=30)
    feed.read()
    with django_assert_num_queries(2):
        taken(client, "transactions.csv")
