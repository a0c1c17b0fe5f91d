"""Counts that stop counting, and cursors that say where a page ended."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

MOST = 10_000
"""Where counting stops: nobody acts differently on more, and counting a million rows takes a page its second."""


@dataclass(frozen=True)
class Bounded:
    """A count; `more` says that there are more than that."""

    count: int
    more: bool = False

    @classmethod
    def of(cls, counted: int) -> Bounded:
        """From a count of at most MOST + 1 rows."""
        return cls(min(counted, MOST), counted > MOST)

    def __str__(self) -> str:
        return f"{self.count:,}".replace(",", "\u202f") + ("+" if self.more else "")

    def __bool__(self) -> bool:
        return self.count > 0


def rows(sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def encode_cursor(moment: datetime, *key: int) -> str:
    """An opaque place in a list that is ordered by (moment, key), newest first."""
    text = "|".join([moment.isoformat(), *map(str, key)])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, keys: int) -> tuple[datetime, tuple[int, ...]]:
    """The reverse; ValueError for anything that `encode_cursor` did not make."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeError) as error:
        raise ValueError("not a cursor") from error
    moment, *key = text.split("|")
    at = datetime.fromisoformat(moment)
    numbers = tuple(int(part) for part in key)
    if at.tzinfo is None or len(numbers) != keys or any(abs(number) >= 2**63 for number in numbers):
        raise ValueError("not a cursor")
    return at, numbers
