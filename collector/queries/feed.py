"""What changed within the last day: services, event types and rules that are new, services that are silent or gone,
events that never came directly after others before, and choreographies that began to deviate."""

from __future__ import annotations

from datetime import datetime

from collector.mining.contribution import HOUR, hour_of, moment_of
from collector.queries.bounds import rows
from collector.queries.changes import LATELY, Change, changes
from collector.queries.presence import KNOWN, PATIENCE, VANISHED, silences

MOST = 50
_EACH = 20
LOOKED_FOR = ("edge", "deviating", "vanished", "silent")
"""Kinds that it takes a while to find; `changes` tells the others."""

# In a choreography that there was before: in a new one, everything comes for the first time.
_EDGES = f"""
WITH lately AS (
    SELECT choreography, source, target, min(bucket) AS bucket, sum(count) AS n FROM collector_minedcount
    WHERE hours = {HOUR} AND kind = 'edge' AND bucket BETWEEN %(first)s AND %(last)s GROUP BY 1, 2, 3
), ever AS (
    SELECT choreography, source, target, sum(count) AS n FROM collector_minedcount
    WHERE hours = 0 AND kind = 'edge' GROUP BY 1, 2, 3
), cases AS (
    SELECT choreography, sum(count) FILTER (WHERE hours = 0) AS ever, sum(count) FILTER (WHERE hours = {HOUR}) AS lately
    FROM collector_minedcount
    WHERE kind = 'case' AND (hours = 0 OR (hours = {HOUR} AND bucket BETWEEN %(first)s AND %(last)s)) GROUP BY 1
)
SELECT bucket, source, target, choreography FROM lately JOIN ever USING (choreography, source, target)
JOIN cases USING (choreography)
WHERE lately.n > 0 AND lately.n >= ever.n AND cases.ever > cases.lately ORDER BY 1 DESC, 2, 3 LIMIT {_EACH}
"""
_DEVIATING = f"""
SELECT min(bucket) FILTER (WHERE outcome = 'deviating'), choreography FROM collector_outcome
WHERE bucket > %(before)s GROUP BY 2
HAVING min(bucket) <= %(since)s AND min(bucket) FILTER (WHERE outcome = 'deviating') > %(since)s
ORDER BY 1 DESC LIMIT {_EACH}
"""
# Two days are read only of those that the last minutes do not tell of.
_VANISHED = f"""
WITH quiet AS MATERIALIZED (
    SELECT service FROM collector_eventtype WHERE service <> ''
    EXCEPT SELECT target_service FROM collector_flow WHERE bucket > %(lately)s AND source_type = ''
)
SELECT max(bucket), target_service FROM collector_flow JOIN quiet ON service = target_service
WHERE bucket > %(before)s AND source_type = '' GROUP BY 2
HAVING max(bucket) <= %(since)s ORDER BY 1 DESC LIMIT {_EACH}
"""


def feed(now: datetime) -> list[Change]:
    """The newest first. Five queries, which read much: for once in a while."""
    since = now - LATELY
    found = changes(now)
    moments = {"since": since, "before": now - KNOWN, "lately": now - PATIENCE}
    found += [
        Change(moment_of(bucket), "edge", f"{source} → {target}", choreography)
        for bucket, source, target, choreography in rows(_EDGES, {"first": hour_of(since), "last": hour_of(now)})
    ]
    found += [Change(at, "deviating", name, "") for at, name in rows(_DEVIATING, moments)]
    found += [Change(at + VANISHED, "vanished", name, "") for at, name in rows(_VANISHED, moments)]
    found += [Change(silence.since, "silent", name, "") for name, silence in silences(now).items()]
    return sorted(found, key=lambda change: change.at, reverse=True)[:MOST]


def parts(change: Change) -> tuple[str, str, str]:
    """What is said of it: what goes before what it is about, that, and what comes after."""
    of = f" of {change.about}" if change.about else ""
    within = f" in {change.about}" if change.about else ""
    return {
        "service": ("new service ", change.name, ""),
        "type": ("new event type ", change.name, of),
        "rules": ("", "other rules", " apply"),
        "learned": ("learned of ", change.name, f": {change.about}"),
        "forgotten": ("no longer learned of ", change.name, f": {change.about}"),
        "edge": (f"for the first time{within}: ", change.name, ""),
        "deviating": ("transactions of ", change.name, " began to deviate from their rules"),
        "vanished": ("", change.name, " was not heard for a day"),
        "silent": ("", change.name, " is silent, though what it reacts to keeps coming"),
    }[change.kind]


def sentence(change: Change) -> str:
    before, name, after = parts(change)
    said = f"{before}{name}{after}."
    return said if change.kind in ("vanished", "silent") else said[0].upper() + said[1:]
