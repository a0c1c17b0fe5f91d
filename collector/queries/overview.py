"""The overview's figures, and what became of transactions lately. Read from counts: no transaction is scanned."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from collector.correlation.buckets import quantile
from collector.models import Phase
from collector.queries.bounds import MOST, Bounded, rows
from collector.queries.readiness import behind_seconds

BUCKET = timedelta(seconds=10)
RATE_WINDOW = timedelta(seconds=60)
EVENTS_WINDOW = timedelta(seconds=30)
DURATION_WINDOW = timedelta(minutes=5)
SLOT = timedelta(minutes=1)
SLOTS = 60


@dataclass(frozen=True)
class Figures:
    """Rates are per second: of transactions over RATE_WINDOW, of their events over EVENTS_WINDOW.

    Durations are in seconds, of those completed within DURATION_WINDOW.
    """

    at: datetime
    in_flight: int
    started_rate: float
    completed_rate: float
    undone_rate: float
    stuck: Bounded
    p50: float | None
    p95: float | None
    events_rate: float
    behind: float | None
    undecodable: Bounded

    @property
    def undone_share(self) -> float | None:
        """Compensated or failed as a share of those ended."""
        ended = self.completed_rate + self.undone_rate
        return self.undone_rate / ended if ended else None


@dataclass(frozen=True)
class Slot:
    """How many ended, and became stuck, in the SLOT that begins at `at`."""

    at: datetime
    completed: int = 0
    undone: int = 0
    stuck: int = 0


_COUNTS = f"""
SELECT (SELECT coalesce(sum(count), 0)::bigint FROM collector_waiting WHERE rule = ''),
       (SELECT count(*) FROM (SELECT DISTINCT transaction FROM collector_overdue LIMIT {MOST + 1}) AS bounded),
       (SELECT count(*) FROM (SELECT 1 FROM collector_undecodable
                              WHERE day >= %(day)s AND received_at > %(since)s LIMIT {MOST + 1}) AS bounded)
"""

_RATES = """
SELECT outcome, sum(count)::bigint FROM collector_outcome WHERE bucket >= %(since)s GROUP BY outcome
"""

# Rows of no source count every event once.
_EVENTS = """
SELECT coalesce(sum(count), 0)::bigint FROM collector_flow
WHERE bucket >= %(since)s AND source_type = '' AND source_service = ''
"""

_DURATIONS = """
SELECT coalesce(jsonb_object_agg(key, n), '{}')::text FROM (
    SELECT key, sum(value::bigint) AS n FROM collector_outcome, jsonb_each_text(durations)
    WHERE bucket >= %(since)s AND outcome = 'completed' GROUP BY key) AS summed
"""

_SLOTS = """
SELECT date_bin(%(slot)s, bucket, %(origin)s), outcome, sum(count)::bigint FROM collector_outcome
WHERE bucket >= %(origin)s AND bucket < %(end)s AND outcome <> 'started' GROUP BY 1, 2
"""


def floor(moment: datetime, length: timedelta) -> datetime:
    seconds = length.total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, tz=moment.tzinfo)


def figures(now: datetime) -> Figures:
    """Five queries."""
    day_ago = now - timedelta(days=1)
    in_flight, stuck, undecodable = rows(_COUNTS, {"day": day_ago.date(), "since": day_ago})[0]
    since = floor(now - RATE_WINDOW, BUCKET)
    seconds = (now - since).total_seconds()
    rates = {outcome: count / seconds for outcome, count in rows(_RATES, {"since": since})}
    counts = rows(_DURATIONS, {"since": now - DURATION_WINDOW})[0][0]
    durations = msgspec.json.decode(counts, type=dict[int, int])
    return Figures(
        at=now,
        in_flight=max(0, in_flight),
        started_rate=rates.get("started", 0),
        completed_rate=rates.get(Phase.COMPLETED, 0),
        undone_rate=rates.get(Phase.FAILED, 0) + rates.get(Phase.COMPENSATED, 0),
        stuck=Bounded.of(stuck),
        p50=quantile(durations, 0.5),
        p95=quantile(durations, 0.95),
        events_rate=_events_rate(now),
        behind=behind_seconds(now),
        undecodable=Bounded.of(undecodable),
    )


def _events_rate(now: datetime) -> float:
    """Of the events that have a transaction."""
    since = floor(now - EVENTS_WINDOW, BUCKET)
    count: int = rows(_EVENTS, {"since": since})[0][0]
    return count / (now - since).total_seconds()


def over_time(now: datetime) -> list[Slot]:
    """The last SLOTS full slots, oldest first, the empty ones among them. One query."""
    end = floor(now, SLOT)
    origin = end - SLOT * SLOTS
    counts: defaultdict[datetime, dict[str, int]] = defaultdict(dict)
    for at, outcome, count in rows(_SLOTS, {"slot": SLOT, "origin": origin, "end": end}):
        counts[at][outcome] = count
    return [slot_of(at, counts[at]) for at in (origin + SLOT * index for index in range(SLOTS))]


def slot_of(at: datetime, counts: dict[str, int]) -> Slot:
    """`counts`: by outcome."""
    undone = counts.get(Phase.FAILED, 0) + counts.get(Phase.COMPENSATED, 0)
    return Slot(at, counts.get(Phase.COMPLETED, 0), undone, counts.get("stuck", 0))
