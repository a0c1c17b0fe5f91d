"""The live hub: one subscription for all sockets, few and bounded messages, and it heals."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.layers import get_channel_layer
from pytest_django import Settings

from dashboard import live
from dashboard.asgi import application
from dashboard.pages.shared import MOMENT, shared


def connection(origin: bytes = b"http://localhost") -> ApplicationCommunicator:
    scope = {"type": "websocket", "path": "/ws/live/", "headers": [(b"origin", origin)], "query_string": b""}
    return ApplicationCommunicator(application, scope)


IN_MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


@pytest.fixture(autouse=True)
def layer(settings: Settings) -> None:
    settings.CHANNEL_LAYERS = IN_MEMORY


class Browser:
    def __init__(self, *watched: str) -> None:
        self._watched = watched
        self._socket = connection()

    async def __aenter__(self) -> Browser:
        await self._socket.send_input({"type": "websocket.connect"})
        assert (await self._socket.receive_output())["type"] == "websocket.accept"
        await self.send(json.dumps({"watch": self._watched}))
        await subscribed()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.send_input({"type": "websocket.disconnect", "code": 1001})
        await self._socket.wait()

    async def said(self) -> Any:
        return json.loads((await self._socket.receive_output(2))["text"])

    async def hears_nothing(self) -> bool:
        return bool(await self._socket.receive_nothing(0.4))

    async def send(self, text: str) -> None:
        await self._socket.send_input({"type": "websocket.receive", "text": text})


async def subscribed() -> None:
    """Until the hub listens and what browsers wish to watch has been heard."""
    async with asyncio.timeout(2):
        while not get_channel_layer().groups.get(live.GROUP) or not all(s.watched for s in live.hub._sockets):  # noqa: ASYNC110 - the hub tells nobody
            await asyncio.sleep(0.005)


async def change(*digests: str, many: bool = False, alerts: bool = False) -> None:
    message = {"type": "live.changed", "transactions": list(digests), "many": many, "alerts": alerts, "at": 0.0}
    await get_channel_layer().group_send(live.GROUP, message)


@pytest.fixture(autouse=True)
async def hub_is_empty() -> AsyncIterator[None]:
    yield
    assert not live.hub._sockets
    assert live.hub._listening is None


async def test_tells_what_is_watched_and_nothing_else() -> None:
    async with Browser("transaction:aa", "alerts") as one, Browser("overview") as other:
        await change("aa", "bb")
        assert await one.said() == {"changed": ["transaction:aa"]}
        assert await other.said() == {"changed": ["overview"]}
        await change("bb", alerts=True)
        assert await one.said() == {"changed": ["alerts"]}


async def test_many_may_concern_every_transaction() -> None:
    async with Browser("transaction:zz") as one:
        await change(many=True)
        assert await one.said() == {"changed": ["transaction:zz"]}


async def test_much_becomes_little() -> None:
    async with Browser("transaction:aa", "transaction:bb", "overview") as one:
        for digest in ["aa", "bb"] * 50:
            await change(digest)
        heard = [await one.said()]
        if heard[0]["changed"] != ["overview", "transaction:aa", "transaction:bb"]:
            heard.append(await one.said())
        assert len(heard) <= 2
        assert heard[-1]["changed"][-1] == "transaction:bb"
        assert await one.hears_nothing()


async def test_what_is_fetched_when_told_is_made_once_and_never_older(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "AT_MOST_EVERY", 0.0)
    made: list[int] = []

    def make() -> int:
        made.append(len(made))
        return made[-1]

    async with Browser("overview") as one, Browser("overview") as other, Browser("overview") as third:
        for turn in range(3):
            await change("aa")
            for browser in (one, other, third):
                assert await browser.said() == {"changed": ["overview"]}
                assert shared.get("told", MOMENT, make) == turn
        assert made == [0, 1, 2]


def test_what_may_be_old_is_not_made_anew_for_a_change() -> None:
    shared.clear()
    assert shared.get("slow", 60, lambda: "before") == "before"
    shared.changed()
    assert shared.get("slow", 60, lambda: "after") == "before"


async def test_one_subscription_for_all_sockets() -> None:
    async with Browser("overview"), Browser("overview"), Browser("overview"):
        assert len(get_channel_layer().groups[live.GROUP]) == 1
    await asyncio.sleep(0)
    async with Browser("overview") as again:
        await change("aa")
        assert await again.said() == {"changed": ["overview"]}


async def test_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PING_EVERY", 0.05)
    async with Browser("overview") as one:
        assert await one.said() == {"ping": 1}
        assert await one.said() == {"ping": 2}


@pytest.mark.parametrize(
    "nonsense", ["", "no json", "[]", '{"watch": 3}', '{"watch": [1, null, {}]}', '{"watch": "x"}']
)
async def test_nonsense_does_no_harm(nonsense: str) -> None:
    async with Browser("overview") as one:
        await one.send(nonsense)
        await one.send('{"watch": ["overview"]}')
        await subscribed()
        await change("aa")
        assert await one.said() == {"changed": ["overview"]}


async def test_what_is_watched_is_bounded() -> None:
    socket = live.Socket()
    socket.watch([f"transaction:{number}" for number in range(1000)] + ["x" * 1000])
    assert len(socket.watched) == live.MOST_WATCHED


async def test_a_broken_subscription_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "ANEW_AFTER", 0.01)
    failures = iter([ConnectionError("Redis is away")] * 3)
    real = live.get_channel_layer

    def broken_at_first() -> Any:
        if failure := next(failures, None):
            raise failure
        return real()

    monkeypatch.setattr(live, "get_channel_layer", broken_at_first)
    async with Browser("overview") as one:
        await change("aa")
        assert await one.said() == {"changed": ["overview"]}


async def test_other_sites_may_not_listen() -> None:
    socket = connection(b"https://elsewhere.example")
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output())["type"] == "websocket.close"
