"""Viewers of the overview without a browser: `python -m benchmarks.viewers PORT COOKIE COUNT SECONDS`.

Each has a socket and fetches what the page fetches, when it is told that something has changed, at most one thing of a
kind at a time. Written as JSON in the end: how often they were told, and the milliseconds that each answer took.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time

from websockets.asyncio.client import connect

FETCHED = ("/live/overview", "/live/overview.json")
AT_LEAST_EVERY = 5.0


class Viewer:
    def __init__(self, port: int, cookie: str) -> None:
        self.port, self.cookie = port, cookie
        self.told = 0
        self.took: list[float] = []
        self._changed = [asyncio.Event() for _ in FETCHED]

    async def look(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            for address, changed in zip(FETCHED, self._changed, strict=True):
                group.create_task(self._fetch_again_and_again(address, changed))

    async def _listen(self) -> None:
        headers = {"Cookie": f"sessionid={self.cookie}", "Origin": f"http://127.0.0.1:{self.port}"}
        async with connect(f"ws://127.0.0.1:{self.port}/ws/live/", additional_headers=headers) as socket:
            await socket.send(json.dumps({"watch": ["overview", "alerts"]}))
            async for message in socket:
                if "changed" in json.loads(message):
                    self.told += 1
                    for changed in self._changed:
                        changed.set()

    async def _fetch_again_and_again(self, address: str, changed: asyncio.Event) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        request = (
            f"GET {address} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nCookie: sessionid={self.cookie}\r\n"
            "HX-Request: true\r\nAccept-Encoding: gzip\r\n\r\n"
        ).encode()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), AT_LEAST_EVERY)
            changed.clear()
            begun = time.perf_counter()
            writer.write(request)
            await _answer(reader)
            self.took.append((time.perf_counter() - begun) * 1000)


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
    if " 200 " not in head[0] + " ":
        raise RuntimeError(head[0])
    length = next(int(line.partition(":")[2]) for line in head if line.startswith("content-length:"))
    return await reader.readexactly(length)


async def main() -> None:
    port, cookie, count, seconds = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    viewers = [Viewer(port, cookie) for _ in range(count)]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for viewer in viewers:
                group.create_task(viewer.look())
    found = {
        "told": sum(viewer.told for viewer in viewers),
        "took": [round(took, 1) for viewer in viewers for took in viewer.took],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main())
