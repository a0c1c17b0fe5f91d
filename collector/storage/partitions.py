"""Upkeep of the tables that are partitioned by day: makes what is missing, seven days ahead, and drops what is too old.

There is no default partition: a row whose day has none would fail its batch, so `ensure` runs at migration, when a
collector starts, from its loop, and from Celery.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from django.db import connection, transaction
from psycopg import sql

TABLES = (
    "collector_event",
    "collector_failure",
    "collector_key",
    "collector_payload",
    "collector_transition",
    "collector_uncorrelated",
    "collector_undecodable",
)
AHEAD = 7
_LOCK = 0x63686F72
"""Key of the advisory lock under which partitions are made, so that two makers do not collide."""


def name(table: str, day: date) -> str:
    return f"{table}_{day:%Y%m%d}"


def existing(table: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(%s)", [table])
        return {row[0] for row in cursor.fetchall()}


def ensure(days: Iterable[date]) -> list[str]:
    """Makes the partitions of these days that do not exist yet; returns the names of those made."""
    made = []
    wanted = sorted(set(days))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        for table in TABLES:
            have = existing(table)
            for day in wanted:
                child = name(table, day)
                if child not in have:
                    cursor.execute(
                        sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                            sql.Identifier(child),
                            sql.Identifier(table),
                            sql.Literal(day.isoformat()),
                            sql.Literal((day + timedelta(days=1)).isoformat()),
                        )
                    )
                    made.append(child)
    return made


def ensure_ahead(today: date) -> list[str]:
    """Makes yesterday's to next week's partitions: yesterday's, since clocks of processes may disagree at midnight."""
    return ensure(today + timedelta(days=offset) for offset in range(-1, AHEAD + 1))


def drop_before(day: date, tables: Iterable[str]) -> list[str]:
    """Drops the partitions of days before this one; returns the names of those dropped."""
    dropped = []
    for table in tables:
        for child in sorted(existing(table)):
            if child < name(table, day):
                with connection.cursor() as cursor:
                    cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(child)))
                dropped.append(child)
    return dropped
