"""The database sessions of collectors: how they are bounded, and how one that is stuck is ended by those it blocks.

A session whose client hangs between two statements is ended by the server. One whose client hangs within a statement,
as in the middle of a COPY, outlives every time-out of the server: the server waits for the rest, with all its locks.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from django.db import Error, connection, connections
from django.db.backends.signals import connection_created

logger = logging.getLogger(__name__)

NAME = "choreoscope-collector"
PATIENCE = 5
"""Seconds that a session waits for a lock, and that the server waits for a session within a transaction."""
LOOK = 0.5
"""Seconds between two looks for sessions that block others; well below what they may block."""

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
            f" SET idle_in_transaction_session_timeout = '{PATIENCE}s'"
        )


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
