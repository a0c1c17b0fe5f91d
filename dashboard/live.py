"""Tells browsers that something has changed. A hint, never the truth: what they show, they could as well fetch.

One subscription serves all sockets of a process. They are told at most four times a second, of everything that came
meanwhile at once, and all at the same moment, so that what they then fetch is made once for all of them. Where nothing
on a page is about who looks, its new content comes with the news, made once (dashboard.pushed). A slow one costs a set
of a few names and one content of each kind, never a queue.

Browser → server: {"watch": ["overview", "transaction:<digest>", …], "shown": [addresses of content that may come]}.
Server → browser: {"changed": [names]}, with {"shown": {address: content}} where all of that could be made, without what
is as it was; and {"ping": n} every ten seconds so that a dead connection shows.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, NamedTuple

import msgspec
from channels.layers import get_channel_layer

from dashboard import pushed, times
from dashboard.pages.shared import shared
from dashboard.pushed import Seen

log = logging.getLogger(__name__)

GROUP = "live"
AT_MOST_EVERY = 0.25
BUSY = 0.5
"""The share of the time that making content may take; what takes longer comes less often."""
PING_EVERY = 10.0
ANEW_AFTER = 2.0
"""Seconds until a subscription that broke is tried anew."""
MOST_WATCHED = 20
LONGEST_NAME = 80
MOST_SHOWN = 4
LONGEST_ADDRESS = 4_000
PAGES = ("overview", "transactions", "ingestion")
"""What any change may concern."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Change:
    """What a message of the group says has changed."""

    def __init__(self, message: Message) -> None:
        self.many = bool(message.get("many"))
        self.names = {f"transaction:{digest}" for digest in message.get("transactions", ())} | set(PAGES)
        if message.get("alerts"):
            self.names.add("alerts")

    def of(self, watched: Collection[str]) -> set[str]:
        if self.many:
            return {name for name in watched if name in self.names or name.startswith("transaction:")}
        return self.names.intersection(watched)


class Socket:
    """What one browser watches and shows, and what it has not been told yet."""

    def __init__(self, zone: str = "") -> None:
        self.watched: frozenset[str] = frozenset()
        self.shown: tuple[Seen, ...] = ()
        self.news = asyncio.Event()
        self._zone = zone
        self._changed: set[str] = set()
        self._told: set[str] = set()
        self._fresh: dict[str, str] | None = None
        self._sent: dict[str, str] = {}

    def watch(self, names: Iterable[Any], addresses: Iterable[Any] = ()) -> None:
        wanted = [name for name in names if isinstance(name, str) and len(name) <= LONGEST_NAME]
        self.watched = frozenset(wanted[:MOST_WATCHED])
        seen = (Seen(text, self._zone) for text in addresses if isinstance(text, str) and len(text) <= LONGEST_ADDRESS)
        self.shown = tuple(one for _, one in zip(range(MOST_SHOWN), seen, strict=False) if one.concern in self.watched)
        kept = {seen.address for seen in self.shown}
        self._sent = {address: text for address, text in self._sent.items() if address in kept}

    def note(self, change: Change) -> None:
        self._changed |= change.of(self.watched)

    def due(self) -> Due | None:
        """What it is to be told now; what comes from here on is for the next time."""
        changed, self._changed = self._changed, set()
        old = {seen for seen in self.shown if seen.concern in changed}
        return Due(self, changed, old) if changed else None

    def tell(self, changed: set[str], contents: Mapping[str, str] | None) -> None:
        """Without contents, it has to fetch what it shows."""
        self._told |= changed
        self._fresh = None if contents is None else {**(self._fresh or {}), **contents}
        self.news.set()

    def take(self) -> dict[str, Any]:
        self.news.clear()
        told, self._told = sorted(self._told), set()
        fresh, self._fresh = self._fresh, None
        if fresh is None:
            return {"changed": told}
        new = {address: text for address, text in fresh.items() if self._sent.get(address) != text}
        self._sent.update(new)
        return {"changed": told, "shown": new}


