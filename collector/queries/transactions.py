"""Lists of transactions: filtered, newest first, a bounded page at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

import msgspec
from django.db.models import Q, QuerySet

from collector.correlation.state import Pending, StoredState
from collector.models import OPEN_PHASES, Overdue, Transaction
from collector.queries import keys, ways
from collector.queries.bounds import encode_cursor, rows
from collector.queries.filters import MOST_ROWS, STUCK, TransactionFilter

LOOKED_AT = 5_000
"""How many transactions one page looks into for what no index knows (their events, what they wait for)."""
STEPS = 12


@dataclass(frozen=True)
class Step:
    type: str
    service: str


@dataclass(frozen=True)
class Row:
    """A transaction with its first STEPS events, in event order, and what it waits for."""

    transaction: Transaction
    steps: tuple[Step, ...]
    pending: tuple[Pending, ...]

    @property
    def more_steps(self) -> int:
        return max(0, self.transaction.event_count - len(self.steps))


class Candidate(NamedTuple):
    """What is read of a transaction to see whether it fits."""

    id: int
    day: date
    started_at: datetime
    ended_at: datetime | None
    phase: str
    overdue_since: datetime | None


@dataclass(frozen=True)
class Page:
    """`next` continues the list. `looked_back_to`: an incomplete page, because LOOKED_AT transactions were looked into;
    it reaches back to that moment, and `next` looks on from there."""

    items: list[Row]
    next: str | None
    looked_back_to: datetime | None = None


def page(wanted: TransactionFilter) -> Page:
    """Newest first. Two queries, three for a search; three more where transactions have to be looked into, another
    three for a way that they went; these twice where few of the latest fit."""
    ordered = _indexed(wanted).order_by("-started_at", "-id")
    if not _needs_looking(wanted):
        found = list(ordered[: wanted.limit + 1])
        kept = found[: wanted.limit]
        following = encode_cursor(kept[-1].started_at, kept[-1].id) if len(found) > wanted.limit else None
        return Page(_with_steps(kept), following)
    for most in (LOOKED_AT // 5, LOOKED_AT):
        candidates = [Candidate(*row) for row in ordered.values_list(*Candidate._fields)[:most]]
        found = _looked_into(candidates, wanted)
        if len(found) > wanted.limit or len(candidates) < most:
            break
    kept = found[: wanted.limit]
    if len(found) > wanted.limit:
        return Page(_with_steps(kept), encode_cursor(kept[-1].started_at, kept[-1].id))
    if len(candidates) < LOOKED_AT:
        return Page(_with_steps(kept), None)
    last = candidates[-1]
    return Page(_with_steps(kept), encode_cursor(last.started_at, last.id), last.started_at)


def newest(limit: int, status: str = "", since: datetime | None = None, until: datetime | None = None) -> list[Row]:
    """The newest transactions of a status, of those that began within a range. Two queries."""
    return page(TransactionFilter(status=status, limit=limit, since=since, until=until)).items


def listed(ids: Sequence[int]) -> list[Row]:
    """These transactions as they are now, in this order; those that are gone are left out. Two queries."""
    found = {transaction.id: transaction for transaction in Transaction.objects.filter(id__in=ids[:MOST_ROWS])}
    return _with_steps([found[key] for key in ids if key in found])


def _indexed(wanted: TransactionFilter) -> QuerySet[Transaction]:
    """What the indexes on transactions can find."""
    found = _searched(Transaction.objects.all(), wanted)
    if wanted.cursor:
        moment, key = wanted.cursor
        found = found.filter(Q(started_at__lt=moment) | Q(started_at=moment, id__lt=key), started_at__lte=moment)
    if wanted.choreography:
        found = found.filter(choreography=wanted.choreography)
    if wanted.status:
        found = _of_status(found, wanted)
    if wanted.phase in OPEN_PHASES:
        found = found.filter(ended_at=None)
    elif wanted.phase:
        found = found.filter(phase=wanted.phase, ended_at__isnull=False)
    if wanted.waiting_for:
        found = found.filter(ended_at=None)
    if wanted.since:
        found = found.filter(started_at__gte=wanted.since)
    if wanted.until:
        found = found.filter(started_at__lt=wanted.until)
    if _went(wanted):
        found = found.filter(ways.began(wanted.choreography, wanted.variant, _step(wanted)))
    return found


def _went(wanted: TransactionFilter) -> bool:
    """Whether it is asked for by what was mined."""
    return bool(wanted.directly_after) or wanted.variant is not None


def _step(wanted: TransactionFilter) -> tuple[str, str] | None:
    return (wanted.directly_after, wanted.event_type) if wanted.directly_after else None


def _searched(found: QuerySet[Transaction], wanted: TransactionFilter) -> QuerySet[Transaction]:
    if wanted.key:
        found = found.filter(id__in=keys.of_key(wanted.key).values("transaction"))
    if wanted.q:
        # apart, since no index serves a condition on two tables
        found = found.filter(Q(transaction_id__startswith=wanted.q) | Q(id__in=keys.transactions_with(wanted.q)))
    return found


def _of_status(found: QuerySet[Transaction], wanted: TransactionFilter) -> QuerySet[Transaction]:
    if wanted.status == STUCK:
        overdue = Overdue.objects.values("transaction")
        if wanted.waiting_for:
            overdue = overdue.filter(awaited=wanted.waiting_for)
        return found.filter(id__in=overdue)
    if wanted.status in OPEN_PHASES:
        return found.filter(ended_at=None)
    return found.filter(phase=wanted.status, ended_at__isnull=False, overdue_since=None)


def _needs_looking(wanted: TransactionFilter) -> bool:
    """No index knows events, durations, what is awaited short of being overdue, and how open ones stand."""
    return bool(
        wanted.service
        or wanted.event_type
        or wanted.min_duration
        or _went(wanted)
        or wanted.status in OPEN_PHASES
        or wanted.phase in OPEN_PHASES
        or _waits_unindexed(wanted)
    )


def _waits_unindexed(wanted: TransactionFilter) -> bool:
    return bool(wanted.waiting_for) and wanted.status != STUCK


def _looked_into(candidates: Sequence[Candidate], wanted: TransactionFilter) -> list[Transaction]:
    """Those of the candidates that fit in what no index knows: `limit` of them and one more. Two or three queries."""
    fitting = [candidate for candidate in candidates if _fits(candidate, wanted)]
    ids = [candidate.id for candidate in fitting]
    if _went(wanted):
        went = set(ways.gone(ids, wanted.variant, _step(wanted)))
        fitting = [candidate for candidate in fitting if candidate.id in went]
        ids = [candidate.id for candidate in fitting]
    if wanted.service or (wanted.event_type and not wanted.directly_after):
        ids = _with_event(fitting, wanted)
    if _waits_unindexed(wanted):
        expect = [name.strip() for name in wanted.waiting_for.split(" or ")]
        pending = msgspec.json.encode({"pending": [{"expect": expect}]}).decode()
        ids = [key for (key,) in rows(_WAITING_FOR, {"ids": ids, "pending": pending, "most": wanted.limit + 1})]
    return list(Transaction.objects.filter(id__in=ids[: wanted.limit + 1]).order_by("-started_at", "-id"))


def _fits(candidate: Candidate, wanted: TransactionFilter) -> bool:
    if wanted.status in OPEN_PHASES and (candidate.phase != wanted.status or candidate.overdue_since):
        return False
    if wanted.phase in OPEN_PHASES and candidate.phase != wanted.phase:
        return False
    if wanted.min_duration:
        return candidate.ended_at is not None and candidate.ended_at - candidate.started_at >= wanted.min_duration
    return True


# The ids as one array: thousands of parameters take longer to write down than to look for.
_WAITING_FOR = """
SELECT wanted.id FROM unnest(%(ids)s::bigint[]) WITH ORDINALITY AS wanted (id, place)
JOIN collector_transaction t ON t.id = wanted.id AND t.merged_into IS NULL
WHERE t.state @> %(pending)s::jsonb ORDER BY place LIMIT %(most)s
"""
# Lateral, so that each transaction's own events are looked at by their key: joined, whole days of events would be.
_WITH_EVENT = """
SELECT wanted.id FROM unnest(%(days)s::date[], %(ids)s::bigint[]) WITH ORDINALITY AS wanted (day, id, place)
CROSS JOIN LATERAL (
    SELECT 1 FROM collector_event e
    WHERE e.day = wanted.day AND e.transaction = wanted.id
      AND (%(type)s = '' OR e.type = %(type)s) AND (%(service)s = '' OR e.service = %(service)s) LIMIT 1) AS event
