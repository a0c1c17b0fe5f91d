"""What is overdue now, by cause."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

_BY_CAUSE = """
SELECT choreography, awaited, service, compensation, count(DISTINCT transaction), min(since)
FROM collector_overdue GROUP BY choreography, awaited, service, compensation
"""


@dataclass(frozen=True)
class OverdueCause:
    """Transactions of a choreography that wait for the same step from the same service, `since` the first deadline."""

    choreography: str
    awaited: str
    service: str
    compensation: bool
    count: int
    since: datetime


def overdue_causes() -> list[OverdueCause]:
    with connection.cursor() as cursor:
        cursor.execute(_BY_CAUSE)
        return [OverdueCause(*row) for row in cursor.fetchall()]
