"""Runs processes side by side: shows what they say, notices when one ends, and ends them all when it is asked to."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from dashboard.parts.output import Output
from dashboard.parts.process import Launcher, PartFailed, await_end, end_strangers, ending, spawn

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_SECONDS = 10


class Stopped(Exception):
    """Somebody asked us to stop."""


class Supervisor(Launcher):
    """A Launcher that shows its processes' output and knows at once when one of them ends.

    Each line is read by a thread of its process. The main thread sleeps until one of them, or a signal, has news.
    """

    def __init__(self, output: Output, record: Path) -> None:
        self.output = output
        self._record = record
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._last: dict[str, str] = {}
        self._news: queue.SimpleQueue[str] = queue.SimpleQueue()  # names of those that ended; "" wakes us
        self._stopping = False

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        owner: tuple[int, int] | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
        quiet: bool = False,
    ) -> subprocess.Popen[str]:
        process = spawn(command, subprocess.PIPE, environment=environment, owner=owner, death_signal=death_signal)
        self._processes[name] = process
        self._write_record()
        threading.Thread(target=self._listen, args=(name, process, quiet), name=name, daemon=True).start()
        return process

    def _listen(self, name: str, process: subprocess.Popen[str], quiet: bool) -> None:
        if process.stdout:
            for line in process.stdout:
                if text := line.rstrip():
                    self._last[name] = text
                    if not quiet:
                        self.output.line(name, text)
        process.wait()
        self._news.put(name)

    def last_words(self, name: str) -> str:
        return f" It said: {last}" if (last := self._last.get(name)) else ""

    def finish(self, name: str, process: subprocess.Popen[str], *, seconds: float) -> None:
        super().finish(name, process, seconds=seconds)
        del self._processes[name]  # from here on its end is no news

    def pause(self) -> None:
        if self._stopping:
            raise Stopped
        super().pause()

    def await_all(self, ready: Callable[[], bool], seconds: float, complaint: Callable[[], str]) -> None:
        """Poll until all is ready. Raises PartFailed as soon as any process ends, or when the time is up."""
        deadline = time.monotonic() + seconds
        while not ready():
            for name, process in self._processes.items():
                self.check(name, process)
            if time.monotonic() > deadline:
                raise PartFailed(complaint())
            with suppress(queue.Empty):
                self._take_news(timeout=0.1)

    def watch(self) -> None:
        """Sleep until something happens. Raises PartFailed when a process ends, Stopped when we are asked to stop."""
        while True:
            self._take_news(timeout=None)

    def _take_news(self, timeout: float | None) -> None:
        name = self._news.get(timeout=timeout)
        if self._stopping:
            raise Stopped
        if process := self._processes.get(name):
            status = process.wait()
            # who was killed from outside did not die of what it said last
            said = self.last_words(name) if status >= 0 else ""
            raise PartFailed(f"{name} {ending(status)}.{said}")

    @contextmanager
    def signals(self) -> Iterator[None]:
        """While the block runs, signals ask us to stop, instead of ending us on the spot."""

        def on_signal(*_: object) -> None:
            self._stopping = True
            self._news.put("")

        # One that was ignored when we were started (nohup) stays so.
        before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, on_signal)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def group(self) -> Iterator[None]:
        """Ends all processes that were started within the block, together, when it is left."""
        before = set(self._processes)
        try:
            yield
        finally:
            started = [process for name, process in self._processes.items() if name not in before]
            for process in started:
                process.terminate()
            deadline = time.monotonic() + PATIENCE_SECONDS
            for process in started:
                await_end(process, max(0.1, deadline - time.monotonic()))

    def _write_record(self) -> None:
        """Keep who runs, so that the next start finds whom we left behind, should we be ended by force."""
        record = {process.pid: _created(process.pid) for process in self._processes.values()}
        draft = self._record.with_suffix(".new")
        draft.write_text(json.dumps(record))
        draft.rename(self._record)

    def forget(self) -> None:
        self._record.unlink(missing_ok=True)


def end_leftovers(record: Path) -> None:
    """End the processes that an earlier supervisor recorded and left behind."""
    try:
        earlier: dict[str, float | None] = json.loads(record.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return
    left = [process for pid, created in earlier.items() if (process := _same(int(pid), created))]
    end_strangers(left, signal.SIGTERM, patience=PATIENCE_SECONDS)
    record.unlink(missing_ok=True)


def _created(pid: int) -> float | None:
    """When a process was made: with its id, what tells it from a later one that has the same id."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None


def _same(pid: int, created: float | None) -> psutil.Process | None:
    """The process that was recorded, if it still runs."""
    return psutil.Process(pid) if created is not None and _created(pid) == created else None
