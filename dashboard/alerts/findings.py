"""What is not well just now, as findings: one per cause, whatever it was found by."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from collector import queries
from collector.health.liveness import Trouble
from collector.queries import evidence, unusual
from collector.queries.evidence import Evidence
from collector.queries.overdue import OverdueCause, overdue_causes
from dashboard.alerts.models import Alert

Kind = Alert.Kind
LEARNED = "a learned deadline"
"""What alerts name that go by one."""
Key = tuple[str, str, str, str, str]
"""Kind, choreography, awaited types, service, subject."""

SELDOM = (
    Kind.FAILED,
    Kind.LOOP,
    Kind.FAN_OUT,
    Kind.DEAD_LETTERS,
    Kind.INGESTION_GAP,
    Kind.UNDECODABLE,
    Kind.COVERAGE,
    Kind.BUS_HELD,
)
"""What is looked for every few seconds only."""
UNUSUAL = (Kind.DEVIATING, Kind.SLOW)
"""What is looked for twice a minute."""
WELL = (*Alert.READING, Kind.SWEEP_LATE)


@dataclass(frozen=True)
class Finding:
    """`count` of `total`; `alarming`: grave enough to raise an alert, not only to keep one."""

    kind: str
    since: datetime
    choreography: str = ""
    awaited: str = ""
    service: str = ""
    subject: str = ""
    names: str = ""
    count: int = 0
    total: int = 0
    impact: float | None = None
    alarming: bool = True
    said: str = ""

    @property
    def key(self) -> Key:
        return (self.kind, self.choreography, self.awaited, self.service, self.subject)

    @property
    def share(self) -> float:
        return self.count / self.total if self.total else 1.0


def overdue(*, with_impact: bool) -> list[Finding]:
    return [_overdue(cause) for cause in overdue_causes(with_impact=with_impact)]


def _overdue(cause: OverdueCause) -> Finding:
    return Finding(
        kind=Kind.STUCK_COMPENSATING if cause.compensation else Kind.STUCK,
        since=cause.since,
        choreography=cause.choreography,
        awaited=cause.awaited,
        service=cause.service,
        names=LEARNED if cause.learned else "",
        count=cause.count,
        impact=cause.impact,
    )


def silent(waiting: Iterable[Finding], now: datetime) -> list[Finding]:
    """Services that owe something overdue, and of which nothing at all has been heard lately."""
    owed: dict[str, int] = {}
    for finding in waiting:
        if finding.service:
            owed[finding.service] = owed.get(finding.service, 0) + finding.count
    return [
        Finding(Kind.SERVICE_SILENT, found.since, service=found.about, count=owed[found.about])
        for found in evidence.silent(sorted(owed), now)
    ]


def reading(found: queries.Readiness, now: datetime) -> Iterator[Finding]:
    for trouble in found.liveness.troubles:
        if trouble.kind in Alert.READING:
            yield _trouble(trouble, now)
    late = next((part for part in found.parts if part.name == "sweep" and not part.ok), None)
    if late:
        yield Finding(Kind.SWEEP_LATE, found.swept_at or now, said=late.sentence)


def _trouble(trouble: Trouble, now: datetime) -> Finding:
    return Finding(
        kind=trouble.kind,
        since=trouble.since or now,
        subject=trouble.subject,
        names=trouble.names,
        alarming=trouble.alarming,
        said=trouble.sentence,
    )


def seldom(now: datetime, *, publishes: bool) -> Iterator[Finding]:
    """Seven queries, and two where something goes back on the bus."""
    breaking = queries.breaking() if publishes else None
    if breaking and breaking.tripped_at:
        yield Finding(Kind.BUS_HELD, breaking.tripped_at, count=breaking.waiting)
    yield from (_of(Kind.FAILED, found, "choreography") for found in evidence.failed(now))
    for kind, found in evidence.runaway(now):
        yield replace(_of(Kind.LOOP if kind == "loop" else Kind.FAN_OUT, found, "choreography"), names=found.words)
    yield from (_of(Kind.DEAD_LETTERS, found, "subject") for found in evidence.set_aside(now))
    yield from (_of(Kind.INGESTION_GAP, found, "subject") for found in evidence.gaps(now))
    yield from (_of(Kind.UNDECODABLE, found, "subject") for found in evidence.undecodable(now))
    covered = queries.coverage(now)
    before = evidence.used_to_correlate(now)
    yield from (_uncovered(row, covered.since) for row in covered.rows if _fell(row, before))


def unlike_usual(now: datetime, declared: Collection[str]) -> Iterator[Finding]:
    """Four queries, and one for each choreography that deviates from its rules."""
    yield from (_of(Kind.DEVIATING, found, "choreography") for found in unusual.deviating(now, declared))
    yield from (_of(Kind.SLOW, found, "choreography") for found in unusual.slow(now))


def _of(kind: str, found: Evidence, about: str) -> Finding:
    where = {about: found.about}
    return Finding(kind, found.since, names=found.words, count=found.count, total=found.total, **where)  # type: ignore[arg-type]


def _fell(row: queries.Covered, before: Collection[tuple[str, str]]) -> bool:
    """What never named a transaction is no news."""
    return row.uncorrelated > 0 and (row.topic, row.service) in before


def _uncovered(row: queries.Covered, since: datetime) -> Finding:
    return Finding(
        kind=Kind.COVERAGE,
        since=since,
        subject=row.topic,
        service=row.service,
        count=row.uncorrelated,
        total=row.correlated + row.uncorrelated,
    )
