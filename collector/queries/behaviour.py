"""How choreographies behave: how each fares, how long its transactions took over time, and what became of its variants.

Read from what was mined; nothing here reads transactions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from collector.correlation import buckets
from collector.mining.contribution import DAY, HOUR, first_hourly, hour_of, moment_of
from collector.mining.durations import NOTHING, merged, percentiles
from collector.mining.ranges import Parts, Range, rounded
from collector.models import EventType, Phase
from collector.queries.bounds import rows
from collector.queries.choreographies import MOST_CHOREOGRAPHIES
from collector.queries.mined import COUNTED, WHERE, Taken, parameters_of, taken

ENDED = (Phase.COMPLETED, Phase.COMPENSATED, Phase.FAILED, Phase.ABANDONED)
TREND_HOURS = 24
COLUMNS = 48
"""Of a heat map, at most."""
FINE = timedelta(hours=12)
"""Of a range no longer than this that lies within the last two days, the ends of transactions are known to ten
seconds."""
_TEN_SECONDS = timedelta(seconds=10)
_FINE_STEPS = tuple(timedelta(seconds=seconds) for seconds in (60, 120, 300, 600, 900))


@dataclass(frozen=True)
class Fare:
    """Of the transactions of a choreography that began in the range: how many stand how, and how long those that
    completed took. `trend`: how many began in each of the last TREND_HOURS hours, the oldest first."""

    name: str
    statuses: Mapping[str, int]
    took: Taken
    trend: tuple[int, ...]

    @property
    def transactions(self) -> int:
        return sum(self.statuses.values())

    @property
    def ended(self) -> int:
        return sum(self.statuses.get(status, 0) for status in ENDED)

    @property
    def completion(self) -> float | None:
        """The share of those that ended that completed."""
        return self.statuses.get(Phase.COMPLETED, 0) / self.ended if self.ended else None


@dataclass(frozen=True)
class Standing:
    """How many transactions stand how, of all (`every`) and of `variants`; how long those that completed took."""

    every: Mapping[str, int]
    variants: Mapping[int, Mapping[str, int]]
    took: Taken


@dataclass(frozen=True)
class HeatColumn:
    """The durations of the transactions of `step` from `at` on, as counts in log-buckets."""

    at: datetime
    durations: Mapping[int, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return sum(self.durations.values())

    def quantiles(self, *wanted: float) -> list[float | None]:
        """In seconds; None where there are no transactions."""
        return percentiles(self.durations, wanted)


def lasting(bucket: int) -> float:
    """The seconds that a bucket of durations stands for."""
    return 0.0 if bucket == NOTHING else buckets.seconds(bucket)


@dataclass(frozen=True)
class Heat:
    """Columns of equal width without gaps, the oldest first; none where nothing was timed. `by_end`: a transaction is
    in the column of its end, else in that of its beginning."""

    step: timedelta
    columns: tuple[HeatColumn, ...]
    by_end: bool = False

    @property
    def whole(self) -> HeatColumn | None:
        """All columns together."""
        if not self.columns:
            return None
        every: Counter[int] = Counter()
        for column in self.columns:
            every.update(column.durations)
        return HeatColumn(self.columns[0].at, every)


_FARES = f"""
SELECT choreography, status, sum(count)::bigint, sum(total), '[' || string_agg(durations, ',') || ']'
FROM {COUNTED} WHERE kind = 'case' AND {WHERE}
GROUP BY choreography, status HAVING sum(count) > 0 ORDER BY choreography LIMIT {8 * MOST_CHOREOGRAPHIES}
"""
_TRENDS = f"""
SELECT choreography, bucket, sum(count)::bigint FROM collector_minedcount
WHERE kind = 'case' AND hours = {HOUR} AND bucket > %(since)s
GROUP BY 1, 2 ORDER BY 1, 2 LIMIT {TREND_HOURS * MOST_CHOREOGRAPHIES}
"""
# Each of the two kinds of buckets by itself, so that an index finds its ends.
_EXTENT = """
SELECT (SELECT min(bucket) FROM collector_minedcount c WHERE kind = 'case' AND hours = 24 AND {where}),
       (SELECT min(bucket) FROM collector_minedcount c WHERE kind = 'case' AND hours = 1 AND {where}),
       (SELECT max(bucket) FROM collector_minedcount c WHERE kind = 'case' AND hours = 1 AND {where}),
       (SELECT max(bucket) FROM collector_minedcount c WHERE kind = 'case' AND hours = 24 AND {where})
"""
_HEAT = f"""
SELECT (bucket - %(begin)s) / %(step)s, '[' || string_agg(durations, ',') || ']'
FROM {COUNTED} WHERE kind = 'case' AND {WHERE} GROUP BY 1 ORDER BY 1
"""
_FINE_HEAT = """
SELECT date_bin(%(step)s, bucket, %(first)s), jsonb_agg(durations)::text FROM collector_outcome
WHERE bucket >= %(first)s AND bucket < %(last)s AND (%(name)s = '_all' OR choreography = %(name)s)
AND outcome = ANY(%(outcomes)s) GROUP BY 1 ORDER BY 1
"""
_STATUSES = f"""
SELECT kind, source, status, sum(count)::bigint, sum(total),
    '[' || string_agg(durations, ',') FILTER (WHERE kind = 'case' AND status = 'completed') || ']'
