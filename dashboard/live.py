"""Tells browsers that something has changed, so that they fetch what they show. A hint, never the truth.

One subscription serves all sockets of a process. They are told at most four times a second, of everything that came
meanwhile at once, and all at the same moment, so that what they then fetch is made once for all of them. A slow one
costs a set of a few names, never a queue.

Browser → server: {"watch": ["overview", "transaction:<digest>", …]}.
Server → browser: {"changed": [names]}, and {"ping": n} every ten seconds so that a dead connection shows.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, MutableMapping
from typing import Any

from channels.layers import get_channel_layer

from dashboard.pages.shared import shared

log = logging.getLogger(__name__)

GROUP = "live"
AT_MOST_EVERY = 0.25
PING_EVERY = 10.0
ANEW_AFTER = 2.0
"""Seconds until a subscription that broke is tried anew."""
MOST_WATCHED = 20
LONGEST_NAME = 80
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
    """What one browser watches, and what it has not been told yet."""

    def __init__(self) -> None:
        self.watched: frozenset[str] = frozenset()
        self.changed: set[str] = set()
        self.news = asyncio.Event()

    def watch(self, names: Iterable[Any]) -> None:
        wanted = [name for name in names if isinstance(name, str) and len(name) <= LONGEST_NAME]
        self.watched = frozenset(wanted[:MOST_WATCHED])

    def note(self, change: Change) -> None:
        self.changed |= change.of(self.watched)

    def tell(self) -> None:
        if self.changed:
            self.news.set()

    def take(self) -> list[str]:
        changed, self.changed = sorted(self.changed), set()
        self.news.clear()
        return changed


class Hub:
    """The sockets of this process and their one subscription, which lives as long as there are any."""

    def __init__(self) -> None:
        self._sockets: set[Socket] = set()
        self._listening: asyncio.Task[None] | None = None
        self._telling: asyncio.TimerHandle | None = None
        self._told_at = -AT_MOST_EVERY

    @contextlib.contextmanager
    def joined(self, socket: Socket) -> Iterator[None]:
        self._sockets.add(socket)
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            self._sockets.discard(socket)
            if not self._sockets and self._listening is not None:
                self._listening.cancel()
                self._listening = None
                if self._telling is not None:
                    self._telling.cancel()
                    self._telling = None

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
                self._note(Change(await layer.receive(channel)))
        finally:
            with contextlib.suppress(Exception):
                await layer.group_discard(GROUP, channel)

    def _note(self, change: Change) -> None:
        """All are told at once: now, or as soon as they may be again."""
        for socket in self._sockets:
            socket.note(change)
        if self._telling is None:
            loop = asyncio.get_running_loop()
            rest = self._told_at + AT_MOST_EVERY - loop.time()
            self._telling = loop.call_later(max(0, rest), self._tell)

    def _tell(self) -> None:
        self._telling = None
        self._told_at = asyncio.get_running_loop().time()
        shared.changed()
        for socket in self._sockets:
            socket.tell()


hub = Hub()


async def application(_scope: Message, receive: Receive, send: Send) -> None:
    """The ASGI application of /ws/live/. Plain ASGI: a Channels consumer would bring a subscription for each socket."""
    message = await receive()
    if message["type"] != "websocket.connect":
        return
    await send({"type": "websocket.accept"})
    socket = Socket()
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
            socket.watch(json.loads(message.get("text") or "{}").get("watch", ()))


async def _tell(socket: Socket, send: Send) -> None:
    pings = 0
    while True:
        try:
            await asyncio.wait_for(socket.news.wait(), PING_EVERY)
            answer: dict[str, Any] = {"changed": socket.take()}
        except TimeoutError:
            pings += 1
            answer = {"ping": pings}
        await send({"type": "websocket.send", "text": json.dumps(answer)})
