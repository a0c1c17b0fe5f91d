"""Where the embedded parts are. PostgreSQL and Redis listen on sockets whose place follows from the data folder alone;
the broker's port is found anew at each start, and kept in var/run/parts.json while `manage.py demo` runs."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.core.management.base import CommandError
from django.db.utils import OperationalError

DATABASE_NAME = DATABASE_USER = "choreoscope"
POSTGRES_SOCKET = ".s.PGSQL.5432"  # the name is PostgreSQL's own
REDIS_SOCKET = "redis.sock"

# The kernel bounds the path of a socket: 108 bytes on Linux, 104 on macOS, with the closing NUL.
LONGEST_SOCKET_PATH = 103


class PartMissing(CommandError, OperationalError):
    """A part is needed, none is given, and the embedded one does not run: a sentence with the remedy."""

    def __init__(self, what: str, variable: str) -> None:
        super().__init__(
            f"No {what} to work with: {variable} is not set and the embedded one is not running. "
            f"Start it with `make demo`, or set {variable}."
        )


def postgres_folder(var: Path) -> Path:
    return var / "postgres"


def redis_folder(var: Path) -> Path:
    return var / "redis"


def broker_folder(var: Path) -> Path:
    return var / "broker"


def registry_folder(var: Path) -> Path:
    return var / "registry"


def parts_file(var: Path) -> Path:
    return var / "run" / "parts.json"


def sockets(folder: Path) -> Path:
    """The folder for a part's socket: within the part's own, or a short one among the temporary files."""
    inside = folder / "socket"
    if len(os.fsencode(inside / POSTGRES_SOCKET)) <= LONGEST_SOCKET_PATH:
        return inside
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"choreoscope-{os.geteuid()}-{digest}"


def database_url(folder: Path, name: str = DATABASE_NAME) -> str:
    """The URL of a database of the embedded PostgreSQL in this folder."""
    return f"postgresql://{DATABASE_USER}@/{name}?host={quote(str(sockets(folder)), safe='')}"


def redis_url(folder: Path) -> str:
    """The URL of the embedded Redis in this folder."""
    return f"unix://{quote(str(sockets(folder) / REDIS_SOCKET))}"


def embedded_database(var: Path) -> dict[str, Any]:
    """Django's DATABASES entry for the embedded PostgreSQL, less the engine."""
    host = str(sockets(postgres_folder(var)))
    return {"NAME": DATABASE_NAME, "USER": DATABASE_USER, "PASSWORD": "", "HOST": host, "PORT": "", "OPTIONS": {}}


def embedded_redis(var: Path) -> str:
    return redis_url(redis_folder(var))


def kafka(var: Path, given: str, properties: Mapping[str, str]) -> dict[str, str]:
    """librdkafka's properties for the brokers that are given, or else for the embedded one.

    Raises PartMissing where none is given and the embedded one does not run.
    """
    bootstrap = given or running(var).get("kafka", "")
    if not bootstrap:
        raise PartMissing("Kafka", "KAFKA_BOOTSTRAP_SERVERS")
    return {"bootstrap.servers": bootstrap, **properties}


def embedded_registry(var: Path) -> dict[str, str]:
    """The properties of the embedded schema registry's client; empty where it does not run."""
    url = running(var).get("registry", "")
    return {"url": url} if url else {}


def running(var: Path) -> dict[str, str]:
    """What the supervisor wrote of the parts it runs; empty where none does."""
    try:
        content: dict[str, str] = json.loads(parts_file(var).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return content
