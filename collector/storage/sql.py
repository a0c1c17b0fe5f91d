"""Faster ways to hand rows to PostgreSQL and back, beneath Django's cursor."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from itertools import islice
from types import NoneType
from typing import Any, Self

import msgspec
from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.db.backends.utils import CursorDebugWrapper, CursorWrapper
from psycopg import Cursor
from psycopg.abc import PQGen
from psycopg.copy import QueuedLibpqWriter
from psycopg.pq import Format
from psycopg.pq.abc import PGconn
from psycopg.types.string import BytesBinaryDumper
from psycopg.waiting import Ready, Wait

from collector.storage import turn

Statement = tuple[str, Sequence[Any]]
"""SQL and its parameters; it returns nothing."""

_UNSENT = 256 * 1024
"""Bytes of a COPY that are handed to the client's library at a time."""
_LINES = 100
"""As many lines are."""
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


class _Cursor(Cursor[Any]):
    """Lets others compute while the database works."""

    def execute(self, *args: Any, **named: Any) -> Self:
        with turn.waiting():
            return super().execute(*args, **named)


class _Writer(QueuedLibpqWriter):
    """Sends rows from a thread of its own while more are made; others compute while the database takes in the rest."""

    def __init__(self, cursor: Cursor[Any]) -> None:
        super().__init__(cursor, flush_threshold=_UNSENT)

    def finish(self, exc: BaseException | None = None) -> None:
        with turn.waiting():
            super().finish(exc)


class Atomic(transaction.Atomic):
    """A database transaction; others compute while the database commits it."""

    def __init__(self) -> None:
        super().__init__(using=DEFAULT_DB_ALIAS, savepoint=True, durable=False)

    def __exit__(self, *error: Any) -> None:
        with turn.waiting():
            super().__exit__(*error)


@contextmanager
def pipelined() -> Iterator[None]:
    """Within, statements that return nothing are sent one after the other without waiting for the one before; what
    fails is raised at the end."""
    with connection.wrap_database_errors, connection.connection.pipeline() as pipeline:
        yield
        with turn.waiting():
            connection.connection.wait(_sending(connection.connection.pgconn))
            pipeline.sync()


def _sending(pgconn: PGconn) -> PQGen[None]:
    """Until the database has taken in what was sent. psycopg would then only wait for its answer: where a statement is
    larger than the socket's buffers, each would wait for the other for ever."""
    while pgconn.flush():
        ready = yield Wait.RW
        if ready & Ready.R:
            pgconn.consume_input()


def read_ahead(cursor: CursorWrapper, statement: str, each: Iterable[Sequence[Any]]) -> Generator[tuple[Any, ...]]:
    """The rows of the statement with each of these parameters: while those of the one are looked at, the database works
    on the next. No other statement can be executed until this has ended or was closed."""
    waits = False
    with connection.wrap_database_errors, connection.connection.pipeline():
        for parameters in each:
            rows = cursor.fetchall() if waits else []
            cursor.execute(statement, parameters)
            waits = True
            yield from rows
        if waits:
            yield from cursor.fetchall()


@contextmanager
def binary_cursor() -> Iterator[CursorWrapper]:
    """A cursor that receives rows in PostgreSQL's binary format: times and numbers are then read by compiled code.

    Django's own cursors bind parameters on the client, which rules that format out. Queries are logged as usual.
    """
    connection.ensure_connection()
    with _Cursor(connection.connection) as cursor:
        cursor.format = Format.BINARY
        cursor.adapters.register_dumper(bytes, BytesBinaryDumper)  # compiled, unlike that of the DB-API's `Binary`
        wrapper = CursorDebugWrapper if connection.queries_logged else CursorWrapper
        yield wrapper(cursor, connection)


def run(cursor: CursorWrapper, statements: Iterable[Statement]) -> None:
    """Executes these one after the other."""
    for statement, parameters in statements:
        cursor.execute(statement, parameters)


def text(value: Any) -> str:
    """As JSON."""
    return msgspec.json.encode(value).decode()


def array(values: Iterable[Any]) -> str:
    """PostgreSQL's literal of a one-dimensional array of texts, numbers, booleans, times or nulls.

    https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
    """
    values = list(values)
    kinds = set(map(type, values))
    if kinds == {str} and (found := _texts(values)):
        return found
    if kinds in ({int}, {bool}):
        return "{" + ",".join(map(str, values)) + "}"
    if kinds == {datetime}:
        return '{"' + '","'.join(map(datetime.isoformat, values)) + '"}'
    if kinds == {NoneType}:
        return "{" + "NULL," * (len(values) - 1) + "NULL}"
    if kinds == {datetime, NoneType}:
        return "{" + ",".join([f'"{value.isoformat()}"' if value else "NULL" for value in values]) + "}"
    return "{" + ",".join(map(_element, values)) + "}"


def _texts(values: Sequence[str]) -> str:
    """All of them quoted at once, with a character between them that no text in PostgreSQL can hold; else empty."""
    joined = "\0".join(values)
    if joined.count("\0") != len(values) - 1:
        return ""
    if "\\" in joined or '"' in joined:
        joined = joined.replace("\\", "\\\\").replace('"', '\\"')
    return '{"' + joined.replace("\0", '","') + '"}'


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        if "\\" in value or '"' in value:
            value = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{value}"'
    if isinstance(value, datetime):
        return f'"{value.isoformat()}"'
    return str(value)


def arrays(rows: Iterable[Sequence[Any]]) -> list[str]:
    """The columns of these rows (at least one), each as an array's literal."""
    return [array(column) for column in zip(*rows, strict=True)]


def copy(cursor: CursorWrapper, table: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]]) -> None:
    """Sends these rows in binary form into the table, each as soon as it is made; `columns` are names and types.
    Nothing is sent for no rows."""
    with copying(cursor, table, columns, rows):
        pass


@contextmanager
def copying(
    cursor: CursorWrapper, table: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]]
) -> Iterator[None]:
    """The same, and meanwhile something is computed: within, the database takes in the rows. No statement can be
    executed there."""
    rows = iter(rows)
    if (first := next(rows, None)) is None:
        yield
        return
    names = ", ".join(f'"{name}"' for name, _ in columns)
    with (
        connection.wrap_database_errors,
        cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)", writer=_Writer(cursor.cursor)) as target,
    ):
        target.set_types([kind for _, kind in columns])
        target.write_row(first)
        for row in rows:
            target.write_row(row)
        yield


def copy_text(cursor: CursorWrapper, table: str, columns: Sequence[str], lines: Iterable[str]) -> None:
    """Sends these lines into the table, each as soon as it is made: values as `copied` has them, tabs between them. For
    many short values that is twice as fast as in binary form, and needs no thread."""
    lines = iter(lines)
    with (
        connection.wrap_database_errors,
        cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as target,
    ):
        while piece := "\n".join(islice(lines, _LINES)):
            target.write(piece + "\n")


@lru_cache(maxsize=4_096)
def copied(value: str) -> str:
    """A text as COPY reads it.

    https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-TEXT-FORMAT
    """
    return value.translate(_ESCAPES)
