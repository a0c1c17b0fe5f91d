"""Who reads ahead computes while PostgreSQL works, and leaves the storing thread alone while that computes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import DataError, connection

from collector.models import Topic
from collector.storage import sql
from collector.storage.turn import Turn, waiting
from tests.stack.waiting import poll_until


def test_the_turn_is_free_only_while_its_holder_waits() -> None:
    turn = Turn()
    assert turn.wait(0)
    with turn.taken():
        assert not turn.wait(0)
        with waiting():
            assert turn.wait(0)
        assert not turn.wait(0)
    assert turn.wait(0)


def test_the_turn_is_given_back_whatever_happens() -> None:
    turn = Turn()
    with pytest.raises(ZeroDivisionError), turn.taken(), waiting():
        raise ZeroDivisionError
    assert turn.wait(0)


def test_a_thread_that_does_not_store_has_no_turn_to_give() -> None:
    turn = Turn()

    def elsewhere() -> bool:
        with waiting():
            return turn.wait(0)

    with turn.taken(), ThreadPoolExecutor(1) as other:
        assert not other.submit(elsewhere).result()


def work() -> None:
    with sql.binary_cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.3)")


def work_in_a_row() -> None:
    with sql.binary_cursor() as cursor, sql.pipelined():
        cursor.execute("SELECT pg_sleep(0.1)")
        cursor.execute("SELECT pg_sleep(0.2)")


def fail_in_a_row() -> None:
    with sql.binary_cursor() as cursor, sql.pipelined():
        cursor.execute("SELECT %s::int / 0", [1])
        cursor.execute("UPDATE collector_topic SET name = 'c'")


@pytest.mark.django_db
@pytest.mark.parametrize("what", [work, work_in_a_row])
def test_others_compute_while_the_database_works(what: Callable[[], None]) -> None:
    turn = Turn()
    what()
    with ThreadPoolExecutor(1) as other, turn.taken():
        free = other.submit(turn.wait, 30)
        assert not free.done()
        what()
        assert free.result(0)


@pytest.mark.django_db
def test_others_compute_while_the_database_takes_what_was_copied() -> None:
    """Only then: the statements around the copy are another matter."""
    turn = Turn()
    with sql.binary_cursor() as cursor, ThreadPoolExecutor(1) as other:
        cursor.execute("CREATE TEMPORARY TABLE slow (n int, late text DEFAULT pg_sleep(0.3)::text) ON COMMIT DROP")
        with turn.taken():
            free = other.submit(turn.wait, 30)
            assert not free.done()
            sql.copy(cursor, "slow", (("n", "int4"),), [(1,)])
            assert free.result(0)


@pytest.mark.django_db
def test_the_database_takes_in_rows_while_something_is_computed(postgres: str) -> None:
    """More of them than fit between here and there."""
    rows = [("x" * 1_000_000,)] * 20
    with sql.binary_cursor() as cursor, psycopg.connect(postgres, autocommit=True) as other:
        cursor.execute("CREATE TEMPORARY TABLE taken (text text) ON COMMIT DROP")

        def bytes_taken() -> int:
            query = "SELECT bytes_processed FROM pg_stat_progress_copy WHERE pid = %s"
            found = other.execute(query, [connection.connection.info.backend_pid]).fetchone()
            return found[0] if found else 0

        with sql.copying(cursor, "taken", (("text", "text"),), rows):
            poll_until(lambda: bytes_taken() > 19_000_000, 10, "the rows")
        cursor.execute("SELECT count(*) FROM taken")
        assert cursor.fetchall() == [(20,)]


@pytest.mark.django_db(transaction=True)
def test_what_is_sent_in_a_row_arrives_in_order_and_fails_as_anything_else() -> None:
    with sql.binary_cursor() as cursor:
        with sql.pipelined():
            cursor.execute(
                "INSERT INTO collector_topic (cluster, uid, name, first_seen_at) VALUES ('c', 'u', 'a', now())"
            )
            cursor.execute("UPDATE collector_topic SET name = %s WHERE name = %s", ["b", "a"])
        assert Topic.objects.get().name == "b"
        with pytest.raises(DataError):
            fail_in_a_row()
    assert Topic.objects.get().name == "b"
