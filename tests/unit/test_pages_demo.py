"""The Demo page: it passes on what is asked of the demo's control process, and says what that answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from unittest import mock

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from dashboard.pages import demo
from dashboard.pages.shared import shared
from tests.pages import text

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_shared() -> None:
    shared.clear()


class Control(BaseHTTPRequestHandler):
    """What the demo's control process would answer; remembers what it was asked."""

    asked: list[tuple[str, str, Any]] = []  # noqa: RUF012 - one server, one list

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        self.asked.append((self.command, self.path, body))
        status, answer = (
            200,
            {"rate": 1.0, "placed": 7, "faults": {"payment silent": {"on": False, "description": "d"}}},
        )
        if self.path == "/orders" and body == {"count": 0}:
            status, answer = 400, {"error": "count must be 1 to 500."}
        elif self.path == "/orders":
            answer = {"order_ids": ["ord-1"]}
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the library finds them by these names

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture
def control(settings: Settings) -> Iterator[list[tuple[str, str, Any]]]:
    Control.asked.clear()
    server = HTTPServer(("127.0.0.1", 0), Control)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    settings.DEMO_CONTROL_URL = f"http://127.0.0.1:{server.server_port}"
    settings.ROOT_URLCONF = "tests.demo_urls"
    yield Control.asked
    server.shutdown()
    thread.join()
    server.server_close()


class TestDemo:
    def test_is_only_there_in_the_demo(self, client: Client) -> None:
        assert client.get("/demo").status_code == 404

    @pytest.mark.usefixtures("control")
    def test_shows_switches(self, client: Client) -> None:
        page = text(client.get(reverse("demo")))
        assert 'role="switch" aria-checked="false"' in page
        assert "7 placed so far" in page

    def test_switches_places_and_sets_the_rate(self, client: Client, control: list[Any]) -> None:
        assert client.post("/demo/faults", {"name": "payment silent", "on": "true"})["Location"] == "/demo"
        assert control[0] == ("PUT", "/faults/payment%20silent", {"on": True})
        client.post("/demo/rate", {"rate": "2.5"})
        assert ("PUT", "/rate", {"rate": 2.5}) in control
        answer = client.post("/demo/orders", {"count": "1"}, headers={"HX-Request": "true"})
        assert '<a href="/transactions/ord-1">ord-1</a>' in text(answer)

    @pytest.mark.usefixtures("control")
    def test_says_what_was_refused(self, client: Client) -> None:
        assert "count must be 1 to 500." in text(client.post("/demo/orders", {"count": "0"}))

    def test_needs_the_token(self, control: list[Any]) -> None:
        strict = Client(enforce_csrf_checks=True)
        assert strict.post("/demo/orders", {"count": "1"}).status_code == 403
        assert control == []

    @pytest.mark.usefixtures("control")
    def test_says_when_nobody_answers(self, client: Client) -> None:
        with mock.patch.object(demo.urllib.request, "urlopen", side_effect=ConnectionRefusedError):
            assert "The demo services do not answer" in text(client.get("/demo"))


@pytest.mark.usefixtures("control")
@pytest.mark.parametrize(("on", "said"), [(0, "all off: everything works"), (2, "2 switched on")])
def test_the_page_says_how_many_faults_are_switched_on(client: Client, on: int, said: str) -> None:
    faults = {str(number): {"on": number < on, "description": "d"} for number in range(3)}
    with mock.patch.object(demo, "_ask", return_value={"rate": 1.0, "placed": 7, "faults": faults}):
        assert said in text(client.get(reverse("demo")))
