"""`manage.py collect`, but it freezes itself (SIGSTOP) in the middle of its first batch, with all locks in its hands.

`python -m tests.integration.reliability.freezing`; FREEZE says where: "between" two statements, or "within" one.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import django
from django.core.management import call_command

django.setup()

from collector.storage import storing  # noqa: E402 - models are there only now

original = storing.copying


def _freeze() -> None:
    storing.copying = original
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # to this thread, so that not one more line is run


def _slowly(rows: Iterable[Any]) -> Iterator[Any]:
    yield from rows
    _freeze()


def freezing_copying(cursor: Any, table: str, columns: Any, rows: Any) -> AbstractContextManager[None]:
    if table == "collector_event":  # the last locks are there
        if os.environ["FREEZE"] == "within":
            rows = _slowly(rows)
        else:
            _freeze()
    return original(cursor, table, columns, rows)


storing.copying = freezing_copying
call_command("collect", *sys.argv[1:])
