"""What an error of the database asks for: by its SQLSTATE, or by its kind where the server gave none."""

from __future__ import annotations

import pytest
from django.db import DataError, Error, IntegrityError, InterfaceError, OperationalError, ProgrammingError
from psycopg import errors

from collector.intake import faults


def raised(kind: type[Error], cause: type[Exception] | None = None, text: str = "") -> Error:
    """An error as Django raises it, of a cause in the client."""
    error = kind(text)
    error.__cause__ = cause(text) if cause else None
    return error


@pytest.mark.parametrize(
    "error",
    [
        raised(DataError, errors.InvalidTextRepresentation),
        raised(IntegrityError, errors.UniqueViolation),
        raised(OperationalError, errors.ProgramLimitExceeded),
        raised(DataError, text="PostgreSQL text fields cannot contain NUL (0x00) bytes"),
        ValueError("year 10000 is out of range"),
    ],
)
def test_what_cannot_be_stored_is_refused_data(error: Exception) -> None:
    assert faults.refuses_data(error)


@pytest.mark.parametrize(
    "error",
    [
        raised(OperationalError, text="server closed the connection unexpectedly"),
        raised(InterfaceError, text="the connection is closed"),
        raised(OperationalError, errors.AdminShutdown),
        raised(OperationalError, errors.LockNotAvailable),
        raised(OperationalError, errors.DeadlockDetected),
        raised(OperationalError, errors.DiskFull),
        raised(Error, errors.ReadOnlySqlTransaction),
        raised(OperationalError, text='FATAL: role "choreoscope" is being looked for'),
    ],
)
def test_what_passes_is_waited_for(error: Error) -> None:
    assert not faults.refuses_data(error)
    assert faults.explain(error) is None


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (raised(ProgrammingError, errors.UndefinedTable, "relation x"), "run `manage.py migrate`: relation x"),
        (raised(ProgrammingError, errors.InsufficientPrivilege, "table x"), "The database user lacks a right: table x"),
        (raised(OperationalError, text="FATAL:  password authentication failed"), "lets nobody in (DATABASE_URL)"),
        (raised(OperationalError, errors.DataCorrupted, "page 1"), "refuses for good (XX001): page 1"),
    ],
)
def test_what_no_waiting_cures_is_a_sentence(error: Error, sentence: str) -> None:
    assert not faults.refuses_data(error)
    assert sentence in (faults.explain(error) or "")