class Due(NamedTuple):
    """What a socket is to be told, and what it shows that is old by that."""

    socket: Socket
    changed: set[str]
    old: set[Seen]

    def tell(self, contents: Mapping[Seen, str]) -> None:
        made = {seen.address: contents[seen] for seen in self.old if seen in contents}
        self.socket.tell(self.changed, made if made and len(made) == len(self.old) else None)


class Hub:
    """The sockets of this process and their one subscription, which lives as long as there are any."""

    def __init__(self) -> None:
        self._sockets: set[Socket] = set()
        self._working: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()

    @contextlib.contextmanager
    def joined(self, socket: Socket) -> Iterator[None]:
        self._sockets.add(socket)
        if not self._working:
            self._news = asyncio.Event()
            self._working = [asyncio.create_task(self._listen()), asyncio.create_task(self._tell_again_and_again())]
        try:
            yield
        finally:
            self._sockets.discard(socket)
            if not self._sockets:
                for task in self._working:
                    task.cancel()
                self._working = []

    async def _listen(self) -> None:
        while True:
            try:
                await self._receive_all()
            except Exception:
                log.warning("No live changes for now; trying again in %.0f s", ANEW_AFTER, exc_info=True)
                await asyncio.sleep(ANEW_AFTER)

    async def _receive_all(self) -> None:
        layer = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add(GROUP, channel)
        try:
            while True:
                change = Change(await layer.receive(channel))
                for socket in self._sockets:
                    socket.note(change)
                self._news.set()
        finally:
            with contextlib.suppress(Exception):
                await layer.group_discard(GROUP, channel)

    async def _tell_again_and_again(self) -> None:
        """The first change is told at once, what comes after it when it may be."""
        clock = asyncio.get_running_loop().time
        while True:
            await self._news.wait()
            self._news.clear()
            began = clock()
            await self._tell()
            took = clock() - began
            await asyncio.sleep(max(AT_MOST_EVERY, took / BUSY) - took)

    async def _tell(self) -> None:
        shared.changed()
        every = [due for socket in self._sockets if (due := socket.due())]
        for due in every:
            if not due.old:
                due.tell({})
        contents = await self._contents({seen for due in every for seen in due.old})
        for due in every:
            if due.old:
                due.tell(contents)

    async def _contents(self, old: Collection[Seen]) -> dict[Seen, str]:
        made = await asyncio.gather(*(pushed.content(seen) for seen in old), return_exceptions=True)
        contents = {seen: text for seen, text in zip(old, made, strict=True) if isinstance(text, str)}
        if failures := [failure for failure in made if isinstance(failure, BaseException)]:
            log.warning("Content is left for browsers to fetch: %s", failures[0])
        return contents


hub = Hub()


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """The ASGI application of /ws/live/. Plain ASGI: a Channels consumer would bring a subscription for each socket."""
    message = await receive()
    if message["type"] != "websocket.connect":
        return
    await send({"type": "websocket.accept"})
    socket = Socket(scope.get("cookies", {}).get(times.COOKIE, ""))
    with hub.joined(socket):
        telling = asyncio.create_task(_tell(socket, send))
        try:
            await _hear(socket, receive)
        finally:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await telling


async def _hear(socket: Socket, receive: Receive) -> None:
    """Until the browser is gone."""
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            asked = json.loads(message.get("text") or "{}")
            socket.watch(asked.get("watch", ()), asked.get("shown", ()))


async def _tell(socket: Socket, send: Send) -> None:
    pings = 0
    while True:
        try:
            async with asyncio.timeout(PING_EVERY):  # unlike wait_for, it never swallows that we are cancelled
                await socket.news.wait()
            answer: dict[str, Any] = socket.take()
        except TimeoutError:
            pings += 1
            answer = {"ping": pings}
        await send({"type": "websocket.send", "text": msgspec.json.encode(answer).decode()})
