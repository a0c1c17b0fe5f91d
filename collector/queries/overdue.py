"""What is overdue now, by cause."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

_BY_CAUSE = """
SELECT choreography, awaited, service, compensation, count(DISTINCT transaction), min(since), bool_and(learned),
    NULL
FROM collector_overdue GROUP BY choreography, awaited, service, compensation
"""
_WITH_IMPACT = """
SELECT o.choreography, o.awaited, o.service, o.compensation, count(*), min(o.since),
    bool_and(o.learned), sum(t.impact)
FROM (SELECT choreography, awaited, service, compensation, transaction, min(since) AS since,
             bool_and(learned) AS learned
      FROM collector_overdue GROUP BY choreography, awaited, service, compensation, transaction) AS o
LEFT JOIN collector_transaction t ON t.id = o.transaction
GROUP BY o.choreography, o.awaited, o.service, o.compensation
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
    learned: bool
    impact: float | None
    """What is at stake in them together; None where that was not asked for, or none of them says."""


def overdue_causes(*, with_impact: bool) -> list[OverdueCause]:
    """One query; with impact, a look at every transaction that is overdue."""
    with connection.cursor() as cursor:
        cursor.execute(_WITH_IMPACT if with_impact else _BY_CAUSE)
        return [OverdueCause(*row) for row in cursor.fetchall()]


_EXAMPLES = """
SELECT t.transaction_id FROM (
    SELECT transaction, since FROM collector_overdue
    WHERE choreography = %s AND awaited = %s AND service = %s AND compensation = %s ORDER BY since LIMIT %s) AS o
JOIN collector_transaction t ON t.id = o.transaction ORDER BY o.since, t.id
"""


def examples(choreography: str, awaited: str, service: str, *, compensation: bool, most: int) -> list[str]:
    """Ids of transactions that wait so, those that have waited longest first. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_EXAMPLES, [choreography, awaited, service, compensation, most])
        return list(dict.fromkeys(name for (name,) in cursor.fetchall()))
