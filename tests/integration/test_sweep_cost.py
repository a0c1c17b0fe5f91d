"""What a sweep costs follows what is due, not what is open."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from django.db import connection

from collector import deadlines
from tests.feeding import Feed

pytestmark = pytest.mark.django_db

_OPEN = """
INSERT INTO collector_deadline (transaction, due_at)
SELECT 1000000 + n, clock_timestamp() + interval '1 hour' + n * interval '1 ms' FROM generate_series(1, %s) AS n
"""


def open_ones(count: int) -> None:
    """So many transactions that are due for a check later."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, [count])
        cursor.execute("ANALYZE collector_deadline")


def plan(statement: str, *parameters: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF) {statement}", parameters)
        return "\n".join(line for (line,) in cursor.fetchall())


def due_soon(feed: Feed, count: int) -> None:
    for number in range(count):
        feed.event(f"order-{number}", "OrderPlaced", "order", 3)
    feed.read()


def test_of_all_that_is_open_only_what_is_due_is_looked_at() -> None:
    feed = Feed()
    due_soon(feed, 7)
    open_ones(50_000)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE collector_topic SET watermark = clock_timestamp() + interval '1 minute'")
    found = plan(deadlines._DUE, deadlines.CHUNK)
    (scan,) = re.findall(r"Index (?:Only )?Scan using (\S*due\S*) .*rows=(\d+)", found)
    assert int(float(scan[1])) == 7, found
    assert "Seq Scan on collector_deadline" not in found
    assert deadlines.sweep(feed.rulebook).examined == 7


def test_where_nothing_is_due_many_open_ones_cost_no_more_than_few() -> None:
    feed = Feed()
    due_soon(feed, 1)

    def fastest() -> float:
        took = []
        for _ in range(10):
            began = time.perf_counter()
            assert deadlines.sweep(feed.rulebook).examined == 0
            took.append(time.perf_counter() - began)
        return min(took)

    open_ones(1_000)
    few = fastest()
    open_ones_more = 100_000
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM collector_deadline WHERE transaction > 1000000")
    open_ones(open_ones_more)
    assert fastest() < 5 * few + 0.005
