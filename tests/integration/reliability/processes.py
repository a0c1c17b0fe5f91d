"""Collectors as processes of their own (`manage.py collect`), to be frozen, ended and cut off."""

from __future__ import annotations

import os
import signal
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from urllib.parse import quote, urlsplit

import psutil
from django.db import connection

from dashboard.parts.process import Launcher, stop
from tests.collecting import CONFIG
from tests.stack.brokers import Broker
from tests.stack.place import ROOT
from tests.stack.waiting import poll_until

COLLECT = (ROOT / "manage.py", "collect")
HASTY = {
    "session.timeout.ms": "3000",
    "heartbeat.interval.ms": "500",
    "topic.metadata.refresh.interval.ms": "300",
}
FREEZING = ("-m", "tests.integration.reliability.freezing")


class CollectorProcess:
    """A collector that runs; `said` is its log so far."""

    def __init__(self, process: Popen[str], log: Path) -> None:
        self.process = process
        self._log = log

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def await_frozen(self) -> None:
        inside = psutil.Process(self.process.pid)
        poll_until(lambda: inside.status() == psutil.STATUS_STOPPED, 30, "the collector to freeze")

    def await_words(self, words: str, timeout: float = 30) -> None:
        poll_until(lambda: words in self.said(), timeout, f"the collector to say {words!r}")

    def await_end(self, timeout: float = 30) -> int:
        """Its exit status; -1 counts as an answer too."""
        poll_until(lambda: self.process.poll() is not None, timeout, "the collector to end")
        return self.process.returncode


class Collectors:
    """Starts collectors of one test: one group, the topics with the test's prefix, the test's database.

    `hasty`: members that are gone are given up soon, and topics that are new are seen soon; else as in production.
    """

    def __init__(self, broker: Broker, folder: Path, content: str = CONFIG, *, hasty: bool = True) -> None:
        self._broker, self._folder, self._properties = broker, folder, HASTY if hasty else {}
        self.config = folder / "choreoscope.yaml"
        self.config.write_text(f"topics: {{include: ['^{broker.prefix}']}}\n{content}")

    @contextmanager
    def running(
        self, *command: str | Path, properties: Mapping[str, str] | None = None, **environment: str
    ) -> Iterator[CollectorProcess]:
        """A collector while the block runs. `command` is what Python runs; `properties` are librdkafka's."""
        variables = {name: value for name, value in os.environ.items() if not name.startswith("KAFKA_")} | {
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
            "DATABASE_URL": database(),
            "KAFKA_BOOTSTRAP_SERVERS": self._broker.bootstrap,
            "CHOREOSCOPE_CONFIG": str(self.config),
            **_as_variables({**self._properties, **(properties or {})}),
            **environment,
        }
        launcher, name = Launcher(self._folder), f"collector-{uuid.uuid4().hex[:4]}"
        group = ("--group", f"{self._broker.prefix}collector")
        process = launcher.start(name, [sys.executable, *(command or COLLECT), *group], environment=variables)
        collector = CollectorProcess(process, self._folder / f"{name}.log")
        try:
            yield collector
        except BaseException as error:
            error.add_note(f"{name} said:\n{collector.said()[-6000:]}")
            raise
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                stop(process)


def database() -> str:
    """The URL of the database under test."""
    given = urlsplit(os.environ["DATABASE_URL"])
    return given._replace(path=f"/{quote(connection.settings_dict['NAME'])}").geturl()


def _as_variables(properties: Mapping[str, str]) -> dict[str, str]:
    return {f"KAFKA_CONFIG_{name.upper().replace('.', '_')}": value for name, value in properties.items()}
