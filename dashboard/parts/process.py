"""Starting a process so that it can't outlive us, waiting until it is ready, and ending it."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
CHILD = Path(__file__).with_name("child.py")
POLL_SECONDS = 0.02


class PartFailed(Exception):
    """A part does not start, or has ended: a sentence for the person at the terminal."""


class Launcher:
    """Starts processes, each in a session of its own: a Ctrl-C reaches only us, and we end them in the right order.

    Their output goes to a file per process in `logs`. The supervisor's subclass shows it instead.
    """

    def __init__(self, logs: Path) -> None:
        self.logs = logs

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        owner: tuple[int, int] | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
        quiet: bool = False,  # noqa: ARG002 - for those who show what processes say
    ) -> subprocess.Popen[str]:
        """Start a command, as `owner` (user and group id) where given; it gets `death_signal` should we die.

        What a `quiet` one says is of interest only when it fails.
        """
        with self._log(name).open("w") as log:
            return spawn(command, log.fileno(), environment=environment, owner=owner, death_signal=death_signal)

    def wait_until(
        self, ready: Callable[[], bool], name: str, process: subprocess.Popen[str], *, seconds: float
    ) -> None:
        """Poll until the process is ready. Raises PartFailed when it ends before, or the time is up."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check(name, process)
            if time.monotonic() > deadline:
                raise PartFailed(f"{name} was not ready within {seconds:.0f} s.{self.last_words(name)}")
            self.pause()

    def finish(self, name: str, process: subprocess.Popen[str], *, seconds: float) -> None:
        """Wait for a process that does its work and ends. Raises PartFailed where it ends badly or not in time."""
        deadline = time.monotonic() + seconds
        while (status := process.poll()) is None:
            if time.monotonic() > deadline:
                raise PartFailed(f"{name} did not come to an end within {seconds:.0f} s.{self.last_words(name)}")
            self.pause()
        if status:
            raise PartFailed(f"{name} {ending(status)}.{self.last_words(name)}")

    def pause(self) -> None:
        """The wait between two looks at a process."""
        time.sleep(POLL_SECONDS)

    def check(self, name: str, process: subprocess.Popen[str]) -> None:
        """Raise PartFailed if the process has ended."""
        status = process.poll()
        if status is not None:
            raise PartFailed(f"{name} {ending(status)}.{self.last_words(name)}")

    def last_words(self, name: str) -> str:
        """The end of what the process said, to be put after a sentence."""
        with suppress(FileNotFoundError):
            if lines := self._log(name).read_text(errors="replace").strip().splitlines():
                return f" It said: {lines[-1]}"
        return ""

    def _log(self, name: str) -> Path:
        self.logs.mkdir(parents=True, exist_ok=True)
        return self.logs / f"{name}.log"


def spawn(
    command: Sequence[str | Path],
    output: int,
    *,
    environment: Mapping[str, str] | None = None,
    owner: tuple[int, int] | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
) -> subprocess.Popen[str]:
    """Start a command with both its outputs at the file descriptor `output` (or subprocess.PIPE)."""
    who = f"{owner[0]}:{owner[1]}" if owner else ""
    prologue = [sys.executable, "-I", "-S", str(CHILD), str(os.getpid()), str(int(death_signal)), who]
    return subprocess.Popen(
        [*prologue, *map(str, command)],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=ROOT,  # so that `python -m` finds our packages, wherever we were called from
        env=None if environment is None else dict(environment),
        start_new_session=True,
        text=True,
        errors="replace",
    )


def stop(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM, *, patience: float = 10) -> int:
    """Ask a process to end; after `patience` seconds end it, and all of its session, by force. Returns its status."""
    with suppress(ProcessLookupError):
        process.send_signal(number)
    return await_end(process, patience)


def await_end(process: subprocess.Popen[str], patience: float) -> int:
    """Wait for a process that was asked to end. Asked twice, some end in haste."""
    try:
        return process.wait(patience)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def end_strangers(processes: Sequence[psutil.Process], number: signal.Signals, *, patience: float = 10) -> None:
    """As `stop`, for processes that are not our children, all together. One that only waits to be reaped has ended."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
    deadline = time.monotonic() + patience
    while alive := [process for process in processes if is_alive(process)]:
        if time.monotonic() > deadline:
            for process in alive:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            deadline = float("inf")
        time.sleep(POLL_SECONDS)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ending(status: int) -> str:
    """An exit status in words."""
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


class Locked(PartFailed):
    """Somebody else holds the lock."""


@contextmanager
def locked(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a lock that the kernel takes away with our process, however that ends.

    Where another has it: wait for it, or raise Locked.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Locked(f"{path} is locked: another Choreoscope works in {path.parent}.") from error
            if not _is_still(path, file.fileno()):
                continue  # its last holder removed it meanwhile: the next one opens a new file
            try:
                yield
            finally:
                path.unlink()
            return


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
