"""`manage.py collect`, but it freezes itself (SIGSTOP) in the middle of its first batch, with all locks in its hands.

`python -m tests.integration.reliability.freezing`; FREEZE says where: "between" two statements, or "within" one.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import django
from django.core.management import call_command

django.setup()

from collector.storage import storing  # noqa: E402 - models are there only now

original = storing.copy


def _freeze() -> None:
    storing.copy = original
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # to this thread, so that not one more line is run


def _slowly(rows: Iterable[Any]) -> Iterator[Any]:
    yield from rows
    _freeze()


def freezing_copy(cursor: Any, table: str, columns: Any, rows: Any) -> None:
    if os.environ["FREEZE"] == "between":
        _freeze()
        original(cursor, table, columns, rows)
    else:
        original(cursor, table, columns, _slowly(rows))


storing.copy = freezing_copy
call_command("collect", *sys.argv[1:])
