"""What a visit costs, with files as they are served once collected: little, from here alone, and kept for ever."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from channels.routing import ProtocolTypeRouter
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.utils.functional import empty
from playwright.sync_api import Page, Response
from pytest_django import Settings

from dashboard import asgi
from dashboard.templatetags import choreoscope
from tests.browser.conftest import ALL, Site, opened
from tests.feeding import Feed

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MOST = 2_500_000
"""Bytes of scripts and styles of all pages together, as they are."""
HASHED = re.compile(r"/static/.+\.[0-9a-f]{12}\.\w+$")


@pytest.fixture
def application(settings: Settings, tmp_path: Path) -> Iterator[Any]:
    """As in production: `collectstatic` has run."""
    settings.STATIC_ROOT, settings.WHITENOISE_USE_FINDERS = tmp_path, False
    forget_names()
    call_command("collectstatic", interactive=False, verbosity=0)
    sockets = asgi.application.application_mapping["websocket"]
    yield ProtocolTypeRouter({"http": get_asgi_application(), "websocket": sockets})
    forget_names()


def forget_names() -> None:
    staticfiles_storage._wrapped = empty
    choreoscope.icon.cache_clear()
    choreoscope.status.cache_clear()
    choreoscope.standing.cache_clear()


def test_little_is_loaded_from_here_alone_and_kept(page: Page, site: Site, company: Feed) -> None:
    assert company
    asked: set[str] = set()
    answers: dict[str, Response] = {}
    page.on("request", lambda request: asked.add(request.url))
    page.on("websocket", lambda socket: asked.add(socket.url))
    page.on("response", lambda response: answers.setdefault(response.url, response))
    weights: dict[str, int] = {}
    for address in [*ALL, "/channels", "/no-such-page"]:
        if address == "/no-such-page":
            page.goto(site.url + address)
        else:
            opened(page, site, address)
        page.wait_for_load_state("networkidle")
        for url, answer in answers.items():
            if url not in weights and answer.request.resource_type in ("script", "stylesheet"):
                weights[url] = len(answer.body())
    hosts = {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {urlsplit(site.url).netloc}
    files = {url: answer for url, answer in answers.items() if urlsplit(url).path.startswith("/static/")}
    assert weights.keys() <= files.keys()
    assert len(weights) > 15
    assert sum(weights.values()) < MOST
    for url, answer in files.items():
        assert HASHED.search(url), url
        assert "immutable" in answer.headers["cache-control"], url
        assert answer.headers.get("content-encoding") == "gzip" or weights.get(url, 0) < 1_000, url
