"""What was mined: the map of a choreography, and the ways that its transactions went."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db.models import Sum

from collector.mining.contribution import ALWAYS, DAY, CausalForm
from collector.mining.durations import merged, percentiles
from collector.mining.ranges import Parts, rounded
from collector.models import MinedCount
from collector.queries.bounds import rows
from collector.queries.filters import BadParameter

EVERY = "_all"
"""Instead of a choreography's name: all of them."""
MOST = 2_000
"""Event types and edges of a map: the most frequent of them."""
_PLACE = re.compile(r"(\d{1,18})\|(\d{1,18})", re.ASCII)
_QUANTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True)
class Taken:
    """How long something took, in seconds; all None where nothing was timed."""

    mean: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


@dataclass(frozen=True)
class MinedNode:
    """An event type: how many events, how many transactions started and ended with it, and how many of those that have
    not ended came to it last."""

    type: str
    count: int
    starts: int
    ends: int
    in_flight: int


@dataclass(frozen=True)
class MinedEdge:
    """How often an event of the one type came directly after one of the other, in event order."""

    source: str
    target: str
    count: int
    took: Taken


@dataclass(frozen=True)
class MinedMap:
    """`since` and `until` as rounded to what is counted. `more`: there are more event types or edges than shown."""

    name: str
    since: datetime | None
    until: datetime | None
    transactions: int
    in_flight: int
    events: int
    took: Taken
    nodes: tuple[MinedNode, ...]
    edges: tuple[MinedEdge, ...]
    more: bool


@dataclass(frozen=True)
class MinedVariant:
    """`types` in event order or, where causal, with the places of what led to each. `id` 0: the others, which were too
    many to be told apart; their `types` are empty."""

    id: int
    count: int
    share: float
    took: Taken
    types: tuple[str, ...]
    causes: tuple[tuple[int, ...], ...] | None


@dataclass(frozen=True)
class Variants:
    """`transactions`: all of them, those whose ways are not on this page included."""

    transactions: int
    since: datetime | None
    until: datetime | None
    items: tuple[MinedVariant, ...]
    next: str | None


# Days and hours each for itself, so that an index finds them.
COUNTED = """(
    SELECT * FROM collector_minedcount WHERE hours = %(long)s
        AND (%(first)s::int IS NULL OR bucket >= %(first)s) AND (%(last)s::int IS NULL OR bucket < %(last)s)
    UNION ALL
    SELECT * FROM collector_minedcount WHERE hours = 1 AND bucket = ANY (%(hours)s::int[])
) AS counted"""
WHERE = "(%(name)s = '_all' OR choreography = %(name)s) AND (%(status)s = '' OR status = %(status)s)"
# One number more than is shown of each kind tells that there are more. Durations are the bulk of what is stored: they
# are gathered only of those that are asked for, and beside the sums, not joined to them: the planner, which cannot know
# how many there are, would go through them once for each row. `IS TRUE` lets it look these up by hash.
_MAP = f"""
WITH summed AS MATERIALIZED (
    SELECT kind, source, target, sum(count)::bigint AS total_count,
        coalesce(sum(count) FILTER (WHERE status IN ('running', 'compensating', 'stuck')), 0)::bigint AS open_count,
        sum(total) AS total, row_number() OVER (PARTITION BY kind ORDER BY sum(count) DESC, source, target) AS place
    FROM {COUNTED}
    WHERE kind IN ('case', 'node', 'start', 'end', 'edge') AND {WHERE}
    GROUP BY kind, source, target HAVING sum(count) > 0
)
SELECT kind, source, target, total_count, open_count, total, NULL::text AS durations
FROM summed WHERE place <= {MOST + 1}
UNION ALL
SELECT kind, source, target, NULL, NULL, NULL, '[' || string_agg(durations, ',') || ']'
FROM {COUNTED} WHERE kind IN ('case', 'edge') AND ((source || chr(1) || target) IN (
    SELECT source || chr(1) || target FROM summed WHERE kind IN ('case', 'edge') AND place <= %(timed)s
)) IS TRUE AND {WHERE} GROUP BY kind, source, target
ORDER BY kind, total_count DESC, source, target
"""
_TIMES = f"""
SELECT source, target, sum(count)::bigint, sum(total), '[' || string_agg(durations, ',') || ']'
FROM {COUNTED} WHERE kind = 'edge' AND source || chr(1) || target = ANY (%(edges)s) AND {WHERE}
GROUP BY 1, 2 HAVING sum(count) > 0
"""
_VARIANTS = f"""
SELECT source::bigint AS number, sum(count)::bigint AS n, sum(total), '[' || string_agg(durations, ',') || ']',
    (SELECT min(definition::text) FROM collector_variant v WHERE v.id = counted.source::bigint)
FROM {COUNTED} WHERE kind = %(kind)s AND {WHERE}
GROUP BY source HAVING sum(count) > 0
    AND (%(below)s::bigint IS NULL OR (sum(count), -source::bigint) < (%(below)s, -%(after)s::bigint))
ORDER BY n DESC, number LIMIT %(limit)s
"""
_CASES = f"SELECT coalesce(sum(count), 0)::bigint FROM {COUNTED} WHERE kind = 'case' AND {WHERE}"


