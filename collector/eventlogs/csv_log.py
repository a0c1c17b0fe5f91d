"""Event logs in CSV: a line names the columns, and each that follows is an event."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import TextIO

from collector.eventlogs.entries import LogError, Raw

_DELIMITERS = (",", ";", "\t", "|")


def read(file: TextIO, delimiter: str = "") -> Iterator[Raw]:
    """The events, one after the other; `file` is open with newline="". No delimiter: the one that the first line has
    most of."""
    first = file.readline()
    if not first.strip():
        raise LogError(1, "It is empty, and should name the columns.")
    delimiter = delimiter or max(_DELIMITERS, key=first.count)
    # The first line may go on: a name in quotes may have line breaks in it.
    lines = csv.reader(_with(first, file), delimiter=delimiter)
    try:
        columns = next(lines)
        twice = {name for name in columns if columns.count(name) > 1}
        if twice:
            raise LogError(1, f"Two columns are called {', '.join(sorted(twice))}. Give each a name of its own.")
        for cells in lines:
            if not cells:
                continue
            if len(cells) != len(columns):
                raise LogError(
                    lines.line_num,
                    f"It has {len(cells)} cells, and there are {len(columns)} columns. Does a cell lack quotes that has"
                    f" {delimiter!r} in it, or is --delimiter another one?",
                )
            yield Raw(lines.line_num, dict(zip(columns, cells, strict=True)))
    except csv.Error as error:
        raise LogError(lines.line_num, f"It is not CSV: {error}. Is a quote never closed?") from None


def _with(first: str, rest: TextIO) -> Iterator[str]:
    yield first
    yield from rest
