"""Which transactions deviate, how, and since when: from what is declared, and from the ways that are usual."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from collector.mining.contribution import CausalForm, moment_of
from collector.mining.ranges import first_day_of_hours, rounded
from collector.queries.bounds import rows

MOST, MOST_WAYS = 2_000, 500
"""Ended transactions whose deviations are looked at, the latest; ways that are told apart, the most frequent."""
EXAMPLES = 5
USUAL = 0.05
"""The share from which a way is usual; the most frequent one always is."""

SENTENCE = "regexp_replace(d ->> 'sentence', ' [0-9.]+ s after', ' after')"
"""What a deviation says, without how late, which is another time each time."""

_LOOKED_AT = f"""
SELECT id, transaction_id, started_at, overdue_since, state FROM collector_transaction
WHERE choreography = %(name)s AND merged_into IS NULL AND NOT partial AND NOT oversized
    AND (ended_at IS NOT NULL OR overdue_since IS NOT NULL) AND started_at >= %(since)s
ORDER BY started_at DESC, id DESC LIMIT {MOST}
"""
_DEVIATIONS = f"""
WITH looked AS ({_LOOKED_AT}),
told AS (SELECT transaction_id, started_at, d ->> 'kind' AS kind,
                {SENTENCE} AS sentence
         FROM looked, jsonb_array_elements(coalesce(state -> 'deviations', '[]')) AS d)
SELECT kind, sentence, count(DISTINCT transaction_id), min(started_at), max(started_at),
    (array_agg(DISTINCT transaction_id))[1:{EXAMPLES}]
FROM told GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 100
"""
_SHARE = f"""
WITH looked AS ({_LOOKED_AT})
SELECT count(*), count(*) FILTER (WHERE state ? 'deviations' OR overdue_since IS NOT NULL),
    count(overdue_since), min(started_at)
FROM looked
"""
_WAYS = f"""
SELECT source::bigint, sum(count)::bigint AS n, min(bucket), max(bucket + hours),
    (SELECT definition::text FROM collector_variant v WHERE v.id = c.source::bigint)
FROM collector_minedcount c
WHERE kind = 'causal' AND choreography = %(name)s AND status NOT IN ('running', 'compensating')
    AND bucket >= %(since)s AND ((hours = 24 AND bucket < %(kept)s) OR (hours = 1 AND bucket >= %(kept)s))
GROUP BY source HAVING sum(count) > 0 ORDER BY n DESC, 1 LIMIT {MOST_WAYS}
"""

Way = Literal["missing", "unexpected", "both", "order"]


@dataclass(frozen=True)
class Deviating:
    """One way to deviate from what is declared; a sentence, without how late."""

    kind: str
    sentence: str
    count: int
    first: datetime
    last: datetime
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Unusual:
    """An unusual way beside the usual one that is most like it: what it lacks, what it has besides. `order`: the same
    events, led to in another way. Moments are rounded to the hours and days that are counted."""

    variant: int
    how: Way
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Conformance:
    """`ended`: transactions looked at, stuck ones among them, since `since`; `deviating`: those of them that do not
    conform, which a stuck one never does; `ways`: those counted by their ways."""

    ended: int
    deviating: int
    stuck: int
    since: datetime | None
    deviations: tuple[Deviating, ...]
    ways: int
    usual: tuple[int, ...]
    unusual: tuple[Unusual, ...]


def conformance(name: str, since: datetime, now: datetime) -> Conformance:
    """Three queries."""
    wanted = {"name": name, "since": since}
    ((ended, deviating, stuck, first),) = rows(_SHARE, wanted)
    deviations = tuple(
        Deviating(kind, sentence, count, begun, last, tuple(names))
        for kind, sentence, count, begun, last, names in rows(_DEVIATIONS, wanted)
    )
    # Hours where there are, and not their days: so that it is said exactly since when, and until when.
    counted = rows(_WAYS, {"name": name, "since": rounded(since, None, now).since, "kept": first_day_of_hours(now)})
    ways = sum(count for _, count, *_ in counted)
    forms = {number: _multiset(definition) for number, *_, definition in counted if definition}
    usual = tuple(number for place, (number, count, *_) in enumerate(counted) if not place or count >= USUAL * ways)
    unusual = tuple(
        _unusual(
            number,
            count,
            (moment_of(begun), min(moment_of(until), now)),  # an hour that is not over yet ends now
            forms.get(number),
            [forms[one] for one in usual if one in forms],
        )
        for number, count, begun, until, _ in counted
        if number not in usual
    )
    return Conformance(ended, deviating, stuck, first, deviations, ways, usual, unusual)


def _multiset(definition: str) -> Counter[str]:
    return Counter(name for name, _ in msgspec.json.decode(definition, type=CausalForm))


def _unusual(
    number: int,
    count: int,
    within: tuple[datetime, datetime],
    form: Counter[str] | None,
    usual: Sequence[Counter[str]],
) -> Unusual:
    missing, unexpected = Counter[str](), Counter[str]()
    if form is not None and usual:
        like = min(usual, key=lambda one: ((one - form).total() + (form - one).total(), -one.total()))
        missing, unexpected = like - form, form - like
    how: Way = "both" if missing and unexpected else "missing" if missing else "unexpected" if unexpected else "order"
    return Unusual(number, how, tuple(sorted(missing)), tuple(sorted(unexpected)), count, *within)
