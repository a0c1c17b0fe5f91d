"""Rows as CSV that a spreadsheet opens without running anything: cells come from strangers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime

_FORMULA = ("=", "+", "-", "@", "\t", "\r")

Cell = str | int | float | datetime | None


def lines(rows: Iterable[Iterable[Cell]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([[_cell(value) for value in row] for row in rows])
    return out.getvalue()


def _cell(value: Cell) -> Cell:
    """Spreadsheets would run what looks like a formula."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return "'" + value if isinstance(value, str) and value.startswith(_FORMULA) else value
