"""Choreoscope on parts of its own, in processes as the demo starts them; and somebody who asks it what is stuck."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from subprocess import Popen
from typing import Any, Self

import psycopg

from dashboard.parts import redis as embedded_redis
from dashboard.parts.demo import HOST, processes
from dashboard.parts.process import Launcher, stop
from tests.integration.reliability.processes import CollectorProcess, Collectors
from tests.soak.dances import CONFIG, TOPICS
from tests.soak.parts import Database, Part
from tests.stack.brokers import Broker
from tests.stack.waiting import poll_until

EVERY = 0.1
"""Seconds between two questions of a watcher: what it measures may be as much too long."""


class Api:
    """The web application's JSON, asked through one connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=10)

    def close(self) -> None:
        self._connection.close()

    def get(self, path: str) -> dict[str, Any]:
        self._connection.request("GET", f"/api/{path}")
        answer = self._connection.getresponse()
        body = answer.read()
        assert answer.status == http.HTTPStatus.OK, f"{path}: {answer.status} {body[:500]!r}"
        found: dict[str, Any] = json.loads(body)
        return found

    def page(self, path: str) -> float:
        """How many seconds a page took to come."""
        began = time.monotonic()
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        answer.read()
        assert answer.status == http.HTTPStatus.OK, f"{path}: {answer.status}"
        return time.monotonic() - began

    def stuck(self) -> set[str]:
        """The newest of those that are."""
        return {found["id"] for found in self.get("transactions?status=stuck&limit=100")["items"]}

    def alarms(self) -> set[str]:
        """The kinds of the open alerts."""
        return {found["kind"] for found in self.get("alerts?state=open")["items"]}


class Watch:
    """Asks again and again, in a thread. `seen`: when each transaction was first said to be stuck."""

    def __init__(self, port: int) -> None:
        self.seen: dict[str, datetime] = {}
        self._port, self._stop = port, threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with closing(Api(self._port)) as api:
            while not self._stop.wait(EVERY):
                found = api.stuck()
                now = datetime.now(UTC)
                for transaction in found - self.seen.keys():
                    self.seen[transaction] = now

    def after(self, deadlines: Mapping[str, datetime]) -> list[float]:
        """How many seconds after its deadline each of these was said to be stuck, in order."""
        return sorted((self.seen[name] - deadline).total_seconds() for name, deadline in deadlines.items())


class Stage:
    """PostgreSQL, Redis and what works with them. `start` takes the names that the demo gives its processes."""

    def __init__(self, name: str, broker: Broker, folder: Path) -> None:
        self.broker, self.database = broker, Database(name)
        self.redis = Part(partial(embedded_redis.running, folder / "redis"))
        self._second = Part(partial(embedded_redis.running, folder / "redis-2"))
        self._collectors = Collectors(broker, folder, CONFIG)
        self.config = self._collectors.config
        self._launcher, self._processes = Launcher(folder), dict[str, Popen[str]]()
        self._folder, self._running = folder, ExitStack()
        with closing(socket.create_server((HOST, 0))) as probe:
            self.port: int = probe.getsockname()[1]

    def __enter__(self) -> Self:
        for name in TOPICS:
            self.broker.topic(name)
        self._running.enter_context(self.database)
        self._running.enter_context(self.redis)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is not None:
            error.add_note(self.said())
        self._running.close()

    def said(self) -> str:
        """The end of what each process said."""
        logs = {name: (self._folder / f"{name}.log").read_text(errors="replace") for name in self._processes}
        return "\n".join(f"{name} said:\n{text[-2000:]}" for name, text in logs.items() if text)

    def collect(self) -> CollectorProcess:
        given = {"DATABASE_URL": self.database.url, "REDIS_URL": self.redis.url}
        return self._running.enter_context(self._collectors.running(**given))

    def start(self, *parts: str, apart: bool = False) -> None:
        """One more of each of these; `apart`: with a Redis of their own, so that they know nothing of the others."""
        if apart and not self._second.url:
            self._running.enter_context(self._second)
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
            "DATABASE_URL": self.database.url,
            "REDIS_URL": self._second.url if apart else self.redis.url,
            "KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap,
            "CHOREOSCOPE_CONFIG": str(self.config),
            "CHOREOSCOPE_ACCESS": "read",
        }
        for part in parts:
            name = f"{part}-{len(self._processes)}"
            process = self._launcher.start(name, processes(self.port)[part], environment=environment)
            self._processes[name] = process
            self._running.callback(stop, process)

    def await_ready(self) -> None:
        poll_until(self._is_ready, 60, "Choreoscope to be ready", every=0.2)

    def _is_ready(self) -> bool:
        with closing(http.client.HTTPConnection(HOST, self.port, timeout=5)) as connection:
            try:
                connection.request("GET", "/readyz")
                return connection.getresponse().status == http.HTTPStatus.OK
            except OSError:
                return False

    def end(self) -> None:
        """Ends all processes in good order; the parts go on."""
        for process in self._processes.values():
            assert process.poll() is None, self.said()
            stop(process)

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database.url) as session:
            return session.execute(statement.encode(), values).fetchall()


def leave(collector: CollectorProcess) -> None:
    collector.signal(signal.SIGTERM)
    assert collector.await_end() == 0
