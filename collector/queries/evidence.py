"""What alerts look at besides what is overdue: failures, silence, loops, dead letters, gaps, what cannot be read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from collector.queries.bounds import MOST, rows

WINDOW = timedelta(minutes=5)
LOOKED_BACK = timedelta(minutes=15)
"""How long ago a service must have been heard of for its silence to mean anything, and a gap noticed to be news."""
_BUCKET = timedelta(seconds=10)
_MOST_ROWS = 200
_MOST_OPEN = 20_000

_FAILED = """
SELECT choreography, sum(count) FILTER (WHERE outcome = 'failed')::bigint, sum(count)::bigint FROM collector_outcome
WHERE bucket > %(since)s AND outcome IN ('completed', 'failed', 'compensated') GROUP BY 1
HAVING sum(count) FILTER (WHERE outcome = 'failed') > 0 LIMIT 200
"""
_HEARD = """
SELECT target_service, max(bucket), sum(count)::bigint FROM collector_flow
WHERE bucket > %(since)s AND source_type = '' AND source_service = '' AND target_service = ANY(%(services)s) GROUP BY 1
"""
_RUNAWAY = f"""
SELECT t.choreography, d.found ->> 'kind', count(DISTINCT t.id), min(t.started_at), min(d.found ->> 'sentence')
FROM (SELECT * FROM collector_transaction WHERE ended_at IS NULL AND merged_into IS NULL
      ORDER BY started_at DESC, id DESC LIMIT {_MOST_OPEN}) AS t,
     jsonb_array_elements(CASE WHEN t.event_count > 10 THEN coalesce(t.state -> 'deviations', '[]') ELSE '[]' END)
     AS d(found)
WHERE d.found ->> 'kind' IN ('loop', 'fan-out') AND t.last_event_at > %(since)s GROUP BY 1, 2 LIMIT {_MOST_ROWS}
"""
_SET_ASIDE = f"""
SELECT t.name, count(*), min(f.received_at), max(f.exception) FROM collector_failure f
JOIN collector_topic t ON t.id = f.topic_id
WHERE f.day >= %(day)s AND f.received_at > %(since)s AND NOT f.retried GROUP BY 1 LIMIT {_MOST_ROWS}
"""
_GAPS = """
SELECT t.name, count(*), min(g.noticed_at), sum(abs(g.to_offset - g.from_offset))::bigint, max(g.kind)
FROM collector_gap g JOIN collector_topic t ON t.id = g.topic_id WHERE g.noticed_at > %(since)s GROUP BY 1 LIMIT 200
"""
_UNDECODABLE = f"""
WITH unread AS (
    SELECT topic_id, reason, count(*) AS n, min(received_at) AS first
    FROM (SELECT topic_id, reason, received_at FROM collector_undecodable
          WHERE day >= %(day)s AND received_at > %(since)s ORDER BY received_at DESC LIMIT {MOST}) AS u GROUP BY 1, 2
), without AS (
    SELECT topic_id, count(*) AS n
    FROM (SELECT topic_id FROM collector_uncorrelated WHERE day >= %(day)s AND received_at > %(since)s AND position = 0
          ORDER BY received_at DESC LIMIT {MOST}) AS u GROUP BY 1
)
SELECT t.name, sum(u.n)::bigint, min(u.first), count(*), (array_agg(u.reason ORDER BY u.n DESC, u.reason))[1], max(u.n),
    coalesce((SELECT sum(f.count) FROM collector_flow f WHERE f.topic = t.name AND f.bucket > %(since)s
              AND f.source_type = '' AND f.source_service = ''), 0)::bigint
    + coalesce((SELECT n FROM without w WHERE w.topic_id = t.id), 0)
FROM unread u JOIN collector_topic t ON t.id = u.topic_id GROUP BY t.id, t.name LIMIT {_MOST_ROWS}
"""
_USED_TO_BE = """
SELECT DISTINCT topic, target_service FROM collector_flow
WHERE bucket > %(since)s AND bucket <= %(until)s AND source_type = '' AND source_service = ''
"""


@dataclass(frozen=True)
class Evidence:
    """Something found: `count` of `total` of it, about a choreography or a topic, `since` then, in a few `words`."""

    about: str
    count: int
    total: int
    since: datetime
    words: str = ""


def failed(now: datetime) -> list[Evidence]:
    """By choreography: how many of those that ended within WINDOW failed. One query, as all here."""
    found = rows(_FAILED, {"since": now - WINDOW})
    return [Evidence(name, count, total, now - WINDOW) for name, count, total in found]


def silent(services: Collection[str], now: datetime) -> list[Evidence]:
    """Of these services, those that were heard of within LOOKED_BACK, at least twenty times, but not in the last two
    buckets; `since` the bucket in which they were heard of last, as everywhere: never after what follows from it."""
    found = rows(_HEARD, {"since": now - LOOKED_BACK, "services": list(services)}) if services else []
    quiet_since = now - 3 * _BUCKET
    return [Evidence(name, 0, count, at) for name, at, count in found if count >= 20 and at < quiet_since]


def runaway(now: datetime) -> list[tuple[str, Evidence]]:
    """Loops and fan-outs of open transactions that something happened in within LOOKED_BACK, by choreography."""
    found = rows(_RUNAWAY, {"since": now - LOOKED_BACK})
    return [(kind, Evidence(name, count, count, at, words)) for name, kind, count, at, words in found]


def set_aside(now: datetime) -> list[Evidence]:
    """Dead letters within WINDOW, by the topic that they lie on."""
    since = now - WINDOW
    found = rows(_SET_ASIDE, {"since": since, "day": since.date()})
    return [Evidence(name, count, count, at, words) for name, count, at, words in found]


def gaps(now: datetime) -> list[Evidence]:
    """Records that were gone before they were read, noticed within LOOKED_BACK, by topic; `total`: how many records."""
    found = rows(_GAPS, {"since": now - LOOKED_BACK})
    return [Evidence(name, count, records, at, kind) for name, count, at, records, kind in found]


def undecodable(now: datetime) -> list[Evidence]:
    """Records of a topic within WINDOW that nothing could read, why, and of how many: besides them, those whose events
    belong to a transaction, and those whose events name none."""
    since = now - WINDOW
    found = rows(_UNDECODABLE, {"since": since, "day": since.date()})
    return [
        Evidence(name, count, count + read, at, reason if reasons == 1 else f"mostly {reason}, {most} times")
        for name, count, at, reasons, reason, most, read in found
    ]


def used_to_correlate(now: datetime) -> set[tuple[str, str]]:
    """Topics and services whose events belonged to transactions an hour to ten minutes ago."""
    moments = {"since": now - timedelta(hours=1), "until": now - timedelta(minutes=10)}
    return {(topic, service) for topic, service in rows(_USED_TO_BE, moments)}
