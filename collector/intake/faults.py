"""What an error from the database asks for: isolating a record, waiting, or stopping with a sentence.

By SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html: a server that speaks another language is
understood as well.
"""

from __future__ import annotations

from django.db import Error, InterfaceError, OperationalError

_REFUSED = ("22", "23", "54")  # data exceptions, violated constraints, exceeded limits: what was sent cannot be stored
_PASSING = ("08", "25", "40", "53", "55", "57", "58")
"""Lost connections, time-outs and failovers, deadlocks, a full disk, locks, shutdowns, failing storage."""
_REMEDIES = {
    "42501": "The database user lacks a right",
    "42P01": "The database has not the tables that are needed: run `manage.py migrate`",
    "42703": "The database has not the columns that are needed: run `manage.py migrate`",
    "3D000": "There is no such database (DATABASE_URL)",
}
# A connection that is refused has no SQLSTATE in the client: these are PostgreSQL's own words, where it speaks English.
_REFUSALS = (
    "authentication failed",
    "no pg_hba.conf entry",
    "does not exist",
    "not permitted to log in",
    "no password",
)
_CHECK_VIOLATION = "23514"


class Incurable(Exception):
    """No retry can cure this: a sentence that says what is wrong, and what helps."""


def state(error: BaseException) -> str:
    """The error's SQLSTATE; empty where the server did not give one."""
    return getattr(error.__cause__, "sqlstate", None) or ""


def lacks_partition(error: Exception) -> bool:
    """May stand for a day that has no partition: PostgreSQL reports it as a violated constraint."""
    return state(error) == _CHECK_VIOLATION


def refuses_data(error: Exception) -> bool:
    """It is what was to be stored that cannot be stored, so that trying again would be in vain."""
    if code := state(error):
        return code.startswith(_REFUSED)
    # without a server's word: refused here, on its way to the database
    return not isinstance(error, (OperationalError, InterfaceError, OSError, MemoryError))


def explain(error: Exception) -> str | None:
    """A sentence where waiting does not help; None where it may."""
    text = " ".join(str(error).split())
    code = state(error)
    if code:
        text = str(error).strip().partition("\n")[0]  # the lines after it may quote what was to be stored
    if code in _REMEDIES:
        return f"{_REMEDIES[code]}: {text}"
    if code:
        return None if code.startswith(_PASSING) else f"The database refuses for good ({code}): {text}"
    if isinstance(error, (OperationalError, InterfaceError)):
        refused = "FATAL" in text and any(words in text for words in _REFUSALS)
        return f"The database lets nobody in (DATABASE_URL): {text}" if refused else None
    return f"The database refuses for good: {text}" if isinstance(error, Error) else None
