"""Whether services are there: when each was last heard, which have fallen silent, and how they usually are.

A service is silent when what it usually reacts to keeps coming and it says nothing. Where nothing comes that it would
react to, its silence means nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from collector.mining.contribution import HOUR, hour_of
from collector.queries.bounds import rows
from collector.queries.flows import NEEDED

LOOKED_BACK = timedelta(hours=1)
PATIENCE = timedelta(minutes=1)
"""It is not silent before, nor within three times the longest that it said nothing in the hour before."""
KNOWN = timedelta(hours=48)
"""How long it is known when each service was last heard."""
VANISHED = timedelta(days=1)
"""So long after it was last heard, a service has vanished."""
NEW = timedelta(days=1)
"""So long a service is new."""
HOURS = 48
_UNANSWERED = 3
_FAILING = 0.95
_ENOUGH = 20
_MOST = 1_000

_LAST = f"""
SELECT target_service, max(bucket) FROM collector_flow
WHERE bucket > %(since)s AND source_type = '' AND target_service = ANY(%(services)s) GROUP BY 1 LIMIT {_MOST}
"""
# Only of those that were not heard lately, few as a rule, the whole hour is read. What came after one was last heard
# counts as far as it usually reacts to such events; of events that it needs together, those that came least.
_SILENT = f"""
WITH quiet AS MATERIALIZED (
    SELECT service FROM collector_eventtype WHERE service <> ''
    EXCEPT SELECT target_service FROM collector_flow WHERE bucket >= %(now)s - %(patience)s AND source_type = ''
), recent AS MATERIALIZED (
    SELECT bucket, source_type, source_service, target_type AS emits, service, count AS n
    FROM collector_flow JOIN quiet ON service = target_service WHERE bucket > %(since)s
), heard AS MATERIALIZED (
    SELECT service, max(bucket) AS at FROM (
        SELECT service, bucket, bucket - lag(bucket) OVER (PARTITION BY service ORDER BY bucket) AS pause
        FROM (SELECT DISTINCT service, bucket FROM recent WHERE source_type = '') AS spoke) AS told
    GROUP BY 1 HAVING %(now)s - max(bucket) > greatest(%(patience)s, 3 * coalesce(max(pause), interval '0'))
), emitted AS (
    SELECT service, emits, sum(n) AS n FROM recent WHERE source_type = '' GROUP BY 1, 2
), reacted AS MATERIALIZED (
    SELECT service, emits, source_type AS type, sum(n) AS n FROM recent JOIN heard USING (service)
    WHERE source_type <> '' AND source_service <> service GROUP BY 1, 2, 3
), came AS (
    SELECT target_type AS type, bucket, sum(count) AS n FROM collector_flow
    WHERE bucket > %(since)s AND source_type = '' AND target_type IN (SELECT type FROM reacted) GROUP BY 1, 2
), usual AS (
    SELECT heard.service, heard.at, r.emits, r.type, r.n >= {NEEDED} * e.n AS needed,
        least(1, r.n / sum(c.n)) AS share
    FROM heard JOIN reacted r USING (service) JOIN emitted e ON e.service = r.service AND e.emits = r.emits
    JOIN came c ON c.type = r.type AND c.bucket <= heard.at
    GROUP BY 1, 2, 3, 4, r.n, e.n
), since AS (
    SELECT u.service, u.at, u.emits, u.type, u.needed, u.share * coalesce(sum(c.n), 0) AS n FROM usual u
    LEFT JOIN came c ON c.type = u.type AND c.bucket > u.at AND c.bucket <= %(now)s - %(patience)s
    GROUP BY 1, 2, 3, 4, 5, u.share
)
SELECT service, at, sum(n)::float FROM (
    SELECT service, at, CASE WHEN needed THEN min(n) ELSE sum(n) END AS n FROM since
    GROUP BY service, at, emits, needed) AS owed
GROUP BY 1, 2 HAVING sum(n) >= {_UNANSWERED} ORDER BY 1 LIMIT {_MOST}
"""
# By hour and by type, and not by both, which is twenty times as many rows.
_HABITS = f"""
SELECT e.service, c.source, c.bucket, sum(c.count)::bigint,
    coalesce(sum(c.count) FILTER (WHERE c.status = 'completed'), 0)::bigint,
    coalesce(sum(c.count) FILTER (WHERE c.status IN ('failed', 'compensated')), 0)::bigint
FROM collector_minedcount c JOIN (SELECT DISTINCT type, service FROM collector_eventtype) AS e ON e.type = c.source
WHERE c.hours = {HOUR} AND c.kind = 'node' AND c.bucket > %(first)s AND e.service <> ''
GROUP BY GROUPING SETS ((e.service, c.source), (e.service, c.bucket)) LIMIT 100000
"""


@dataclass(frozen=True)
class Silence:
    """`since`: when the ten seconds began in which it was last heard. `unanswered`: how many events came after these,
    and up to a minute ago, that it would usually have reacted to."""

    since: datetime
    unanswered: int


@dataclass(frozen=True)
class Habits:
    """`hours`: how many events of its types the transactions have that began in each of the last HOURS hours, the
    oldest first. `failing`: the share of its events that are of types after which transactions hardly ever complete;
    None where too few have ended."""

    hours: tuple[int, ...] = (0,) * HOURS
    failing: float | None = None


def last_heard(services: Collection[str], now: datetime) -> dict[str, datetime]:
    """Of those of these services that were heard within KNOWN, when they were last. One query, that reads much: for
    those that the last hour does not tell of."""
    return dict(rows(_LAST, {"since": now - KNOWN, "services": list(services)})) if services else {}


def silences(now: datetime) -> dict[str, Silence]:
    """The services that are silent now. One query."""
    found = rows(_SILENT, {"since": now - LOOKED_BACK, "now": now, "patience": PATIENCE})
    return {name: Silence(at, round(unanswered)) for name, at, unanswered in found}


def habits(now: datetime) -> dict[str, Habits]:
    """By service. One query, of what was mined."""
    first = hour_of(now) - HOURS
    hours: defaultdict[str, list[int]] = defaultdict(lambda: [0] * HOURS)
    types: defaultdict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for service, kind, bucket, count, completed, undone in rows(_HABITS, {"first": first}):
        if bucket is None:
            types[service][kind] = (completed, undone)
        elif bucket <= first + HOURS:
            hours[service][bucket - first - 1] = count
    return {service: Habits(tuple(counts), _failing(types[service])) for service, counts in hours.items()}


def _failing(types: Mapping[str, tuple[int, int]]) -> float | None:
    every = sum(completed + undone for completed, undone in types.values())
    if every < _ENOUGH:
        return None
    bad = sum(undone for completed, undone in types.values() if undone >= _FAILING * (completed + undone))
    return bad / every


def marks(
    first_seen: datetime | None, heard: datetime | None, silence: Silence | None, awaited: int, now: datetime
) -> tuple[str, ...]:
    """How it stands, in a word each. `heard`: when it was last; None: not within KNOWN. `awaited`: how many
    transactions wait for it."""
    quiet = heard is None or now - heard > LOOKED_BACK
    new = first_seen is not None and now - first_seen < NEW
    found = []
    if first_seen is None:
        found.append("never heard")
    elif silence is not None or (quiet and awaited):
        found.append("silent")
    elif (heard is None or now - heard > VANISHED) and not new:
        found.append("vanished")
    elif quiet:
        found.append("not heard for an hour")
    if new:
        found.append("new")
    return tuple(found)
