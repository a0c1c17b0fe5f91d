"""What pages and the API's lists cost on ten million events, at eight viewers at once.

    python -m benchmarks.pages [--transactions 1670000] [--viewers 8] [--seconds 720] [--workers 1]
        [--data var/bench-pages]

On a PostgreSQL of its own, filled with transactions of twelve choreographies over thirty days (once: with --data it is
kept for the next time). Everybody is logged in, and asks for pages, fragments and lists in a mixed order, each again
and again with other parameters. Three times:

- one viewer alone, one address after the other;
- people: each asks for a page and what it fetches by itself, looks at it for one to two seconds, and goes on: so long
  that each thing is asked for some twenty times;
- without pauses: each asks for the next thing as soon as the one before has come, for a tenth of the time. That says
  where the limit is.

For each: how many database queries it takes, and how long the server took (from when the request was handed over until
the answer was ready, waiting for the other viewers' requests included). 95 of 100 are to take less than 100 ms, of each
kind of page, part of a page and list, and of each thing that was asked for.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from benchmarks import asked, company, looking
from benchmarks.looking import Addresses, Took
from dashboard.parts import postgres, redis
from tests.stack import kafka
from tests.stack.waiting import poll_until

ROOT = Path(__file__).parent.parent
BOUND = 100.0
"""Milliseconds."""
ROOMY = {"shared_buffers": "1GB"}
"""Whoever keeps ten million events gives PostgreSQL more room than the demo does."""
_ALIVE = """
UPDATE collector_heartbeat SET at = clock_timestamp() WHERE name = 'sweep' OR name LIKE 'collector:%';
UPDATE collector_topic SET watermark = clock_timestamp();
"""
_NEWEST = "SELECT max(bucket) FROM collector_flow"
_FLOW = """
INSERT INTO collector_flow (bucket, writer, choreography, source_type, source_service, target_type, target_service,
    topic, count, durations)
SELECT bucket + (date_bin('10 seconds', statement_timestamp(), '2000-01-01') - %(newest)s), 'bench', choreography,
    source_type, source_service, target_type, target_service, topic, count, durations
FROM collector_flow
WHERE bucket > %(newest)s - %(length)s::interval
    AND %(newest)s < date_bin('10 seconds', statement_timestamp(), '2000-01-01')
