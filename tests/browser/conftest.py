"""A browser, and Choreoscope as a real server over the tests' database and Redis."""

from __future__ import annotations

import os
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from unittest import mock

import pytest
import uvicorn
from django.db import connection
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from collector import miner
from collector.publish import Publisher
from collector.storage import partitions
from dashboard.pages.shared import shared
from tests.feeding import Feed
from tests.stack.waiting import poll_until

UNREACHED = ("Failed to load resource", "Failed to fetch", "WebSocket connection")
"""What a browser says of a server that does not answer, which some tests bring about."""
ALL = [
    "/",
    "/services",
    "/services/inventory",
    "/?view=events",
    "/?view=topics&fold=name",
    "/?since=6h",
    "/?since=2026-11-19T02:30:00Z&until=2026-11-19T02:45:00Z",
    "/transactions",
    "/transactions/stuck-1",
    "/choreographies",
    "/choreographies/order-fulfilment",
    "/choreographies/order-fulfilment?since=1h&against_since=3h&against_until=2h&ways=causal&overlay=duration",
    "/alerts",
    "/ingestion",
]
LIVE = re.compile("Live")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium; Playwright's own would have to be downloaded.

    Playwright keeps an event loop in this thread while it runs: for one module only, since tests that bring their own
    loop can't run meanwhile, and Django has to be told that the tests' queries are no mistake.
    """
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("No Chromium is installed; on Debian and Ubuntu: apt-get install chromium")
        pytest.skip("No Chromium is installed; on Debian and Ubuntu: apt-get install chromium")
    # Chromium refuses its sandbox to root, which tests in containers are.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with mock.patch.dict(os.environ, {"DJANGO_ALLOW_ASYNC_UNSAFE": "1"}), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of 1280 × 900; the test fails if anything goes wrong on it, a breach of the content policy included."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(10_000)
    wrong: list[str] = []

    def note(said: ConsoleMessage) -> None:
        if said.type == "error" and not any(part in said.text for part in UNREACHED):
            wrong.append(said.text)

    page.on("console", note)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
    yield page
    context.close()
    assert not wrong


class Site:
    """Choreoscope under uvicorn in a thread of this process, on a port of its own; can be stopped and started again."""

    def __init__(self, application: Any) -> None:
        self.port = free_port()
        self._application = application
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        config = uvicorn.Config(
            self._application,
            port=self.port,
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        self._server = server = uvicorn.Server(config)
        self._thread = threading.Thread(target=server.run, name="uvicorn")
        self._thread.start()
        poll_until(lambda: server.started, 10, "uvicorn to serve")

    def stop(self) -> None:
        if self._server and self._thread:
            self._server.should_exit = True
            self._thread.join(10)


@pytest.fixture
def application() -> Any:
    """What the site serves."""
    return "dashboard.asgi:application"


@pytest.fixture
def site(transactional_db: None, redis_url: str, application: Any) -> Iterator[Site]:
    site = Site(application)
    site.start()
    yield site
    site.stop()
    # Neither pytest nor Django empties tables that Django does not manage, nor ends connections of others' threads.
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE " + ", ".join(partitions.TABLES))


@pytest.fixture
def feed(site: Site) -> Feed:
    shared.clear()
    return Feed()


@pytest.fixture
def publisher(site: Site) -> Iterator[Publisher]:
    """What tells browsers of changes, as a collector does after its commit."""
    publisher = Publisher()
    yield publisher
    publisher.close()


@pytest.fixture
def company(feed: Feed) -> Feed:
    """Some of everything."""
    for number in range(3):
        feed.order(f"done-{number}", ago=30 + number)
        feed.order(f"stuck-{number}", steps=2, ago=60 + number)
    feed.declined("declined", ago=40)
    feed.order("running", steps=1, ago=1)
    feed.raw(value=b"{no")
    feed.read()
    miner.mine(feed.rulebook)
    shared.clear()  # of what a page that was open before has asked for meanwhile
    return feed


def opened(page: Page, site: Site, address: str) -> None:
    page.goto(site.url + address)
    expect(page.locator("#connection")).to_have_text(LIVE)
