"""Everything on one machine, on one command: the parts nobody gave us, Choreoscope, and a small company to watch."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg
from redis import Redis, RedisError

from dashboard import env
from dashboard.parts import addresses, broker, postgres, redis, registry
from dashboard.parts.output import Output
from dashboard.parts.process import ROOT, Locked, PartFailed, locked
from dashboard.parts.supervisor import Stopped, Supervisor, end_leftovers

HOST = "127.0.0.1"
READY_SECONDS = 60
DEMO_SERVICES = ("order", "payment", "inventory", "shipping", "notification", "control", "erp", "loyalty")


def run(var: Path, port: int, output: Output) -> int:
    """Run the demo until it is told to stop; returns the exit status. What goes wrong is said in a sentence."""
    folder = addresses.parts_file(var).parent
    try:
        with locked(folder / "lock"):
            record = folder / "processes.json"
            end_leftovers(record)
            supervisor = Supervisor(output, record)
            with supervisor.signals():
                _run(supervisor, var, port)
    except Stopped:
        output.say("Everything has ended.")
        return 0
    except Locked:
        running = addresses.running(var).get("dashboard")
        where = f" at {running}" if running else ""
        output.say(f"The demo is running already{where}, with its data in {var}. Stop that one first.", bad=True)
    except PartFailed as error:
        output.say(f"{error} Everything has been stopped.", bad=True)
    return 1


def _run(supervisor: Supervisor, var: Path, port: int) -> None:
    _check_port(port)
    _check_given()
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PORT": str(port)}
    with ExitStack() as stack:
        stack.callback(supervisor.forget)
        stack.enter_context(supervisor.group())
        static = supervisor.start("static", _manage("collectstatic", "--no-input", "-v0"), environment=environment)
        environment |= _start_parts(stack, supervisor, var, port)
        stack.enter_context(supervisor.group())  # left first: the parts outlive those that use them
        migrate = supervisor.start("migrate", _manage("migrate", "--no-input", "-v0"), environment=environment)
        supervisor.finish("migrate", migrate, seconds=120)
        supervisor.finish("static", static, seconds=60)
        for name, command in processes(port).items():
            supervisor.start(name, command, environment=environment)
        supervisor.await_all(lambda: _is_ready(port), READY_SECONDS, lambda: _complaint(port))
        supervisor.output.say(f"Choreoscope is ready: http://{HOST}:{port} (Ctrl-C ends it)")
        supervisor.watch()


def _start_parts(stack: ExitStack, supervisor: Supervisor, var: Path, port: int) -> dict[str, str]:
    """Start the parts that the environment does not name, and say in it, and in var/run/parts.json, where they are."""
    started: dict[str, str] = {}
    if not os.environ.get("DATABASE_URL"):
        database = postgres.running(addresses.postgres_folder(var), launcher=supervisor)
        started["DATABASE_URL"] = stack.enter_context(database)
    if not os.environ.get("REDIS_URL"):
        started["REDIS_URL"] = stack.enter_context(redis.running(addresses.redis_folder(var), launcher=supervisor))
    if not os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        started["KAFKA_BOOTSTRAP_SERVERS"] = stack.enter_context(
            broker.running(addresses.broker_folder(var), launcher=supervisor)
        )
    if not os.environ.get("SCHEMA_REGISTRY_URL"):
        started["SCHEMA_REGISTRY_URL"] = stack.enter_context(
            registry.running(addresses.registry_folder(var), launcher=supervisor)
        )
    control_port = _free_port()
    started["DEMO_CONTROL_PORT"] = str(control_port)
    started["DEMO_CONTROL_URL"] = f"http://{HOST}:{control_port}"
    parts = {
        "dashboard": f"http://{HOST}:{port}",
        "database": started.get("DATABASE_URL", ""),
        "kafka": started.get("KAFKA_BOOTSTRAP_SERVERS", ""),
        "redis": started.get("REDIS_URL", ""),
        "registry": started.get("SCHEMA_REGISTRY_URL", ""),
        "demo_control": started["DEMO_CONTROL_URL"],
    }
    file = addresses.parts_file(var)
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps(parts, indent=2))
    draft.rename(file)
    stack.callback(file.unlink, missing_ok=True)
    return started


def processes(port: int) -> dict[str, list[str]]:
    """The commands of the processes that work with the parts, by name: one of each is enough for a demo."""
    python = [sys.executable, "-m"]
    celery = [*python, "celery", "--quiet", "-A", "dashboard.celery"]
    # One process with threads, and none of the chatter between workers: there is no other worker to talk to.
    alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return {
        "collector": _manage("collect"),
        "web": [
            *python,
            "uvicorn",
            "dashboard.asgi:application",
            f"--host={HOST}",
            f"--port={port}",
            "--no-access-log",
            "--log-level=warning",
            "--timeout-graceful-shutdown=3",
        ],
        "worker": [
            *celery,
            "worker",
            "--pool=threads",
            "--concurrency=4",
            "--queues=sweep,default,notifications",
            *alone,
        ],
        "beat": [*celery, "beat", "--scheduler=celery.beat:Scheduler", "--pidfile="],
        **{name: [*python, f"demo_services.{name}"] for name in DEMO_SERVICES},
    }


def _manage(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


def _check_port(port: int) -> None:
    try:
        socket.create_server((HOST, port)).close()
    except PermissionError as error:
        raise PartFailed(f"Port {port} is not for everybody to use: choose another with PORT=8080, say.") from error
    except OSError as error:
        raise PartFailed(
            f"Port {port} is taken by another program: stop it, or choose another port, as in PORT={port + 1}."
        ) from error


def _check_given() -> None:
    """Say at once, and in a sentence, if a part that the environment names does not answer."""
    try:
        if database := os.environ.get("DATABASE_URL"):
            psycopg.connect(database, connect_timeout=10).close()
        if redis_url := os.environ.get("REDIS_URL"):
            with Redis.from_url(redis_url, socket_connect_timeout=10, socket_timeout=10) as client:
                client.ping()
    except psycopg.Error as error:
        raise PartFailed(f"The database that DATABASE_URL names can't be used: {_one_line(error)}.") from error
    except RedisError as error:
        raise PartFailed(f"The Redis that REDIS_URL names can't be used: {_one_line(error)}.") from error
    if servers := env.bootstrap_servers("KAFKA_BOOTSTRAP_SERVERS"):
        _check_kafka(servers)


def _check_kafka(servers: str) -> None:
    problem: OSError | None = None
    for server in servers.split(","):
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        except OSError as error:
            problem = error
        else:
            return
    raise PartFailed(f"None of KAFKA_BOOTSTRAP_SERVERS ({servers}) can be reached: {problem}.")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _get(port: int, path: str) -> tuple[int, bytes]:
    """The status and body that the web process answers with; status 0 where it doesn't."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def _is_ready(port: int) -> bool:
    return all(_get(port, path)[0] == http.HTTPStatus.OK for path in ("/healthz", "/readyz"))


def _complaint(port: int) -> str:
    """What is not ready, as /readyz says it."""
    sentences: list[str] = []
    with suppress(ValueError, KeyError, TypeError):
        sentences = [part["sentence"] for part in json.loads(_get(port, "/readyz")[1])["parts"] if not part["ok"]]
    return f"Choreoscope was not ready within {READY_SECONDS} s. {' '.join(sentences) or 'The web process is silent.'}"
