"""Faster ways to hand rows to PostgreSQL and back, beneath Django's cursor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorDebugWrapper, CursorWrapper
from psycopg import Cursor
from psycopg.pq import Format


@contextmanager
def binary_cursor() -> Iterator[CursorWrapper]:
    """A cursor that receives rows in PostgreSQL's binary format: times and numbers are then read by compiled code.

    Django's own cursors bind parameters on the client, which rules that format out. Queries are logged as usual.
    """
    connection.ensure_connection()
    with Cursor(connection.connection) as cursor:
        cursor.format = Format.BINARY
        wrapper = CursorDebugWrapper if connection.queries_logged else CursorWrapper
        yield wrapper(cursor, connection)


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


def copy(cursor: CursorWrapper, table: str, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> None:
    """Sends these rows in binary form into the table; `columns` are names and types. Nothing is sent for no rows."""
    if not rows:
        return
    names = ", ".join(f'"{name}"' for name, _ in columns)
    with connection.wrap_database_errors, cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)") as target:
        target.set_types([kind for _, kind in columns])
        for row in rows:
            target.write_row(row)
