"""Choreoscope as it is served, saying how long each answer took: `uvicorn benchmarks.served:application`.

From when the request was handed over until the answer was ready to be sent, waiting for other requests included.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from benchmarks.looking import HEADER
from dashboard.asgi import application as choreoscope

Message = MutableMapping[str, Any]


async def application(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    begun = time.perf_counter()

    async def say(message: Message) -> None:
        if message["type"] == "http.response.start":
            took = f"{(time.perf_counter() - begun) * 1000:.3f}"
            message["headers"] = [*message.get("headers", ()), (HEADER.encode(), took.encode())]
        await send(message)

    await choreoscope(scope, receive, say)
