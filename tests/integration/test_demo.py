"""`manage.py demo` as a whole: it becomes ready, survives being killed, and ends without a trace."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dashboard.parts.process import is_alive
from tests.stack.demo import Demo, demo
from tests.stack.waiting import poll_until

__all__ = ["demo"]


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def none_alive(processes: list[psutil.Process]) -> bool:
    return not [process for process in processes if is_alive(process)]


@pytest.mark.slow
def test_the_demo_runs_survives_and_ends(demo: Demo) -> None:
    with demo.started() as process:
        demo.await_ready(process)
        assert demo.get("/healthz") == (200, b"ok")
        assert json.loads(demo.get("/readyz")[1])["ready"]
        (style, *_) = re.findall(r'"(/static/[^"]+\.[0-9a-f]{12}\.css)"', demo.get("/")[1].decode())
        assert "immutable" in (demo.ask(style)[0].getheader("Cache-Control") or "")
        events = poll_until(demo.count_events, 30, "the first event")
        for system in ("erp", "loyalty"):
            poll_until(lambda system=system: demo.count_events(system), 40, f"what {system} writes in its own way")

        with demo.started() as second:
            assert second.wait(30) == 1
            assert f"running already at http://127.0.0.1:{demo.port}" in demo.said()

        left = family(process)
        assert len(left) > 12
        process.kill()
        process.wait()
        if sys.platform == "linux":
            poll_until(lambda: none_alive(left), 30, "all processes to end with a supervisor that was killed")

    with demo.started() as process:
        demo.await_ready(process)
        assert demo.count_events() >= events
        left = family(process)
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(30) == 0
        assert none_alive(left)
        assert list((demo.var / "run").iterdir()) == []
        assert "Traceback" not in demo.said()


def test_a_taken_port_is_told(demo: Demo) -> None:
    with socket.create_server(("127.0.0.1", demo.port)), demo.started() as process:
        assert process.wait(30) == 1
    assert demo.said().startswith(f"Port {demo.port} is taken by another program")


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none", "The database that DATABASE_URL names can't be used"),
        ("REDIS_URL", "redis://127.0.0.1:1", "The Redis that REDIS_URL names can't be used"),
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1", "None of KAFKA_BOOTSTRAP_SERVERS (127.0.0.1:1) can be reached"),
    ],
)
def test_a_part_that_does_not_answer_is_told(demo: Demo, variable: str, value: str, sentence: str) -> None:
    with demo.started(**{variable: value}) as process:
        assert process.wait(60) == 1
    (line,) = demo.said().splitlines()
    assert line.startswith(sentence)
    assert "refused" in line


def test_a_failing_process_stops_all_and_is_named(demo: Demo, tmp_path: Path) -> None:
    """A configuration that can't be read: the collector says so and ends."""
    wrong = tmp_path / "choreoscope.yaml"
    wrong.write_text("topics: 7")
    with demo.started(CHOREOSCOPE_CONFIG=str(wrong)) as process:
        assert process.wait(60) == 1
    last = demo.said().splitlines()[-1]
    assert re.match(r"\w+ ended with status 1\. It said: .*topics", last)
    assert last.endswith("Everything has been stopped.")
    assert list((demo.var / "run").iterdir()) == []
