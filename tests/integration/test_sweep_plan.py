"""The sweep's cost follows what is due, not what is open: PostgreSQL says which rows it looks at."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from collector import deadlines
from collector.models import Deadline, Topic

pytestmark = pytest.mark.django_db


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]


@pytest.mark.parametrize("due", [0, 30])
def test_only_deadlines_that_are_due_are_looked_at(due: int) -> None:
    now = timezone.now()
    Topic.objects.create(cluster="c", uid="orders", name="orders", watermark=now)
    Deadline.objects.bulk_create(
        Deadline(transaction=n, due_at=now + timedelta(seconds=-1 if n < due else n + 1)) for n in range(20_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE collector_deadline")
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {deadlines._DUE}", [deadlines.CHUNK])
        (found,) = cursor.fetchone()
    plan = found if isinstance(found, list) else json.loads(found)
    scans = [node for node in nodes(plan[0]["Plan"]) if node.get("Relation Name") == "collector_deadline"]
    assert [(scan["Node Type"], scan["Actual Rows"], scan.get("Rows Removed by Filter", 0)) for scan in scans] == [
        ("Index Scan", due, 0)
    ]
