"""The live hub: one subscription for all sockets, few and bounded messages, and it heals."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.layers import get_channel_layer
from pytest_django import Settings

from dashboard import live, pushed
from dashboard.asgi import application
from dashboard.pages.shared import MOMENT, shared
from dashboard.pushed import Seen

OVERVIEW = "/live/overview?status=failed"


def connection(origin: bytes = b"http://localhost", cookies: bytes = b"") -> ApplicationCommunicator:
    headers = [(b"origin", origin), (b"cookie", cookies)]
    scope = {"type": "websocket", "path": "/ws/live/", "headers": headers, "query_string": b""}
    return ApplicationCommunicator(application, scope)


IN_MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}


@pytest.fixture(autouse=True)
def layer(settings: Settings) -> None:
    settings.CHANNEL_LAYERS = IN_MEMORY


class Browser:
    def __init__(self, *watched: str, shown: Sequence[str] = (), cookies: bytes = b"") -> None:
        self._watched, self._shown = watched, shown
        self._socket = connection(cookies=cookies)

    async def __aenter__(self) -> Browser:
        await self._socket.send_input({"type": "websocket.connect"})
        assert (await self._socket.receive_output())["type"] == "websocket.accept"
        await self.send(json.dumps({"watch": self._watched, "shown": self._shown}))
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
    assert not live.hub._working


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


class Kitchen:
    """Makes content as it is told to; counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[Seen] = []
        self.content = "as it is"
        self.failure: Exception | None = None
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        monkeypatch.setattr(pushed, "content", self.make)

    async def make(self, seen: Seen) -> str:
        self.made.append(seen)
        content = self.content
        await self.may_go_on.wait()
        if self.failure:
            raise self.failure
        return content


@pytest.fixture
def kitchen(monkeypatch: pytest.MonkeyPatch) -> Kitchen:
    monkeypatch.setattr(live, "AT_MOST_EVERY", 0.0)
    return Kitchen(monkeypatch)


async def test_what_is_shown_comes_with_the_news_and_is_made_once(kitchen: Kitchen) -> None:
    other = "/live/overview.json"
    async with Browser("overview", shown=[OVERVIEW, other]) as one, Browser("overview", shown=[OVERVIEW]) as two:
        await change("aa")
        assert await one.said() == {"changed": ["overview"], "shown": {OVERVIEW: "as it is", other: "as it is"}}
        assert await two.said() == {"changed": ["overview"], "shown": {OVERVIEW: "as it is"}}
    assert sorted(kitchen.made) == sorted([Seen(OVERVIEW, ""), Seen(other, "")])


async def test_each_timezone_has_its_own(kitchen: Kitchen) -> None:
    there = b"timezone=Asia/Kathmandu"
    async with (
        Browser("overview", shown=[OVERVIEW]) as one,
        Browser("overview", shown=[OVERVIEW], cookies=there) as two,
    ):
        await change("aa")
        await one.said()
        await two.said()
    assert sorted(kitchen.made) == [Seen(OVERVIEW, ""), Seen(OVERVIEW, "Asia/Kathmandu")]


async def test_what_is_as_it_was_is_not_sent_again(kitchen: Kitchen) -> None:
    async with Browser("overview", shown=[OVERVIEW]) as one:
        for shown in ({OVERVIEW: "as it is"}, {}):
            await change("aa")
            assert await one.said() == {"changed": ["overview"], "shown": shown}
        kitchen.content = "as it is now"
        await change("aa")
        assert await one.said() == {"changed": ["overview"], "shown": {OVERVIEW: "as it is now"}}


async def test_what_changes_while_content_is_made_is_told_after_it(kitchen: Kitchen) -> None:
    kitchen.may_go_on.clear()
    async with Browser("overview", shown=[OVERVIEW]) as one:
        await change("aa")
        async with asyncio.timeout(2):
            while not kitchen.made:  # noqa: ASYNC110 - the hub tells nobody
                await asyncio.sleep(0.005)
        kitchen.content = "as it is now"
        await change("bb")
        kitchen.may_go_on.set()
        assert await one.said() == {"changed": ["overview"], "shown": {OVERVIEW: "as it is"}}
        assert await one.said() == {"changed": ["overview"], "shown": {OVERVIEW: "as it is now"}}


