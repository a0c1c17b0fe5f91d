"""Which share of events names its transaction, by topic and service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from collector.queries.bounds import MOST, rows

WINDOW = timedelta(minutes=10)
_MOST_ROWS = 500

_UNCORRELATED = f"""
SELECT t.name, u.service, count(*), min(u.received_at)
FROM (SELECT topic_id, service, received_at FROM collector_uncorrelated
      WHERE day >= %(day)s AND received_at > %(since)s ORDER BY received_at DESC LIMIT {MOST}) AS u
JOIN collector_topic t ON t.id = u.topic_id GROUP BY 1, 2
"""
_CORRELATED = """
SELECT topic, target_service, sum(count)::bigint FROM collector_flow
WHERE bucket > %(since)s AND source_type = '' AND source_service = '' GROUP BY 1, 2
"""


@dataclass(frozen=True)
class Covered:
    """How many events of a service on a topic belong to a transaction, and how many to none."""

    topic: str
    service: str
    correlated: int
    uncorrelated: int

    @property
    def share(self) -> float:
        return self.correlated / (self.correlated + self.uncorrelated)


@dataclass(frozen=True)
class Coverage:
    """`since` then; the least covered come first."""

    since: datetime
    rows: list[Covered]

    @property
    def share(self) -> float | None:
        """Of all events together; None where there was none."""
        correlated, total = sum(row.correlated for row in self.rows), sum(self._total(row) for row in self.rows)
        return correlated / total if total else None

    @staticmethod
    def _total(row: Covered) -> int:
        return row.correlated + row.uncorrelated


def coverage(now: datetime) -> Coverage:
    """Of the last WINDOW, or of less where more than MOST events without a transaction came in it. Two queries.

    To ten seconds, as what is counted of transactions' events.
    """
    since = now - WINDOW
    without = rows(_UNCORRELATED, {"day": since.date(), "since": since})
    if sum(count for _, _, count, _ in without) >= MOST:
        since = min(first for *_, first in without)
    counted = {(topic, service): (0, count) for topic, service, count, _ in without}
    for topic, service, count in rows(_CORRELATED, {"since": since - timedelta(seconds=10)}):
        counted[topic, service] = (count, counted.get((topic, service), (0, 0))[1])
    found = [Covered(topic, service, *counts) for (topic, service), counts in counted.items()]
    return Coverage(since, sorted(found, key=lambda row: (row.share, row.topic, row.service))[:_MOST_ROWS])
