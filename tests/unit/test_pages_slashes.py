"""A slash at the end of an address, which people type and tools add, leads to the page."""

from __future__ import annotations

import pytest
from django.test import Client, RequestFactory
from django.urls import Resolver404

from dashboard.pages.errors import not_found
from tests.feeding import Feed

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("/alerts/", "/alerts"),
        ("/transactions/?status=stuck&q=%3Ca", "/transactions?status=stuck&q=%3Ca"),
        ("/alerts/1///", "/alerts/1"),
        ("/api/alerts/", "/api/alerts"),
        ("/services/pay ment%3F/", "/services/pay%20ment%3F"),
    ],
)
def test_a_slash_too_much_leads_to_the_page(client: Client, address: str, page: str) -> None:
    answer = client.get(address)
    assert (answer.status_code, answer.headers.get("Location")) == (302, page)


def test_an_id_that_ends_in_a_slash_is_found(client: Client) -> None:
    feed = Feed()
    feed.order("a/", ago=60)
    feed.read()
    assert client.get("/transactions/a/").status_code == 200
    assert client.get("/transactions/b/").status_code == 404


@pytest.mark.parametrize("address", ["/nothing/", "//example.com/", "//alerts/", "//", "/"])
def test_nobody_is_led_to_nothing_or_elsewhere(address: str) -> None:
    request = RequestFactory().get("/nothing")
    request.path_info = address
    assert not_found(request, Resolver404()).status_code == 404


def test_what_is_sent_is_not_led_elsewhere(operator: Client) -> None:
    assert operator.post("/alerts/act/", {"deed": "resolve"}).status_code == 404
