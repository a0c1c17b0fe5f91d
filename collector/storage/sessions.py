"""The database sessions of collectors: how they are bounded, and how one that is stuck is ended by those it blocks.

A session whose client hangs between two statements is ended by the server. One whose client hangs within a statement,
as in the middle of a COPY, outlives every time-out of the server: the server waits for the rest, with all its locks.

A server that hangs, while its machine still acknowledges what it is sent, would keep its clients waiting for ever: they
give it up by their own clocks.
"""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from typing import Any, TypeVar, cast

import psycopg
from django.db import Error, connection, connections
from django.db.backends.signals import connection_created
from psycopg import Connection
from psycopg.abc import PQGen

logger = logging.getLogger(__name__)

T = TypeVar("T")

NAME = "choreoscope-collector"
PATIENCE = 5
"""Seconds that a session waits for a lock, and that the server waits for a session within a transaction."""
LOOK = 0.5
"""Seconds between two looks for sessions that block others; well below what they may block."""

STATEMENT = 20
"""Seconds after which the server ends a statement."""
SILENCE = 25.0
"""Seconds after which a server that has not said a word is given up: it has not even ended the statement."""
HASTE = 5.0
"""The same, once this process is to end."""

_OPTIONS = {
    # a server that is cut off, without a word, is given up after some ten seconds
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
# Who blocks a collector that has waited for long, is a collector as well, and does nothing within a statement but wait
# for its client. Those idle between two statements the server ends.
_END_BLOCKING = """
SELECT blocking.pid, pg_terminate_backend(blocking.pid)
FROM pg_stat_activity blocking
WHERE blocking.application_name = %(name)s AND blocking.datname = current_database()
  AND blocking.state = 'active' AND blocking.wait_event_type = 'Client'
  AND blocking.state_change < clock_timestamp() - %(patience)s * interval '1 second'
  AND blocking.pid IN (
    SELECT unnest(pg_blocking_pids(waiting.pid))
    FROM pg_locks wanted JOIN pg_stat_activity waiting ON waiting.pid = wanted.pid
    WHERE NOT wanted.granted AND wanted.waitstart < clock_timestamp() - %(patience)s * interval '1 second'
      AND waiting.application_name = %(name)s AND waiting.datname = current_database())
"""


def prepare() -> None:
    """Makes this process's sessions a collector's, each thread with one of its own.

    A pool would keep the locks of a thread that hung up (its slot, the lead in taking watermarks).
    """
    options = connections.settings["default"]["OPTIONS"]
    options.pop("pool", None)
    for name, value in _OPTIONS.items():
        options.setdefault(name, value)
    connection_created.connect(_bound)


def _bound(connection: Any, **_: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SET application_name = '{NAME}'; SET lock_timeout = '{PATIENCE}s';"
            f" SET idle_in_transaction_session_timeout = '{PATIENCE}s'; SET statement_timeout = '{STATEMENT}s'"
        )
    session = connection.connection
    session.wait = partial(_wait, session)


_hasty_since = float("inf")


def hasten() -> None:
    """From now on no answer is waited for long: this process is to end."""
    global _hasty_since  # noqa: PLW0603
    _hasty_since = time.monotonic()


def _wait(session: Connection, generator: PQGen[T], *args: Any, **kwargs: Any) -> T:
    """As the session itself would wait for the server, but not for ever."""
    return Connection.wait(session, _bounded(session, generator), *args, **kwargs)


def _bounded(session: Connection, generator: PQGen[T]) -> PQGen[T]:
    """The generator, which fails where nothing can be read or written for too long. The session is closed then: it has
    a statement underway whose end nobody waits for."""
    since = time.monotonic()
    try:
        wanted = next(generator)
        while True:
            ready = yield wanted
            now = time.monotonic()
            if ready:
                since = now
            elif now - since > SILENCE or now - max(since, _hasty_since) > HASTE:
                session.pgconn.finish()
                raise psycopg.OperationalError(f"the database has not answered for {now - since:.0f} s")
            wanted = generator.send(ready)
    except StopIteration as done:
        return cast("T", done.value)


def end_when_idle(seconds: float) -> None:
    """Has the server end this session when its client says nothing for so long, so that what it leads can be led by
    others: a lock that is only tried, not waited for, gives nobody cause to look for who holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('idle_session_timeout', %s, false)", [f"{seconds * 1000:.0f}ms"])


def end_blocking(patience: float) -> list[int]:
    """Ends sessions of collectors that have done nothing for so many seconds while another waits for their locks."""
    with connection.cursor() as cursor:
        cursor.execute(_END_BLOCKING, {"name": NAME, "patience": patience})
        ended = [pid for pid, done in cursor.fetchall() if done]
    if ended:
        logger.warning("ended the database sessions %s: their collectors hang and hold what others wait for", ended)
    return ended


class Watch:
    """Ends, from a thread with a session of its own, the sessions of other collectors that block ours.

    It looks shortly before those who wait give up: a lock that nobody waits for any more does not tell who holds it.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sessions", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(LOOK):
            try:
                end_blocking(PATIENCE - 3 * LOOK)
            except Error:
                connection.close()  # the pipeline says so; here it is enough to come back
        connection.close()
