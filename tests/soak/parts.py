"""The parts around a collector, to be ended, frozen and started again with what they kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Self
from unittest.mock import patch

import psutil
from django.db import connection
from pytest_django import DjangoDbBlocker

from dashboard.parts import postgres as embedded_postgres
from dashboard.parts.addresses import DATABASE_NAME, DATABASE_USER, sockets
from tests.stack import place


class Part:
    """A part that can be ended and started again, with what it kept."""

    def __init__(self, run: Callable[[], AbstractContextManager[str]]) -> None:
        self._run, self._running = run, ExitStack()
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self.url = self._running.enter_context(self._run())

    def stop(self) -> None:
        self._running.close()


class Database(Part):
    """A PostgreSQL of its own, with our tables.

    Not in a test's `tmp_path`: run by root, it is another user, whom the next run of pytest would shut out of there.
    """

    def __init__(self, name: str, *, durable: bool = True) -> None:
        self.folder = place.FOLDER / name
        self._frozen: list[psutil.Process] = []
        super().__init__(partial(embedded_postgres.running, self.folder, durable=durable))

    def __enter__(self) -> Self:
        super().__enter__()
        environment = os.environ | {"DATABASE_URL": self.url, "DJANGO_SETTINGS_MODULE": "dashboard.settings"}
        migrate = [sys.executable, place.ROOT / "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, env=environment, check=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.thaw()
        super().__exit__()

    def freeze(self) -> None:
        """It hangs: connections are taken and bytes are acknowledged, by the kernel, and nothing is answered."""
        server = psutil.Process(int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0]))
        server.send_signal(signal.SIGSTOP)  # the first, so that it starts no more
        self._frozen = [server, *server.children(recursive=True)]
        for process in self._frozen:
            process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        while self._frozen:
            self._frozen.pop().send_signal(signal.SIGCONT)

    @contextmanager
    def read(self, blocker: DjangoDbBlocker) -> Iterator[None]:
        """Models are of this database while the block runs."""
        host = str(sockets(self.folder))
        there = {"HOST": host, "NAME": DATABASE_NAME, "USER": DATABASE_USER, "PASSWORD": "", "PORT": ""}

        def forget() -> None:
            connection.close()
            connection.close_pool()

        with blocker.unblock():
            forget()
            with patch.dict(connection.settings_dict, there):
                try:
                    yield
                finally:
                    forget()
