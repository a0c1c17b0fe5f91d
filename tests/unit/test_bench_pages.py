"""The benchmark of the pages asks for every page and every answer of the API there is."""

from __future__ import annotations

from django.urls import URLPattern

from benchmarks import asked
from dashboard import urls
from dashboard.api.views import api


def test_no_page_is_forgotten() -> None:
    pages = {str(entry.name) for entry in urls.urlpatterns if isinstance(entry, URLPattern)}
    answers = {path for path, operations in api.get_openapi_schema()["paths"].items() if "get" in operations}
    assert asked.forgotten({*pages, *answers} - {entry.name for entry in urls.DEMO}) == []


def test_names_nothing_that_is_gone() -> None:
    pages = {str(entry.name) for entry in urls.urlpatterns if isinstance(entry, URLPattern)}
    assert {*asked.PAGES, *asked.API, *asked.NOT_ASKED} - pages - set(api.get_openapi_schema()["paths"]) == set()


def test_a_page_without_an_address_is_named() -> None:
    assert asked.forgotten(["overview", "new-page"]) == ["new-page"]


def test_what_is_asked_for_is_of_a_kind() -> None:
    assert asked.kind_of("/transactions?status=stuck") == asked.kind_of("/transactions") == "transactions"
    assert asked.kind_of("/api/transactions?limit=200") == "/api/transactions"
    assert asked.kind_of("/transactions/{long}") == "transactions of 1,000 events and more"
    assert asked.kind_of("fetched by a page: drawing") == "fetched by a page: drawing"
