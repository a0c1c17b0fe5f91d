"""Viewers for the benchmark of the pages: people, who look at what they asked for, and impatient ones, who never do."""

from __future__ import annotations

import html
import http.client
import random
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.asked import MAY_SAY_NO

HEADER = "x-took"
"""Where `benchmarks.served` says how many milliseconds an answer took."""
THINKS = (1.0, 2.0)
"""Seconds that a person looks at a page, at least and at most."""
_PARTS = re.compile(r'data-(?:figure|drawings?)="([^"]+)"|hx-get="([^"]+)" hx-trigger="load')
"""What a page fetches by itself once it is there."""

Addresses = Mapping[str, Sequence[str]]
"""By what they are an example of."""


@dataclass
class Took:
    """Milliseconds that the server took: by what was asked for, and all of them."""

    named: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    every: list[float] = field(default_factory=list)
    seconds: float = 0.0


class Viewer:
    def __init__(self, port: int, cookie: str, took: Took) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._cookie, self._took = cookie, took
        self.wrong = ""

    def look(self, name: str, address: str) -> str:
        """Asks for it; what came is returned."""
        self._connection.request("GET", address, headers={"Cookie": f"sessionid={self._cookie}", "Host": "localhost"})
        answer = self._connection.getresponse()
        content = answer.read().decode(errors="replace")
        if (answer.status >= 500 and address not in MAY_SAY_NO) or answer.status in (401, 403):
            self.wrong = f"{address}: {answer.status}"
        took = float(answer.headers[HEADER])
        self._took.named[name].append(took)
        self._took.every.append(took)
        return content

    def look_on(self, name: str, address: str) -> None:
        """Asks for it, and for what a page asks for by itself."""
        content = self.look(name, address)
        if not name.startswith(("/live/", "/api/")):
            for part in parts(content):
                self.look(f"fetched by a page: {part.partition('?')[0].split('/')[2]}", part)


def parts(page: str) -> list[str]:
    found = [html.unescape(drawn or fetched) for drawn, fetched in _PARTS.findall(page)]
    return [address for address in dict.fromkeys(found) if address.startswith("/live/")]


def viewed(port: int, cookie: str, addresses: Addresses, viewers: int, seconds: float, *, people: bool) -> Took:
    """By so many viewers at once: people, who also ask for what a page fetches itself, and look at each a while;
    or as fast as answers come."""
    took, until, ended = Took(), time.monotonic() + seconds, threading.Event()
    at_work = [Viewer(port, cookie, took) for _ in range(viewers)]

    def work(viewer: Viewer, chance: random.Random) -> None:
        while not ended.is_set():
            for name in chance.sample(sorted(addresses), len(addresses)):
                if time.monotonic() >= until or viewer.wrong:
                    ended.set()
                if ended.wait(chance.uniform(*THINKS) if people else 0):
                    return
                look = viewer.look_on if people else viewer.look
                look(name, chance.choice(addresses[name]))

    begun = time.monotonic()
    _at_once([threading.Thread(target=work, args=(viewer, random.Random(at))) for at, viewer in enumerate(at_work)])
    took.seconds = time.monotonic() - begun
    if wrong := [viewer.wrong for viewer in at_work if viewer.wrong]:
        raise SystemExit(wrong[0])
    return took


def alone(port: int, cookie: str, addresses: Addresses, most: int) -> Took:
    """By one viewer, one after the other: some examples of everything."""
    took = Took()
    viewer = Viewer(port, cookie, took)
    begun = time.monotonic()
    for name, examples in addresses.items():
        for address in examples[:most]:
            viewer.look(name, address)
    took.seconds = time.monotonic() - begun
    if viewer.wrong:
        raise SystemExit(viewer.wrong)
    return took


def _at_once(threads: Iterable[threading.Thread]) -> None:
    threads = list(threads)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
