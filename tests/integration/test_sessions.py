"""A database that does not answer is given up by the client's own clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

import psycopg
import pytest

from collector.storage import sessions


@pytest.fixture
def session(postgres: str) -> Iterator[psycopg.Connection]:
    """A session bounded as a collector's, but for the server's own time-outs."""
    with psycopg.connect(postgres, autocommit=True) as session:
        session.wait = partial(sessions._wait, session)  # type: ignore[method-assign]
        yield session


def gives_up(session: psycopg.Connection) -> float:
    began = time.monotonic()
    with pytest.raises(psycopg.OperationalError, match="has not answered"):
        session.execute("SELECT pg_sleep(20)")
    assert session.closed
    return time.monotonic() - began


def test_who_says_nothing_is_given_up(session: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "SILENCE", 0.5)
    assert 0.5 < gives_up(session) < 3


def test_who_takes_long_but_speaks_is_listened_to(session: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "SILENCE", 0.5)
    slowly = "COPY (SELECT pg_sleep(0.1), repeat('x', 9000) FROM generate_series(1, 12)) TO STDOUT"
    began = time.monotonic()
    with session.cursor() as cursor, cursor.copy(slowly) as lines:
        assert len(list(lines)) == 12
    assert time.monotonic() - began > 1
    assert session.execute("SELECT 1").fetchone() == (1,)


def test_who_is_to_end_waits_less(session: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "HASTE", 0.5)
    monkeypatch.setattr(sessions, "_hasty_since", float("inf"))
    assert session.execute("SELECT pg_sleep(1)").fetchone()
    sessions.hasten()
    assert 0.5 < gives_up(session) < 3
