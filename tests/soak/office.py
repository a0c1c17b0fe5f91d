"""Those who raise alerts and tell of them, in processes on parts of their own. No Kafka: a test says what is due."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from subprocess import Popen
from typing import Any, Self

import psycopg
from redis import Redis

from dashboard.parts import redis as embedded_redis
from dashboard.parts.demo import HOST, processes
from dashboard.parts.process import Launcher, stop
from tests.soak.parts import Database, Part
from tests.stack.waiting import poll_until

_ALIVE = """
INSERT INTO collector_heartbeat (name, at, detail)
VALUES ('collector:office', clock_timestamp() + interval '1 day', '{}')
"""
_HEARD = "SELECT count(*) FROM collector_heartbeat WHERE name = %s AND at > clock_timestamp() - interval '2 s'"


class Office:
    """PostgreSQL, Redis and what works with them. A collector is said to be alive for as long as it all takes.

    `start` takes the names that the demo gives its processes, with a number for more of the same: "worker", "worker-2".
    """

    def __init__(self, name: str, folder: Path, config: str) -> None:
        self.database = Database(name)
        self.redis = Part(partial(embedded_redis.running, folder / "redis"))
        self._config = folder / "choreoscope.yaml"
        self._config.write_text(config)
        self._launcher, self._folder = Launcher(folder), folder
        self._processes, self._running = dict[str, Popen[str]](), ExitStack()
        self._starts = 0
        with closing(socket.create_server((HOST, 0))) as probe:
            self.port: int = probe.getsockname()[1]

    def __enter__(self) -> Self:
        self._running.enter_context(self.database)
        self._running.enter_context(self.redis)
        self._running.callback(self._end)
        self.do(_ALIVE)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is not None:
            error.add_note(self.said())
        self._running.close()

    def said(self) -> str:
        """The end of what each process said."""
        logs = sorted(self._folder.glob("*.log"))
        return "\n".join(f"{log.stem} said:\n{log.read_text(errors='replace')[-1500:]}" for log in logs)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
            "DATABASE_URL": self.database.url,
            "REDIS_URL": self.redis.url,
            "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "CHOREOSCOPE_CONFIG": str(self._config),
            "CHOREOSCOPE_ACCESS": "read",
        }

    def start(self, *names: str) -> None:
        for name in names:
            command = processes(self.port)[name.split("-")[0]]
            self._starts += 1
            process = self._launcher.start(f"{name}-{self._starts}", command, environment=self.environment)
            self._processes[name] = process

    def kill(self, name: str) -> None:
        """As -9 does it; "redis" as well."""
        if name == "redis":
            with Redis.from_url(self.redis.url) as client:
                os.kill(client.info("server")["process_id"], signal.SIGKILL)
            self.redis.stop()
        else:
            self._processes[name].kill()
            self._processes[name].wait()

    def revive(self, name: str) -> None:
        if name == "redis":
            self.redis.start()
        else:
            self.start(name)

    def await_work(self) -> None:
        """Until alerts are brought up to date, each second."""
        poll_until(lambda: self.ask(_HEARD, "alerts")[0][0], 60, "the worker to work", every=0.2)

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database.url) as session:
            return session.execute(statement.encode(), values).fetchall()

    def do(self, statement: str, rows: Iterable[tuple[Any, ...]] = ((),)) -> None:
        with psycopg.connect(self.database.url) as session, session.cursor() as cursor:
            cursor.executemany(statement.encode(), rows)

    def _end(self) -> None:
        for process in self._processes.values():
            stop(process)