ON CONFLICT DO NOTHING
"""


class Served(NamedTuple):
    port: int
    pid: int


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transactions", type=int, default=1_670_000)
    parser.add_argument("--viewers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=720)
    parser.add_argument("--workers", type=int, default=1, help="web processes")
    parser.add_argument("--data", type=Path, help="where the database is kept; for this run only where not given")
    parser.add_argument("--fill", action="store_true", help="fill the database, and no more")
    parser.add_argument("--only", default="", help="what has this in its address")
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="choreoscope-bench-")))
        folder.chmod(0o755)
        data: Path = options.data or folder
        data.mkdir(parents=True, exist_ok=True)
        database = stack.enter_context(postgres.running(data / "postgres", durable=False, settings=ROOMY))
        environment = environment_of(database, data)
        filled(environment, data, options.transactions)
        if options.fill:
            return
        environment |= {
            "REDIS_URL": stack.enter_context(redis.running(folder / "redis")),
            "KAFKA_BOOTSTRAP_SERVERS": stack.enter_context(kafka.running(folder / "kafka")),
        }
        stack.enter_context(reading(database))
        stack.enter_context(prepared(environment))
        plan = planned(environment)
        port = stack.enter_context(web(environment, "benchmarks.served:application", options.workers)).port
        chosen = {name: found for name, found in plan["addresses"].items() if options.only in name}
        measured = measure(port, plan["cookie"], chosen, options)
    report(measured, plan["queries"])


def measure(port: int, cookie: str, chosen: Addresses, options: argparse.Namespace) -> dict[str, Took]:
    viewers, seconds = options.viewers, options.seconds
    print(f"{options.workers} web process(es), {viewers} viewers, {os.cpu_count()} processor cores", flush=True)
    looking.alone(port, cookie, chosen, 1)  # what is kept for long is there then, as it is at other times
    measured = {
        "alone": looking.alone(port, cookie, chosen, 3),
        "people": looking.viewed(port, cookie, chosen, viewers, seconds, people=True),
        "without pauses": looking.viewed(port, cookie, chosen, viewers, seconds / 10, people=False),
    }
    print(f"load {os.getloadavg()[0]:.1f}", flush=True)
    return measured


def environment_of(database: str, data: Path) -> dict[str, str]:
    configuration = data / "choreoscope.yaml"
    configuration.write_text(company.configuration())
    return {
        **os.environ,
        "DATABASE_URL": database,
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "REDIS_URL": "redis://127.0.0.1:1",
        "CHOREOSCOPE_CONFIG": str(configuration),
        "CHOREOSCOPE_VAR": str(data / "var"),
        "DJANGO_SETTINGS_MODULE": "dashboard.settings",
    }


def filled(environment: dict[str, str], data: Path, transactions: int) -> None:
    done = data / "filled"
    commands = [["collectstatic", "--noinput", "--verbosity", "0"]]
    if not done.exists():
        commands.append(["migrate", "--verbosity", "0"])
    for command in commands:
        subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=True)
    if done.exists():
        return
    filling = [sys.executable, "-m", "benchmarks.filling", str(transactions)]
    subprocess.run(filling, cwd=ROOT, env=environment, check=True)
    done.touch()


@contextmanager
def reading(database: str) -> Iterator[None]:
    """As if collectors and sweep were at work, and had read everything; as much flows as before it was filled."""
    over = threading.Event()
    with psycopg.connect(database, autocommit=True) as connection:
        flow(connection, "1 hour")
        connection.execute("ANALYZE collector_flow")

    def live() -> None:
        with psycopg.connect(database, autocommit=True) as connection:
            while not over.wait(1):
                connection.execute(_ALIVE)
                flow(connection, "1 second")

    thread = threading.Thread(target=live)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def flow(connection: psycopg.Connection[Any], length: str) -> None:
    """Once more now what flowed in the last so long that there is."""
    (newest,) = connection.execute(_NEWEST).fetchone() or (None,)
    connection.execute(_FLOW, {"newest": newest, "length": length})


@contextmanager
def prepared(environment: dict[str, str]) -> Iterator[None]:
    """As if a worker were there that looks ahead, and has done so for a while."""
    command = [sys.executable, "-m", "benchmarks.prepared"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        for line in worker.stdout:
            if line.startswith("prepared"):
                break
            print(line, end="", flush=True)
        try:
            yield
        finally:
            worker.terminate()


def planned(environment: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.asking"]
    found = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE)
    plan: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return plan


@contextmanager
def web(environment: dict[str, str], application: str, workers: int = 1) -> Iterator[Served]:
    """A web process, as the demo starts it; or several on one port."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", application, f"--port={port}", "--no-access-log", "--log-level=warning"]
    command += [f"--workers={workers}"] if workers > 1 else []
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        poll_until(lambda: answers(port), 30, "the web process to answer")
        yield Served(port, process.pid)
    finally:
        process.terminate()
        process.wait(10)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def report(measured: Mapping[str, Took], queries: Mapping[str, int]) -> None:
    """By the 95th percentile of what people wait for, the slowest first: of each kind, and of each thing."""
    people, single = measured["people"].named, measured["alone"].named
    kinds: dict[str, list[float]] = {}
    for name, took in people.items():
        kinds.setdefault(asked.kind_of(name), []).extend(took)
    heading = f"{'asked':>6} {'p50 ms':>7} {'p95 ms':>7} {'max ms':>7}"
    print(f"{heading}  of each kind")
    for kind, took in _slowest_first(kinds):
        print(f"{_figures(took)}  {kind}")
    print(f"{heading} {'queries':>7} {'alone':>7}  of each thing")
    for name, took in _slowest_first(people):
        alone = f"{statistics.median(single[name]):.1f}" if name in single else ""
        print(f"{_figures(took)} {queries.get(name, ''):>7} {alone:>7}  {name}")
    for word, found in (("kinds", kinds), ("things", people)):
        slow = sum(quantile(took, 0.95) > BOUND for took in found.values())
        least = min(map(len, found.values()))
        print(f"{slow} of {len(found)} {word} take people more than {BOUND:.0f} ms at p95; each asked {least}+ times")
    for name, all_of_it in measured.items():
        every = all_of_it.every
        p50, p95, p99 = (quantile(every, share) for share in (0.5, 0.95, 0.99))
        print(
            f"{name}: {len(every):,} answers, {len(every) / all_of_it.seconds:.0f}/s,"
            f" p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms"
        )


def _slowest_first(found: Mapping[str, list[float]]) -> list[tuple[str, list[float]]]:
    return sorted(found.items(), key=lambda item: -quantile(item[1], 0.95))


def _figures(took: Sequence[float]) -> str:
    return f"{len(took):>6} {statistics.median(took):>7.1f} {quantile(took, 0.95):>7.1f} {max(took):>7.1f}"


def quantile(values: Sequence[float], share: float) -> float:
    """By the nearest rank: at least so much of the values is no greater."""
    return sorted(values)[max(1, math.ceil(len(values) * share)) - 1]


if __name__ == "__main__":
    main()
