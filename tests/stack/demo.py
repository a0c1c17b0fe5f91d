"""`manage.py demo`, as a person at a terminal would start it, for tests."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from dashboard.parts import addresses
from tests.stack.place import ROOT
from tests.stack.waiting import poll_until


class Demo:
    """The demo in a folder and on a port of its own, as a person at a terminal would start it."""

    def __init__(self, var: Path, port: int) -> None:
        self.var = var
        self.port = port
        self.log = var.with_suffix(".log")

    @contextmanager
    def started(self, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
        environment = {**self._environment(), **variables}
        command = [sys.executable, ROOT / "manage.py", "demo"]
        with self.log.open("wb") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            yield process
        except BaseException as error:
            error.add_note(f"The demo said:\n{self.said()[-8000:]}")
            raise
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def _environment(self) -> dict[str, str]:
        unset = {"DATABASE_URL", "REDIS_URL", "KAFKA_BOOTSTRAP_SERVERS", "DJANGO_SETTINGS_MODULE"}
        environment = {name: value for name, value in os.environ.items() if name not in unset}
        return environment | {"CHOREOSCOPE_VAR": str(self.var), "PORT": str(self.port)}

    def manage(self, *arguments: str, given: str = "") -> None:
        """A command beside the running demo; `given`: what it reads."""
        command = [sys.executable, ROOT / "manage.py", *arguments]
        subprocess.run(command, env=self._environment(), input=given, text=True, check=True, stdout=subprocess.DEVNULL)

    def said(self) -> str:
        return self.log.read_text()

    def await_ready(self, process: subprocess.Popen[bytes]) -> None:
        def ready() -> bool:
            if process.poll() is not None:
                pytest.fail(f"The demo ended with status {process.returncode}.")
            return "Choreoscope is ready" in self.said()

        poll_until(ready, 90, "the demo to be ready")

    def ask(self, path: str) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path)
        response = connection.getresponse()
        return response, response.read()

    def get(self, path: str) -> tuple[int, bytes]:
        response, body = self.ask(path)
        return response.status, body

    def asked(self, path: str) -> Any:
        status, content = self.get(path)
        assert status == http.HTTPStatus.OK, content
        return json.loads(content)

    def tell(self, method: str, path: str, body: dict[str, Any]) -> None:
        """To the company's control process."""
        control = urlsplit(addresses.running(self.var)["demo_control"])
        with closing(http.client.HTTPConnection(control.hostname or "", control.port, timeout=10)) as connection:
            connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
            assert connection.getresponse().status < http.HTTPStatus.MULTIPLE_CHOICES

    def count_events(self, service: str = "%") -> int:
        with psycopg.connect(addresses.database_url(addresses.postgres_folder(self.var))) as connection:
            counted = "select count(*) from collector_event where service like %s"
            (count,) = connection.execute(counted, [service]).fetchone() or (0,)
        return int(count)


@pytest.fixture
def demo() -> Iterator[Demo]:
    with tempfile.TemporaryDirectory(prefix="choreoscope-test-") as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        yield Demo(Path(folder) / "var", port)
