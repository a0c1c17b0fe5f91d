"""The supervisor: what it shows, that it notices ends at once, and that it leaves nothing behind."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from pathlib import Path

import psutil
import pytest

from dashboard.parts.output import Output
from dashboard.parts.process import Locked, PartFailed, is_alive, locked, spawn, stop
from dashboard.parts.supervisor import Stopped, Supervisor, end_leftovers
from tests.stack.waiting import poll_until

IDLE = [sys.executable, "-c", "import signal; print('here', flush=True); signal.pause()"]
STUBBORN_CODE = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("here", flush=True)
while True:
    signal.pause()
"""
STUBBORN = [sys.executable, "-c", STUBBORN_CODE]


@pytest.fixture
def shown() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def supervisor(tmp_path: Path, shown: io.StringIO) -> Supervisor:
    return Supervisor(Output(shown), tmp_path / "processes.json")


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or not is_alive(psutil.Process(pid))


def test_lines_carry_the_name_of_who_said_them(supervisor: Supervisor, shown: io.StringIO) -> None:
    with supervisor.group():
        supervisor.start("idle", IDLE)
        poll_until(lambda: "here" in shown.getvalue(), 10, "the line")
    assert shown.getvalue() == "idle         | here\n"


def test_a_quiet_process_is_not_shown(supervisor: Supervisor, shown: io.StringIO) -> None:
    supervisor.finish("quiet", supervisor.start("quiet", [sys.executable, "-c", "print(1)"], quiet=True), seconds=10)
    assert shown.getvalue() == ""


def test_a_process_that_ends_is_named_with_its_last_words(supervisor: Supervisor) -> None:
    with supervisor.group():
        idle = supervisor.start("idle", IDLE)
        supervisor.start("failing", [sys.executable, "-c", "raise SystemExit('No brokers.')"])
        with pytest.raises(PartFailed, match=r"failing ended with status 1\. It said: No brokers\."):
            supervisor.watch()
    assert idle.returncode == -signal.SIGTERM


def test_what_a_killed_process_said_last_is_not_taken_for_the_reason(supervisor: Supervisor) -> None:
    talks = "import os, signal; print('All is well.', flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    with supervisor.group():
        supervisor.start("killed", [sys.executable, "-c", talks])
        with pytest.raises(PartFailed, match=r"killed was ended by SIGKILL\.$"):
            supervisor.watch()


def test_a_task_that_fails_is_named(supervisor: Supervisor) -> None:
    process = supervisor.start("migrate", [sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(PartFailed, match="migrate ended with status 3"):
        supervisor.finish("migrate", process, seconds=10)


def test_a_command_that_is_not_there_is_named(supervisor: Supervisor) -> None:
    process = supervisor.start("odd", ["/no/such/command"])
    with pytest.raises(PartFailed, match="/no/such/command can't be run: No such file or directory"):
        supervisor.finish("odd", process, seconds=10)


def test_a_signal_stops_all(supervisor: Supervisor) -> None:
    with supervisor.signals(), supervisor.group():
        process = supervisor.start("idle", IDLE)
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
        with pytest.raises(Stopped):
            supervisor.watch()
    assert gone(process.pid)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_process_that_does_not_want_to_end_is_ended(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:
        process = spawn(STUBBORN, log.fileno())
    poll_until((tmp_path / "log").read_text, 10, "the process to run")
    assert stop(process, patience=0.1) == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux ends processes with their parents.")
def test_processes_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    code = """
import signal, subprocess, sys
from dashboard.parts.process import spawn
print(spawn(sys.argv[1:], subprocess.DEVNULL).pid, flush=True)
signal.pause()
"""
    with (tmp_path / "log").open("w") as log:
        parent = spawn([sys.executable, "-c", code, *IDLE], log.fileno())
    child = int(poll_until(lambda: (tmp_path / "log").read_text().strip(), 10, "the child"))
    parent.kill()
    parent.wait()
    poll_until(lambda: gone(child), 10, "the child to end")


def test_the_next_start_ends_what_an_earlier_one_left_behind(supervisor: Supervisor, tmp_path: Path) -> None:
    process = supervisor.start("left", IDLE)
    end_leftovers(tmp_path / "processes.json")
    assert process.wait(10) == -signal.SIGTERM
    assert not (tmp_path / "processes.json").exists()


def test_a_process_that_only_has_the_same_id_is_spared(supervisor: Supervisor, tmp_path: Path) -> None:
    with supervisor.group():
        process = supervisor.start("other", IDLE)
        (tmp_path / "processes.json").write_text(f'{{"{process.pid}": 12345.0}}')
        end_leftovers(tmp_path / "processes.json")
        assert process.poll() is None


def test_a_lock_has_one_holder_and_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path):
        with pytest.raises(Locked), locked(path):
            pass
        assert path.exists()
    assert not path.exists()
    with locked(path):
        pass


def test_output_survives_a_reader_that_has_gone() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        Output(stream).say("to nobody")