async def test_who_shows_something_else_does_not_wait_for_content(kitchen: Kitchen) -> None:
    kitchen.may_go_on.clear()
    async with Browser("overview", shown=[OVERVIEW]) as one, Browser("transaction:aa") as two:
        await change("aa")
        assert await two.said() == {"changed": ["transaction:aa"]}
        kitchen.may_go_on.set()
        assert (await one.said())["shown"]


async def test_what_cannot_be_made_is_left_to_be_fetched(kitchen: Kitchen) -> None:
    kitchen.failure = RuntimeError("the database is away")
    async with Browser("overview", shown=[OVERVIEW]) as one:
        await change("aa")
        assert await one.said() == {"changed": ["overview"]}


async def test_what_takes_long_to_make_comes_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that viewers of many different things leave the process time for others."""
    began = []

    async def slow(seen: Seen) -> str:
        began.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.1)
        return f"{seen} {len(began)}"

    monkeypatch.setattr(live, "AT_MOST_EVERY", 0.0)
    monkeypatch.setattr(pushed, "content", slow)
    async with Browser("overview", shown=[OVERVIEW]) as one:
        for _ in range(3):
            await change("aa")
            await one.said()
    assert min(later - before for before, later in pairwise(began)) >= 0.2


@pytest.mark.parametrize(
    "address",
    ["/live/alerts", "/transactions/x", "/", "/nowhere", "http://[", "//elsewhere.example/live/overview.jsonx", ""],
)
async def test_nothing_else_is_sent(kitchen: Kitchen, address: str) -> None:
    """Least of all what depends on who looks."""
    async with Browser("overview", "alerts", shown=[address]) as one:
        await change("aa")
        assert await one.said() == {"changed": ["overview"]}
    assert kitchen.made == []


async def test_what_is_shown_is_bounded() -> None:
    socket = live.Socket()
    addresses = [f"/live/overview?service={number}" for number in range(100)]
    socket.watch(["overview"], ["/live/overview?service=" + "x" * live.LONGEST_ADDRESS, 3, None, *addresses])
    assert [seen.address for seen in socket.shown] == addresses[: live.MOST_SHOWN]


async def test_what_was_sent_is_not_sent_again_and_kept_only_while_it_is_shown() -> None:
    socket, large = live.Socket(), "x" * 1_000_000
    tracemalloc.start()
    for number in range(100):
        address = f"/live/overview?service={number}"
        socket.watch(["overview"], [address])
        socket.tell({"overview"}, {address: f"{number}{large}"})
        assert list(socket.take()["shown"]) == [address]
        socket.tell({"overview"}, {address: f"{number}{large}"})
        assert socket.take()["shown"] == {}
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 10 * len(large), "a page may be left open for days, and show one thing after the other"


def test_what_may_be_old_is_not_made_anew_for_a_change() -> None:
    shared.clear()
    assert shared.get("slow", 60, lambda: "before") == "before"
    shared.changed()
    assert shared.get("slow", 60, lambda: "after") == "before"


def test_what_is_asked_for_is_not_forgotten_for_the_sake_of_what_is_not() -> None:
    shared.clear()
    assert shared.get("always asked for", 60, lambda: "kept") == "kept"
    for number in range(3_000):
        shared.get(("once", number), 60, lambda: "once")
        assert shared.get("always asked for", 60, lambda: "made anew") == "kept"
    assert len(shared._made) <= 1_000
    assert len(shared._making) <= 1_001
    assert shared.get(("once", 0), 60, lambda: "made anew") == "made anew"


def test_what_is_made_of_something_is_made_anew_of_something_else() -> None:
    shared.clear()
    first, second = ["events"], ["events"]
    assert shared.of(first, "table", lambda: "of the first") == "of the first"
    assert shared.of(first, "table", lambda: "anew") == "of the first"
    assert shared.of(second, "table", lambda: "of the second") == "of the second", "alike is not the same"
    assert shared.of(first, "table", lambda: "anew") == "anew"


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
