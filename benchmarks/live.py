"""How live the overview is with twenty viewers, and what that costs.

    python -m benchmarks.live [--viewers 20] [--seconds 60] [--loads 5] [--rates 100 1000]

Orders as in `benchmarks.ingest` are published to Apache Kafka at a steady rate, a collector stores them, and a web
process serves all viewers: one is Chromium, the others have a socket each, as the page has it. These are there first.
Once each has been told of changes a few times, Chromium opens the page, some times over with nothing cached: until its
map is drawn and news have come it is *loading*. The last of these pages stays open. Several times a second an order is
published that fails, which the browser's list of failed ones shows: from just before it is handed to the producer until
the frame with its row has been painted is *event to pixel*. The browser itself says how long the tasks of its main
thread took. For each rate: these, and the processor time of the web process.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import psutil
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import stream
from benchmarks.pages import quantile, web
from dashboard.parts import postgres, redis
from tests.stack import kafka
from tests.stack.waiting import poll_until

ROOT = Path(__file__).parent.parent
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60.0
"""Seconds until a page has loaded."""
TICK = 0.01
PROBES_APART = (0.2, 0.5)
LATEST = 3.0
"""Seconds until a probe counts as never seen."""

# A message from within the callback of the frame in which a probe's row is first there comes when that is painted.
WATCH = """
window.seen = {}; window.tasks = [];
new PerformanceObserver((list) => list.getEntries()
  .forEach(({ startTime, duration }) => window.tasks.push([startTime, duration])))
  .observe({ type: "longtask", buffered: true });
document.addEventListener("DOMContentLoaded", () => {
  const look = () => {
    const found = [...document.querySelectorAll('a[href*="/transactions/probe-"]')]
      .map((link) => link.getAttribute("href").split("/").pop()).filter((name) => !(name in window.seen));
    if (!found.length) return;
    found.forEach((name) => { window.seen[name] = 0; });
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => found.forEach((name) => { window.seen[name] = Date.now(); });
      channel.port2.postMessage(0);
    });
  };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true, attributes: true });
  document.body.addEventListener("live", () => {
    if (document.querySelector("#map[data-drawn]")) window.loaded ??= performance.now();
  });
});
"""
_PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime"


class Others(NamedTuple):
    """How often the other viewers were told, with how many characters; the milliseconds of what they had to fetch."""

    told: int
    sent: int
    took: list[float]


class Load(NamedTuple):
    """Milliseconds of the browser: until there is something to see, until all is there and live, and its long tasks."""

    painted: float
    loaded: float
    tasks: list[float]


class Seen(NamedTuple):
    """Milliseconds; `web` is the share of a processor that the web process took."""

    pixels: list[float]
    missing: int
    tasks: list[float]
    loads: list[Load]
    others: Others
    published: float
    web: float


class Publishing:
    """Publishes orders at a steady rate from a thread, and probes among them, once it is told to."""

    def __init__(self, bootstrap: str, rate: int) -> None:
        self.sent: dict[str, float] = {}
        self.published = 0
        self.probing = threading.Event()
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
        self._rate = rate
        self._thread = threading.Thread(target=self._run)
        self._over = threading.Event()

    def __enter__(self) -> Publishing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._producer.flush(10)

    def _run(self) -> None:
        chance, orders = random.Random(5), stream.records(600_000, seed=self._rate)
        begun = probe_at = time.monotonic()
        while not self._over.wait(TICK):
            now = time.monotonic()
            due = int((now - begun) * self._rate) - self.published
            for topic, partition, key, value, headers in itertools.islice(orders, due):
                self._producer.produce(topic, value, key, partition=partition, headers=dict(headers))
            self.published += due
            if self.probing.is_set() and now >= probe_at:
                self._probe(f"probe-{self._rate}-{len(self.sent)}")
                probe_at = now + chance.uniform(*PROBES_APART)
            self._producer.poll(0)

    def _probe(self, name: str) -> None:
        moment = datetime.now(UTC)
        self.sent[name] = time.time() * 1000
        for kind in ("OrderPlaced", "OrderCancelled"):
            headers: dict[str, str | bytes | None] = {
                "ce_specversion": b"1.0",
                "ce_id": f"{name}/{kind}".encode(),
                "ce_source": b"/services/order",
                "ce_type": kind.encode(),
                "ce_time": moment.isoformat().encode(),
                "ce_correlationid": name.encode(),
            }
            self._producer.produce("orders", stream.VALUE, name.encode(), partition=0, headers=headers)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--loads", type=int, default=5)
    parser.add_argument("--rates", type=int, nargs="+", default=[100, 1_000])
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="choreoscope-bench-")))
        folder.chmod(0o755)
        environment = {
            **os.environ,
            "DATABASE_URL": stack.enter_context(postgres.running(folder / "postgres")),
            "REDIS_URL": stack.enter_context(redis.running(folder / "redis")),
            "KAFKA_BOOTSTRAP_SERVERS": stack.enter_context(kafka.running(folder / "kafka")),
            "CHOREOSCOPE_CONFIG": str(ROOT / "benchmarks" / "choreoscope.yaml"),
            "CHOREOSCOPE_VAR": str(folder / "var"),
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        }
        make_topics(environment["KAFKA_BOOTSTRAP_SERVERS"])
        for command in (["migrate", "--verbosity", "0"], ["collectstatic", "--noinput", "--verbosity", "0"]):
            subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=True)
        session = [sys.executable, "-m", "benchmarks.session"]
        cookie = subprocess.run(session, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        stack.enter_context(collector(environment))
        for rate in options.rates:
            report(rate, seen(environment, cookie.stdout.strip(), rate, options))


def make_topics(bootstrap: str) -> None:
    client = AdminClient({"bootstrap.servers": bootstrap})
    made = client.create_topics([NewTopic(name, num_partitions=stream.PARTITIONS) for name in stream.TOPICS])
    for future in made.values():
        future.result(20)


@contextmanager
def collector(environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "manage.py", "collect"], cwd=ROOT, env=environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def seen(environment: dict[str, str], cookie: str, rate: int, options: argparse.Namespace) -> Seen:
    with (
        web(environment, "dashboard.asgi:application") as served,
        Publishing(environment["KAFKA_BOOTSTRAP_SERVERS"], rate) as publishing,
        chromium() as browser,
        looking(served.port, cookie, options.viewers - 1) as others,
    ):
        loads = []
        for _ in range(options.loads - 1):
            with opened(browser, served.port, cookie) as page:
                loads.append(load(page))
        with opened(browser, served.port, cookie) as page:
            loads.append(load(page))
            process = psutil.Process(served.pid)
            begun, before, published = time.monotonic(), process.cpu_times(), publishing.published
            publishing.probing.set()
            page.wait_for_timeout(options.seconds * 1000)
            publishing.probing.clear()
            after, took = process.cpu_times(), time.monotonic() - begun
            published = publishing.published - published
            page.wait_for_timeout(LATEST * 1000)
            tasks = [duration for _, duration in page.evaluate("window.tasks")]
            painted: dict[str, float] = page.evaluate("window.seen")
        told = Others(**json.loads(others.communicate(timeout=30)[0]))
    sent = publishing.sent
    pixels = [painted[name] - at for name, at in sent.items() if painted.get(name)]
    used = after.user + after.system - before.user - before.system
    return Seen(pixels, len(sent) - len(pixels), tasks, loads, told, published / took, used / took)


@contextmanager
def looking(port: int, cookie: str, viewers: int) -> Iterator[subprocess.Popen[str]]:
    """The viewers that are not Chromium, once they have settled. Communicating with them ends their looking."""
    command = [sys.executable, "-m", "benchmarks.viewers", str(port), cookie, str(viewers)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as others:
        assert others.stdout is not None
        try:
            if (said := others.stdout.readline().strip()) != "settled":
                raise SystemExit(f"The other viewers did not settle: {said!r}")
            yield others
        finally:
            others.terminate()


@contextmanager
def chromium() -> Iterator[Browser]:
    """As somebody has it who works with it: started, with a page of something else."""
    path = next(found for name in CHROMIUM if (found := shutil.which(name)))
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        browser.new_page()
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, port: int, cookie: str) -> Iterator[Page]:
    """The overview, with the failed transactions listed, of somebody who has nothing of it in any cache."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": f"http://127.0.0.1:{port}"}])
        context.add_init_script(WATCH)
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{port}/?status=failed", wait_until="commit")
        yield page