def mined_map(
    name: str, since: datetime | None, until: datetime | None, status: str, now: datetime, *, timed: int = MOST
) -> MinedMap:
    """One query. Without a range of time it reads sums of all times; with one, those of its hours and days. `timed`: of
    how many edges, the most frequent, it is said how long they take."""
    within = rounded(since, until, now)
    found: dict[str, list[tuple[Any, ...]]] = {}
    timings: dict[tuple[str, str, str], str] = {}
    for kind, *row, durations in rows(_MAP, parameters_of(name, status, within.parts) | {"timed": timed}):
        if durations is None:
            found.setdefault(kind, []).append(tuple(row))
        else:
            timings[kind, row[0], row[1]] = durations
    starts, ends = ({row[0]: row for row in found.get(kind, ())} for kind in ("start", "end"))
    nodes = [
        MinedNode(kind, count, _count(starts, kind), _count(ends, kind), ends[kind][3] if kind in ends else 0)
        for kind, _, count, *_ in found.get("node", ())
    ]
    edges = [
        MinedEdge(source, target, count, taken(count, total, timings.get(("edge", source, target))))
        for source, target, count, _, total in found.get("edge", ())
    ]
    source, target, cases, in_flight, total = found.get("case", [("", "", 0, 0, 0)])[0]
    return MinedMap(
        name=name,
        since=within.began,
        until=within.ended,
        transactions=cases,
        in_flight=in_flight,
        events=sum(node.count for node in nodes),
        took=taken(cases, total, timings.get(("case", source, target))),
        nodes=tuple(nodes[:MOST]),
        edges=tuple(edges[:MOST]),
        more=max(len(nodes), len(edges)) > MOST,
    )


def times(
    name: str,
    since: datetime | None,
    until: datetime | None,
    status: str,
    now: datetime,
    edges: Collection[tuple[str, str]],
) -> dict[tuple[str, str], Taken]:
    """How long these edges take. One query."""
    parameters = parameters_of(name, status, rounded(since, until, now).parts)
    parameters |= {"edges": [f"{source}\x01{target}" for source, target in edges]}
    return {(source, target): taken(*row) for source, target, *row in rows(_TIMES, parameters)}


def busiest(most: int) -> list[str]:
    """The choreographies with the most transactions. One query."""
    cases = MinedCount.objects.filter(kind="case", hours=ALWAYS).values_list("choreography", flat=True)
    return list(cases.annotate(total=Sum("count")).filter(total__gt=0).order_by("-total", "choreography")[:most])


def is_mined(name: str) -> bool:
    """Whether anything was counted of a choreography; of all of them together, always."""
    return name == EVERY or MinedCount.objects.filter(choreography=name, kind="case", hours=ALWAYS).exists()


def variants(
    name: str,
    since: datetime | None,
    until: datetime | None,
    status: str,
    now: datetime,
    *,
    causal: bool = False,
    cursor: str = "",
    limit: int = 50,
) -> Variants:
    """The most frequent first; two queries."""
    within = rounded(since, until, now)
    parameters = parameters_of(name, status, within.parts)
    below, after = _decoded(cursor)
    wanted = {"kind": "causal" if causal else "variant", "below": below, "after": after, "limit": limit + 1}
    found = rows(_VARIANTS, parameters | wanted)
    cases: int = rows(_CASES, parameters)[0][0]
    items = tuple(_variant(row, cases, causal=causal) for row in found[:limit])
    following = _encoded(items[-1]) if len(found) > limit else None
    return Variants(cases, within.began, within.ended, items, following)


def parameters_of(name: str, status: str, parts: Parts) -> dict[str, Any]:
    """What COUNTED and WHERE ask for: days, and hours before and after them; of all times the sums of these."""
    every = parts == Parts(None, None, ())
    found = {"first": parts.first, "last": parts.last, "hours": list(parts.hours)}
    return {"name": name, "status": status, "long": ALWAYS if every else DAY, **found}


def _count(by_type: Mapping[str, tuple[Any, ...]], kind: str) -> int:
    return by_type[kind][2] if kind in by_type else 0


def taken(count: int, total: Any, durations: str | None) -> Taken:
    """Of so many, by the sum of their microseconds and a JSON list of stored durations."""
    if not durations or not count:
        return Taken()
    return Taken(float(total) / count / 1e6, *percentiles(merged(durations), _QUANTILES))


def _variant(row: tuple[Any, ...], cases: int, *, causal: bool) -> MinedVariant:
    number, count, total, durations, definition = row
    types: Iterable[str] = ()
    causes = None
    if definition and causal:
        form = msgspec.json.decode(definition, type=CausalForm)
        types, causes = [name for name, _ in form], tuple(places for _, places in form)
    elif definition:
        types = msgspec.json.decode(definition, type=list[str])
    return MinedVariant(number, count, count / cases, taken(count, total, durations), tuple(types), causes)


def _encoded(last: MinedVariant) -> str:
    return base64.urlsafe_b64encode(f"{last.count}|{last.id}".encode()).decode().rstrip("=")


def _decoded(cursor: str) -> tuple[int | None, int]:
    if not cursor:
        return None, 0
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeError):
        text = ""
    found = _PLACE.fullmatch(text)
    if found is None:
        raise BadParameter("'cursor' was not given out by this list; leave it away to begin with the most frequent.")
    return int(found[1]), int(found[2])
