"""Small, reusable names for writers: the lowest number that no other process holds, kept while the connection lives."""

from __future__ import annotations

from django.db import connection

_CLASS = 0x63686F6F


def take() -> str:
    """A name such as "collector-0" that no other connection has."""
    number = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_CLASS, number])
            if (cursor.fetchone() or (False,))[0]:
                return f"collector-{number}"
            number += 1
