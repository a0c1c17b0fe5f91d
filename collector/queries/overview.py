"""The overview's figures, and how transactions ended lately."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from collector.models import Heartbeat, Phase
from collector.queries.bounds import MOST, Bounded, rows
from collector.queries.readiness import behind_seconds

RATE_WINDOW = timedelta(seconds=60)
_SAMPLE = 1_000
_FRESH = timedelta(seconds=15)
SLOT = timedelta(seconds=15)
SLOTS = 60


@dataclass(frozen=True)
class Figures:
    """Rates are per second over the last minute; durations in seconds, of the latest completed (`sampled` of them)."""

    at: datetime
    in_flight: Bounded
    stuck: Bounded
    completed_rate: float
    undone_rate: float
    p50: float | None
    p95: float | None
    sampled: int
    events_rate: float | None
    behind: float | None
    unreadable: Bounded

    @property
    def undone_share(self) -> float | None:
        """Compensated or failed as a share of those ended."""
        ended = self.completed_rate + self.undone_rate
        return self.undone_rate / ended if ended else None


@dataclass(frozen=True)
class EndedSlot:
    """How many ended in the SLOT that begins at `at`."""

    at: datetime
    completed: int = 0
    compensated: int = 0
    failed: int = 0


_COUNTS = f"""
SELECT (SELECT count(*) FROM (SELECT 1 FROM collector_transaction WHERE ended_at IS NULL LIMIT {MOST + 1}) AS some),
       (SELECT count(*) FROM (SELECT DISTINCT transaction FROM collector_overdue LIMIT {MOST + 1}) AS some),
       (SELECT count(*) FROM (SELECT 1 FROM collector_undecodable
                              WHERE day >= %(day)s AND received_at > %(day_ago)s LIMIT {MOST + 1}) AS some)
"""

_ENDED = """
SELECT phase, count(*) FROM collector_transaction
WHERE phase IN ('completed', 'failed', 'compensated') AND ended_at IS NOT NULL
  AND ended_at > %(since)s AND ended_at <= %(now)s
GROUP BY phase
"""

_DURATIONS = f"""
SELECT percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY duration), count(*) FROM (
    SELECT extract(epoch FROM ended_at - started_at)::float8 AS duration FROM collector_transaction
    WHERE phase = 'completed' AND ended_at IS NOT NULL AND ended_at > %(since)s
    ORDER BY ended_at DESC LIMIT {_SAMPLE}) AS latest
"""

_SLOTS = """
SELECT date_bin(%(slot)s, ended_at, %(origin)s), phase, count(*) FROM collector_transaction
WHERE phase IN ('completed', 'failed', 'compensated') AND ended_at IS NOT NULL
  AND ended_at >= %(origin)s AND ended_at < %(end)s
GROUP BY 1, 2
"""


def figures(now: datetime) -> Figures:
    """Five queries."""
    day_ago = now - timedelta(days=1)
    in_flight, stuck, unreadable = rows(_COUNTS, {"day": day_ago.date(), "day_ago": day_ago})[0]
    ended = dict(rows(_ENDED, {"since": now - RATE_WINDOW, "now": now}))
    quantiles, sampled = rows(_DURATIONS, {"since": now - timedelta(hours=1)})[0]
    p50, p95 = quantiles or (None, None)
    beats = Heartbeat.objects.filter(name__startswith="collector:", at__gt=now - _FRESH)
    rates = [beat.detail.get("events_per_second") for beat in beats]
    known = [float(rate) for rate in rates if isinstance(rate, int | float)]
    window = RATE_WINDOW.total_seconds()
    return Figures(
        at=now,
        in_flight=Bounded.of(in_flight),
        stuck=Bounded.of(stuck),
        completed_rate=ended.get(Phase.COMPLETED, 0) / window,
        undone_rate=(ended.get(Phase.FAILED, 0) + ended.get(Phase.COMPENSATED, 0)) / window,
        p50=p50,
        p95=p95,
        sampled=sampled,
        events_rate=sum(known) if known else None,
        behind=behind_seconds(now),
        unreadable=Bounded.of(unreadable),
    )


def ended_over_time(now: datetime) -> list[EndedSlot]:
    """The last SLOTS full slots, oldest first, those without an end among them. One query."""
    seconds = SLOT.total_seconds()
    end = datetime.fromtimestamp(now.timestamp() // seconds * seconds, tz=now.tzinfo)
    origin = end - SLOT * SLOTS
    counts: dict[datetime, dict[str, int]] = {}
    for at, phase, count in rows(_SLOTS, {"slot": SLOT, "origin": origin, "end": end}):
        counts.setdefault(at, {})[phase] = count
    moments = (origin + SLOT * index for index in range(SLOTS))
    return [EndedSlot(at, **counts.get(at, {})) for at in moments]