def load(page: Page) -> Load:
    """Once it is there and live; what its main thread does from then on is no part of it."""
    loaded: float = poll_until(lambda: page.evaluate("window.loaded"), PATIENCE, "the page to be there", every=0.25)
    tasks: list[tuple[float, float]] = page.evaluate("window.tasks")
    page.evaluate("(loaded) => { window.tasks = window.tasks.filter(([began]) => began > loaded); }", loaded)
    return Load(page.evaluate(_PAINTED), loaded, [duration for began, duration in tasks if began <= loaded])


def report(rate: int, found: Seen) -> None:
    print(f"{rate:,} events/s asked for, {found.published:,.0f} published; load {os.getloadavg()[0]:.1f}")
    pixels = f"p50 {statistics.median(found.pixels):.0f} ms, p99 {quantile(found.pixels, 0.99):.0f} ms"
    print(f"  event to pixel     {pixels}, of {len(found.pixels)}; {found.missing} never seen")
    print(f"  longest task       {max(found.tasks, default=0):.0f} ms of {len(found.tasks)} over 50 ms")
    longest = [max(load.tasks, default=0) for load in found.loads]
    print(f"  … while loading    {_several(longest)} ms, {len(longest)} times with nothing cached")
    print(f"  first paint        {_several([load.painted for load in found.loads])} ms")
    print(f"  loaded             {_several([load.loaded for load in found.loads])} ms")
    others, fetched = found.others, len(found.others.took)
    print(f"  other viewers      told {others.told} times, {others.sent / max(1, others.told) / 1000:.0f} kB each")
    if fetched:
        print(f"  … fetched          {fetched} times, p50 {statistics.median(others.took):.1f} ms")
    print(f"  web process        {found.web:.0%} of a processor", flush=True)


def _several(values: list[float]) -> str:
    return f"{statistics.median(values):.0f}, at most {max(values):.0f}"


if __name__ == "__main__":
    main()
