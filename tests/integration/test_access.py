"""Every address, every operation of the API and the socket, as a stranger, a viewer and an operator."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.routing import URLRouter
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import Settings

from dashboard.accounts import access
from dashboard.accounts.access import OPEN, PANEL
from dashboard.accounts.roles import Role, add_user
from dashboard.api.views import api
from dashboard.asgi import application
from dashboard.pages.shared import shared

REFUSED = (401, 403)
JSON = "application/json"


def addresses(within: URLResolver | None = None, before: str = "/") -> Iterator[tuple[str, str]]:
    """Every view there is, those of the API and of the demo included: its name and an address."""
    for pattern in (within or get_resolver()).url_patterns:
        fixed, *parameters = str(pattern.pattern).split("<")
        address = before + fixed + "".join("1" + part.split(">", 1)[1] for part in parameters)
        if isinstance(pattern, URLPattern):
            yield str(pattern.name), address
        else:
            yield from addresses(pattern, address)


def operations() -> Iterator[tuple[str, str]]:
    """Every operation of the API: its method and an address."""
    for path, methods in api.get_openapi_schema()["paths"].items():
        address = path.replace("{", "\0").split("\0")
        filled = address[0] + "".join("1" + part.split("}", 1)[1] for part in address[1:])
        yield from ((method.upper(), filled) for method in methods)


def sockets() -> Iterator[str]:
    """Every address that takes a socket."""
    outer = application.application_mapping["websocket"]
    while not isinstance(outer, URLRouter):
        outer = getattr(outer, "application", None) or outer.inner
    yield from (f"/{route.pattern}" for route in outer.routes)


@pytest.fixture
def people(db: None, settings: Settings) -> dict[str, Client]:
    settings.ACCESS = "login"
    settings.ROOT_URLCONF = "tests.demo_urls"
    shared.clear()
    found = {"stranger": Client(raise_request_exception=False)}
    for role in Role:
        found[role] = Client(raise_request_exception=False)
        found[role].force_login(add_user(role, "a long enough word", role))
    return found


def is_refused(response: object) -> bool:
    status = response.status_code  # type: ignore[attr-defined]
    location = response.headers.get("Location", "")  # type: ignore[attr-defined]
    return status in REFUSED or (status == 302 and location.startswith("/login?next="))


def test_every_address(people: dict[str, Client]) -> None:
    listed = list(addresses())
    assert {"overview", "alerts", "login", "transaction", "openapi-view", *PANEL} <= {name for name, _ in listed}
    assert {address for _, address in operations()} <= {address for _, address in listed}
    for name, address in listed:
        assert is_refused(people["stranger"].get(address)) == (name not in OPEN), address
        assert is_refused(people["stranger"].post(address)) == (name not in OPEN), address
        for role in Role:
            assert not is_refused(people[role].get(address)), (role, address)
        if name not in OPEN:
            assert is_refused(people["viewer"].post(address)) == (name not in PANEL), address
            assert not is_refused(people["operator"].post(address)), address


def test_every_operation(people: dict[str, Client]) -> None:
    listed = list(operations())
    assert ("POST", "/api/bus/release") in listed
    assert len(listed) > 8
    for method, address in listed:
        answers = {who: client.generic(method, address, "{}", JSON) for who, client in people.items()}
        assert (answers["stranger"].status_code, "error" in answers["stranger"].json()) == (401, True), address
        assert (answers["viewer"].status_code == 403) == (method != "GET"), (method, address)
        assert answers["operator"].status_code not in REFUSED, (method, address)


def test_where_strangers_may_read_they_change_nothing(people: dict[str, Client], settings: Settings) -> None:
    settings.ACCESS = "read"
    for name, address in addresses():
        assert not is_refused(people["stranger"].get(address)), address
        refused = is_refused(people["stranger"].post(address))
        assert refused == (name not in OPEN | PANEL), address
    for method, address in operations():
        refused = people["stranger"].generic(method, address, "{}", JSON).status_code in REFUSED
        assert refused == (method != "GET"), (method, address)


def test_a_user_without_a_role_or_disabled_sees_nothing(people: dict[str, Client]) -> None:
    user = add_user("eve", "a long enough word", Role.VIEWER)
    client = Client()
    client.force_login(user)
    assert client.get("/alerts").status_code == 200
    user.groups.clear()
    assert client.get("/alerts").status_code == 403
    user.is_active = False
    user.save()
    assert is_refused(client.get("/alerts"))


def test_who_may_not_is_told_so_on_a_page_of_its_own(people: dict[str, Client]) -> None:
    page = people["viewer"].post("/alerts/act")
    assert "<h1>This is not for viewer</h1>" in page.content.decode()
    part = people["viewer"].post("/alerts/act", headers={"HX-Request": "true"})
    assert part.status_code == page.status_code == 403
    assert "<html" not in part.content.decode()


def test_logging_in_and_out(people: dict[str, Client]) -> None:
    client = people["stranger"]
    where = client.get("/transactions?q=1").headers["Location"]
    assert where == "/login?next=%2Ftransactions%3Fq%3D1"
    given = {"username": "viewer", "password": "wrong", "next": "/transactions?q=1"}
    assert "do not belong together" in client.post("/login", given).content.decode()
    answer = client.post("/login", {**given, "password": "a long enough word"})
    assert answer.headers["Location"] == "/transactions?q=1"
    outside = client.post("/login", {**given, "password": "a long enough word", "next": "https://example.com"})
    assert outside.headers["Location"] == "/", "nobody is sent elsewhere"
    client.post("/logout")
    assert is_refused(client.get("/transactions"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("who", "admitted"), [("stranger", False), ("viewer", True), ("operator", True)])
async def test_every_socket(settings: Settings, who: str, admitted: bool) -> None:
    settings.ACCESS = "login"
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    headers = [(b"origin", b"http://localhost"), (b"host", b"localhost")]
    if who != "stranger":
        headers.append((b"cookie", await _cookie(who)))
    listed = list(sockets())
    assert "/ws/live/" in listed
    for path in listed:
        scope = {"type": "websocket", "path": path, "headers": headers, "query_string": b"", "subprotocols": []}
        socket = ApplicationCommunicator(application, scope)
        await socket.send_input({"type": "websocket.connect"})
        answer = await socket.receive_output(5)
        assert answer["type"] == ("websocket.accept" if admitted else "websocket.close")
        await socket.send_input({"type": "websocket.disconnect"})
        await socket.wait(5)


@pytest.mark.django_db(transaction=True)
async def test_whoever_logs_out_is_told_nothing_more(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ACCESS = "login"
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    monkeypatch.setattr(access, "AGAIN", 0.05)
    cookie = await _cookie("viewer")
    headers = [(b"origin", b"http://localhost"), (b"host", b"localhost"), (b"cookie", cookie)]
    scope = {"type": "websocket", "path": "/ws/live/", "headers": headers, "query_string": b"", "subprotocols": []}
    socket = ApplicationCommunicator(application, scope)
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(5))["type"] == "websocket.accept"
    assert await socket.receive_nothing(0.3), "who is still logged in, stays"
    await Session.objects.all().adelete()
    assert await socket.receive_output(5) == {"type": "websocket.close", "code": access.REFUSED}
    await socket.wait(5)


async def _cookie(role: str) -> bytes:
    def log_in() -> str:
        client = Client()
        client.force_login(add_user(role, "a long enough word", Role(role)))
        return client.cookies["sessionid"].value

    return f"sessionid={await sync_to_async(log_in)()}".encode()


@pytest.mark.django_db
def test_the_first_user_is_added_by_a_command(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.ACCESS = "login"
    for word, complaint in (("short", "too short"), ("a long enough word", "")):
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{word}\n"))
        if complaint:
            with pytest.raises(CommandError, match=complaint):
                call_command("add_user", "ada", "--role", "operator")
        else:
            call_command("add_user", "ada", "--role", "operator", stdout=io.StringIO())
    client = Client()
    assert client.login(username="ada", password="a long enough word")
    assert client.post("/api/bus/release", "{}", JSON).status_code == 200
    monkeypatch.setattr(sys, "stdin", io.StringIO("a long enough word\n"))
    with pytest.raises(CommandError, match="already"):
        call_command("add_user", "ada")
