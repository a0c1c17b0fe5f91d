"""How the transactions of each choreography fare: in flight now, and what became of them lately."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from collector.correlation.choreography import RuleBook
from collector.models import Phase
from collector.queries.bounds import rows
from collector.storage.tally import DEVIATING

MOST_CHOREOGRAPHIES = 1_000

_IN_FLIGHT = f"""
SELECT choreography, sum(count)::bigint FROM collector_waiting WHERE rule = ''
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_CHOREOGRAPHIES}
"""
# Hours that are summed up are read as such. Each part has two ends: of one end PostgreSQL expects a third of the table.
_OUTCOMES = """
WITH whole AS (SELECT date_trunc('hour', %(since)s + interval '1 hour' - interval '1 microsecond', 'UTC') AS first),
     done AS (SELECT max(bucket) + interval '1 hour' AS at FROM collector_outcomehour),
     summed AS (SELECT first, greatest(first, at) AS last FROM whole, done)
SELECT choreography, outcome, sum(count)::bigint FROM (
    SELECT choreography, outcome, count FROM collector_outcomehour
    WHERE bucket >= (SELECT first FROM summed) AND bucket < (SELECT last FROM summed)
    UNION ALL SELECT choreography, outcome, count FROM collector_outcome
    WHERE bucket >= %(since)s AND bucket < (SELECT first FROM summed)
    UNION ALL SELECT choreography, outcome, count FROM collector_outcome
    WHERE bucket >= (SELECT last FROM summed) AND bucket < 'infinity'
) AS pieces GROUP BY 1, 2
"""


@dataclass(frozen=True)
class ChoreographyFigures:
    """Counts since a moment, by when it became known, but for `in_flight`. `conformance`: the share of the ended ones
    that had no deviation when they ended; None where none has."""

    name: str
    declared: bool
    in_flight: int
    started: int = 0
    completed: int = 0
    failed: int = 0
    compensated: int = 0
    abandoned: int = 0
    became_stuck: int = 0
    deviating: int = 0

    @property
    def ended(self) -> int:
        return self.completed + self.failed + self.compensated + self.abandoned

    @property
    def conformance(self) -> float | None:
        return 1 - self.deviating / self.ended if self.declared and self.ended else None


def choreographies(since: datetime, rulebook: RuleBook) -> list[ChoreographyFigures]:
    """The declared ones, and those that transactions were named after; by name. Two queries."""
    in_flight = {name: max(0, count) for name, count in rows(_IN_FLIGHT, {})}
    outcomes: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for name, outcome, count in rows(_OUTCOMES, {"since": since}):
        outcomes[name][outcome] = count
    names = sorted({*rulebook.by_name, *in_flight, *outcomes})[:MOST_CHOREOGRAPHIES]
    return [_figures(name, name in rulebook.by_name, in_flight.get(name, 0), outcomes[name]) for name in names]


def _figures(name: str, declared: bool, in_flight: int, outcomes: dict[str, int]) -> ChoreographyFigures:
    return ChoreographyFigures(
        name=name,
        declared=declared,
        in_flight=in_flight,
        started=outcomes.get("started", 0),
        completed=outcomes.get(Phase.COMPLETED, 0),
        failed=outcomes.get(Phase.FAILED, 0),
        compensated=outcomes.get(Phase.COMPENSATED, 0),
        abandoned=outcomes.get(Phase.ABANDONED, 0),
        became_stuck=outcomes.get("stuck", 0),
        deviating=outcomes.get(DEVIATING, 0),
    )
