"""Viewers of the overview without a browser: `python -m benchmarks.viewers PORT COOKIE COUNT`.

Each has a socket, as the page has it: what it shows comes with the news, and is fetched where it does not. They say
"settled" once each has been told a few times, and look on until their standard input ends. Then they write, as JSON:
how often they were told, how many characters that were, and the milliseconds of each answer to what they had to fetch.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from websockets.asyncio.client import connect

SHOWN = ("/live/overview", "/live/overview.json")
AT_LEAST_EVERY = 5.0
SETTLED = 8
"""Times that a viewer has been told, two seconds' worth: what is made for the first time is made by then."""
PATIENCE = 60.0
"""Seconds until all have settled."""


class Viewer:
    def __init__(self, port: int, cookie: str) -> None:
        self.port, self.cookie = port, cookie
        self.told = self.sent = 0
        self.took: list[float] = []
        self.settled = asyncio.Event()
        self._old = asyncio.Event()

    async def look(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            group.create_task(self._fetch_again_and_again())

    async def _listen(self) -> None:
        headers = {"Cookie": f"sessionid={self.cookie}", "Origin": f"http://127.0.0.1:{self.port}"}
        async with connect(f"ws://127.0.0.1:{self.port}/ws/live/", additional_headers=headers, max_size=None) as socket:
            await socket.send(json.dumps({"watch": ["overview", "alerts"], "shown": SHOWN}))
            while True:
                try:
                    async with asyncio.timeout(AT_LEAST_EVERY):
                        message = await socket.recv()
                except TimeoutError:
                    self._old.set()
                    continue
                news = json.loads(message)
                if "changed" in news:
                    self.told += 1
                    self.sent += len(message)
                    if self.told == SETTLED:
                        self.settled.set()
                    if "shown" not in news:
                        self._old.set()

    async def _fetch_again_and_again(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while True:
            await self._old.wait()
            self._old.clear()
            for address in SHOWN:
                request = (
                    f"GET {address} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nCookie: sessionid={self.cookie}\r\n"
                    "HX-Request: true\r\nAccept-Encoding: gzip\r\n\r\n"
                ).encode()
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


async def _all_looking(viewers: list[Viewer]) -> None:
    await asyncio.gather(*(viewer.look() for viewer in viewers))


async def _settled_and_over(viewers: list[Viewer]) -> None:
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(viewer.settled.wait() for viewer in viewers))
    print("settled", flush=True)
    await asyncio.to_thread(sys.stdin.read)


async def main() -> None:
    port, cookie, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    viewers = [Viewer(port, cookie) for _ in range(count)]
    looking = asyncio.create_task(_all_looking(viewers))
    ended = asyncio.create_task(_settled_and_over(viewers))
    await asyncio.wait({looking, ended}, return_when=asyncio.FIRST_COMPLETED)
    if looking.done():
        looking.result()  # which says what went wrong
    ended.result()
    found = {
        "told": sum(viewer.told for viewer in viewers),
        "sent": sum(viewer.sent for viewer in viewers),
        "took": [round(took, 1) for viewer in viewers for took in viewer.took],
    }
    print(json.dumps(found))
    looking.cancel()


if __name__ == "__main__":
    asyncio.run(main())