FROM {COUNTED}
WHERE (kind = 'case' OR (kind = %(kind)s AND source = ANY(%(numbers)s))) AND {WHERE}
GROUP BY 1, 2, 3 HAVING sum(count) > 0
"""


def fares(since: datetime | None, until: datetime | None, now: datetime) -> list[Fare]:
    """By name. Two queries."""
    within = rounded(since, until, now)
    statuses: defaultdict[str, dict[str, int]] = defaultdict(dict)
    took: dict[str, Taken] = {}
    for name, status, count, total, durations in rows(_FARES, parameters_of("_all", "", within.parts)):
        statuses[name][status] = count
        if status == Phase.COMPLETED:
            took[name] = taken(count, total, durations)
    first = hour_of(now) - TREND_HOURS
    trends: defaultdict[str, list[int]] = defaultdict(lambda: [0] * TREND_HOURS)
    for name, bucket, count in rows(_TRENDS, {"since": first}):
        if bucket <= first + TREND_HOURS:
            trends[name][bucket - first - 1] = count
    return [Fare(name, found, took.get(name, Taken()), tuple(trends[name])) for name, found in sorted(statuses.items())]


def heat(name: str, since: datetime | None, until: datetime | None, status: str, now: datetime) -> Heat:
    """How long transactions took, over time. Two queries."""
    within = rounded(since, until, now)
    first, last = _extent(name, now)
    first = first if within.since is None else max(first, within.since)
    last = last if within.until is None else min(last, within.until)
    if last <= first:
        return Heat(timedelta(hours=1), ())
    began, ended = moment_of(first), min(moment_of(last), now)
    if ended - began <= FINE and now - began < 4 * FINE and status in ("", *ENDED):
        return _fine_heat(name, since, until or ended, began, status)
    if first >= first_hourly(now) and last - first <= 2 * DAY:
        parts = Parts(0, 0, tuple(range(first, last)))
        return _coarse_heat(name, status, HOUR, (first, last), parts)
    first -= first % DAY
    step = DAY * -(-(last - first) // (DAY * COLUMNS))
    return _coarse_heat(name, status, step, (first, last), Range(first, within.until).parts)


def _extent(name: str, now: datetime) -> tuple[int, int]:
    """From the first hour that something began in up to after the last, as far as hours are kept, else by days; an
    empty range where nothing did."""
    where = "true" if name == "_all" else "choreography = %(name)s"
    first, first_hour, last_hour, last = rows(_EXTENT.format(where=where), {"name": name})[0]
    if first is None:
        return 0, 0
    if first_hour is not None and first >= first_hourly(now):
        first = first_hour
    return first, last + DAY if last_hour is None else last_hour + 1


def _coarse_heat(name: str, status: str, step: int, extent: tuple[int, int], parts: Parts) -> Heat:
    """In columns of so many hours: by hours, or by days where these are not kept apart or would be too many."""
    first, last = extent
    parameters = parameters_of(name, status, parts)
    found = dict(rows(_HEAT, parameters | {"begin": first, "step": step}))
    places = range(-(-(last - first) // step))
    columns = (HeatColumn(moment_of(first + place * step), _there(merged(found.get(place)))) for place in places)
    return Heat(timedelta(hours=step), tuple(columns))


def _fine_heat(name: str, since: datetime | None, until: datetime, first_began: datetime, status: str) -> Heat:
    """By minutes, of when ends became known. Of all times, it begins with the first end."""
    began, ended = since or first_began, until
    step = next((step for step in _FINE_STEPS if (ended - began) / step <= COLUMNS), _FINE_STEPS[-1])
    first = datetime.fromtimestamp(began.timestamp() // step.total_seconds() * step.total_seconds(), began.tzinfo)
    outcomes = [status] if status else list(ENDED)
    parameters = {"step": step, "first": first, "last": ended + _TEN_SECONDS, "name": name, "outcomes": outcomes}
    found = dict(rows(_FINE_HEAT, parameters))
    moments = [first + place * step for place in range(max(1, -(-(ended - first) // step)))]
    columns = tuple(HeatColumn(at, _there(buckets.merged(found.get(at)))) for at in moments)
    while columns and not columns[0].durations and since is None:
        columns = columns[1:]
    return Heat(step, columns, by_end=True)


def _there(durations: Mapping[int, int]) -> dict[int, int]:
    return {index: count for index, count in durations.items() if count > 0}


def statuses(
    name: str, since: datetime | None, until: datetime | None, now: datetime, variants: Sequence[int], *, causal: bool
) -> Standing:
    """One query."""
    parameters: dict[str, Any] = parameters_of(name, "", rounded(since, until, now).parts)
    parameters |= {"kind": "causal" if causal else "variant", "numbers": [str(number) for number in variants]}
    every: dict[str, int] = {}
    apart: defaultdict[int, dict[str, int]] = defaultdict(dict)
    took = Taken()
    for kind, source, status, count, total, durations in rows(_STATUSES, parameters):
        (every if kind == "case" else apart[int(source)])[status] = count
        if durations:
            took = taken(count, total, durations)
    return Standing(every, apart, took)


def emitters(types: Iterable[str]) -> dict[str, str]:
    """The service that emits each of these event types; of several the first by name. One query."""
    found: dict[str, str] = {}
    pairs = EventType.objects.filter(type__in=list(types)).exclude(service="").order_by("type", "service")
    for kind, service in pairs.values_list("type", "service"):
        found.setdefault(kind, service)
    return found