ORDER BY place LIMIT %(most)s
"""


def _with_event(candidates: Sequence[Candidate], wanted: TransactionFilter) -> list[int]:
    """Those with an event of the type, from the service; no more than are wanted where that is all there is to look at.
    One query."""
    parameters = {
        "days": [candidate.day for candidate in candidates],
        "ids": [candidate.id for candidate in candidates],
        "type": wanted.event_type,
        "service": wanted.service,
        "most": None if _waits_unindexed(wanted) else wanted.limit + 1,
    }
    return [key for (key,) in rows(_WITH_EVENT, parameters)]


_STEPS = f"""
SELECT wanted.id, step.type, step.service
FROM unnest(%(days)s::date[], %(ids)s::bigint[]) AS wanted (day, id)
CROSS JOIN LATERAL (
    SELECT type, service, time FROM collector_event e
    WHERE e.day = wanted.day AND e.transaction = wanted.id
    ORDER BY time, record_time, topic_id, partition, "offset", event_id, source LIMIT {STEPS}) AS step
"""


def _with_steps(found: Sequence[Transaction]) -> list[Row]:
    """One query. An oversized transaction's events are not sorted for a list: it comes without steps."""
    small = [transaction for transaction in found if not transaction.oversized]
    steps: dict[int, list[Step]] = defaultdict(list)
    if small:
        days: list[date] = [transaction.day for transaction in small]
        for key, name, service in rows(_STEPS, {"days": days, "ids": [transaction.id for transaction in small]}):
            steps[key].append(Step(name, service))
    return [
        Row(transaction, tuple(steps[transaction.id]), StoredState.from_json(transaction.state).pending)
        for transaction in found
    ]
