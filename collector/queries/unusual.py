"""What is unlike it usually is: ways that transactions hardly ever went, and transactions that take longer.

What is usual is what the hours of the last two days have in common, this one left out: so an hour in which things went
wrong does not become usual, and what lasts for a day does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import median

import msgspec

from collector.correlation import buckets
from collector.mining.contribution import first_hourly, hour_of
from collector.mining.durations import NOTHING, merged, percentiles
from collector.queries.bounds import rows
from collector.queries.conforming import SENTENCE
from collector.queries.evidence import WINDOW, Evidence

ENOUGH = 100
"""So many transactions have to have ended for anything to be usual: in an hour, to take part in how long they take."""
RARE = 0.01
"""Ways that fewer than this share of the transactions went are no usual ones."""
LONGER = 2.0
LEAST = 1.0
"""Beyond so many times what 95 of 100 usually take at most, and so many seconds, a transaction took long."""
_MOST_ROWS = 5_000

_DEVIATING = """
SELECT choreography, sum(count) FILTER (WHERE outcome = 'deviating')::bigint,
    sum(count) FILTER (WHERE outcome <> 'deviating')::bigint
FROM collector_outcome
WHERE bucket > %(since)s AND outcome IN ('completed', 'failed', 'compensated', 'deviating') GROUP BY 1
HAVING sum(count) FILTER (WHERE outcome = 'deviating') > 0 AND sum(count) FILTER (WHERE outcome <> 'deviating') > 0
LIMIT 200
"""
_SAID = f"""
SELECT regexp_replace({SENTENCE}, '\\.$', '') FROM (
    SELECT id, state FROM collector_transaction
    WHERE choreography = %(choreography)s AND ended_at > %(since)s ORDER BY started_at DESC, id DESC LIMIT 500
) AS t, jsonb_array_elements(coalesce(t.state -> 'deviations', '[]')) AS d
GROUP BY 1 ORDER BY count(DISTINCT t.id) DESC, 1 LIMIT 1
"""
_WAYS = """
WITH ways AS (
    SELECT choreography, source, sum(count) FILTER (WHERE bucket >= %(recent)s) AS lately,
        coalesce(sum(count) FILTER (WHERE bucket < %(recent)s), 0) AS before
    FROM collector_minedcount
    WHERE hours = 1 AND kind = 'variant' AND bucket >= %(first)s AND status IN ('completed', 'failed', 'compensated')
        AND NOT choreography = ANY(%(declared)s)
    GROUP BY 1, 2
), shares AS (
    SELECT *, sum(lately) OVER w AS all_lately, sum(before) OVER w AS all_before FROM ways
    WINDOW w AS (PARTITION BY choreography)
)
SELECT choreography, sum(lately) FILTER (WHERE before < %(rare)s * all_before)::float, max(all_lately)::bigint,
    coalesce(sum(before) FILTER (WHERE before < %(rare)s * all_before), 0)::float / max(all_before)::float
FROM shares WHERE all_before >= %(enough)s GROUP BY 1
HAVING sum(lately) FILTER (WHERE before < %(rare)s * all_before) > 0 LIMIT 200
"""
_LATELY = f"""
SELECT choreography, durations::text FROM collector_outcome WHERE bucket > %(since)s AND outcome = 'completed'
LIMIT {_MOST_ROWS}
"""
_USUALLY = f"""
SELECT choreography, '[' || string_agg(durations, ',') || ']' FROM collector_minedcount
WHERE hours = 1 AND kind = 'case' AND bucket >= %(first)s AND bucket < %(this)s AND status = 'completed'
    AND choreography = ANY(%(choreographies)s)
GROUP BY choreography, bucket HAVING sum(count) >= %(enough)s ORDER BY bucket DESC LIMIT {_MOST_ROWS}
"""
_durations = msgspec.json.Decoder(dict[int, int])


@dataclass(frozen=True)
class Usual:
    """How long transactions of a choreography usually take, in seconds."""

    p50: float
    p95: float


def deviating(now: datetime, declared: Collection[str]) -> list[Evidence]:
    """By choreography: of the transactions that ended lately, those that deviate. From the rules, where some are
    `declared`; else from the ways that transactions usually go, as many more as are usual. Two queries, and one more
    for each that deviates from rules."""
    since = now - WINDOW
    found = [
        Evidence(name, count, total, since, _said(name, since))
        for name, count, total in rows(_DEVIATING, {"since": since})
        if name in declared
    ]
    moments = {"first": first_hourly(now), "recent": hour_of(now) - 1}
    ways = rows(_WAYS, {**moments, "declared": list(declared), "rare": RARE, "enough": ENOUGH})
    for name, rare, total, usual in ways:
        count = round(rare - usual * total)
        if count > 0:
            found.append(Evidence(name, count, total, since))
    return found


def _said(choreography: str, since: datetime) -> str:
    """The deviation of the most of them, however late; they may be gone by now."""
    said = rows(_SAID, {"choreography": choreography, "since": since})
    return str(said[0][0]) if said else ""


def slow(now: datetime) -> list[Evidence]:
    """By choreography: of the transactions that completed within WINDOW, those that took far longer than is usual, with
    how long half of them took, and usually take. Two queries."""
    lately = _summed(rows(_LATELY, {"since": now - WINDOW}))
    usually = usual(now, list(lately)) if lately else {}
    found = []
    for name, counts in lately.items():
        if name not in usually:
            continue
        limit = max(LEAST, LONGER * usually[name].p95)
        long = sum(count for index, count in counts.items() if index != NOTHING and buckets.seconds(index) > limit)
        if long:
            words = f"{_length(buckets.quantile(counts, 0.5))}, usually {_length(usually[name].p50)}"
            found.append(Evidence(name, long, sum(counts.values()), now - WINDOW, words))
    return found


def usual(now: datetime, choreographies: Collection[str]) -> dict[str, Usual]:
    """Of those that are known for an hour in which enough completed: the medians of the hours. One query."""
    moments = {"first": first_hourly(now), "this": hour_of(now)}
    hours: dict[str, list[list[float]]] = {}
    for name, text in rows(_USUALLY, {**moments, "enough": ENOUGH, "choreographies": list(choreographies)}):
        found = percentiles(merged(text), (0.5, 0.95))
        hours.setdefault(name, []).append([value or 0.0 for value in found])
    return {name: Usual(*map(median, zip(*found, strict=True))) for name, found in hours.items()}


def _summed(found: Iterable[tuple[str, str]]) -> dict[str, Mapping[int, int]]:
    sums: dict[str, Counter[int]] = {}
    for name, text in found:
        sums.setdefault(name, Counter()).update(_durations.decode(text))
    return dict(sums)


def _length(seconds: float | None) -> str:
    seconds = seconds or 0.0
    if seconds < 0.995:
        return f"{float(f'{seconds * 1000:.2g}'):.0f} ms"
    return f"{seconds:.{1 if seconds < 9.95 else 0}f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
