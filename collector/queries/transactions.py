"""Lists of transactions: filtered, newest first, a bounded page at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Q, QuerySet

from collector.correlation.state import Pending, StoredState
from collector.models import OPEN_PHASES, Overdue, Transaction
from collector.queries import fitting, keys, ways
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


@dataclass(frozen=True)
class Page:
    """`next` continues the list. `looked_back_to`: an incomplete page, because LOOKED_AT transactions were looked into;
    it reaches back to that moment, and `next` looks on from there."""

    items: list[Row]
    next: str | None
    looked_back_to: datetime | None = None


def page(wanted: TransactionFilter) -> Page:
    """Newest first. Two queries, three for a search; one or two more where transactions have to be looked into, three
    for a way that they went; these twice where few of the latest went it."""
    ordered = _indexed(wanted).order_by("-started_at", "-id")
    looking = fitting.is_needed(wanted)
    found = _fitting(ordered, wanted) if looking else list(ordered[: wanted.limit + 1])
    kept = found[: wanted.limit]
    if len(found) > wanted.limit:
        return Page(_with_steps(kept), encode_cursor(kept[-1].started_at, kept[-1].id))
    last = ordered.values_list("started_at", "id")[LOOKED_AT - 1 : LOOKED_AT] if looking else ()
    for started_at, key in last:
        return Page(_with_steps(kept), encode_cursor(started_at, key), started_at)
    return Page(_with_steps(kept), None)


def _fitting(ordered: QuerySet[Transaction], wanted: TransactionFilter) -> list[Transaction]:
    """Of the newest LOOKED_AT; of fewer, where those are enough that went a way."""
    ids: list[int] = []
    for most in (LOOKED_AT // 5, LOOKED_AT) if fitting.went(wanted) else (LOOKED_AT,):
        ids = fitting.fitting(ordered[:most], wanted)
        if len(ids) > wanted.limit:
            break
    return list(Transaction.objects.filter(id__in=ids).order_by("-started_at", "-id"))


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
    if wanted.waiting_for or wanted.awaited_from:
        found = found.filter(ended_at=None)
    if wanted.since:
        found = found.filter(started_at__gte=wanted.since)
    if wanted.until:
        found = found.filter(started_at__lt=wanted.until)
    if fitting.went(wanted):
        found = found.filter(ways.began(wanted.choreography, wanted.variant, fitting.step(wanted)))
    return found


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
        if wanted.awaited_from:
            overdue = overdue.filter(service=wanted.awaited_from)
        return found.filter(id__in=overdue)
    if wanted.status in OPEN_PHASES:
        return found.filter(ended_at=None)
    return found.filter(phase=wanted.status, ended_at__isnull=False, overdue_since=None)


# Told which days there are, PostgreSQL does not plan for all the others.
_STEPS = f"""
SELECT wanted.id, step.type, step.service
FROM unnest(%(days)s::date[], %(ids)s::bigint[]) AS wanted (day, id)
CROSS JOIN LATERAL (
    SELECT type, service, time FROM collector_event e
    WHERE e.day = ANY (%(on)s::date[]) AND e.day = wanted.day AND e.transaction = wanted.id
    ORDER BY time, record_time, topic_id, partition, "offset", event_id, source LIMIT {STEPS}) AS step
"""


def _with_steps(found: Sequence[Transaction]) -> list[Row]:
    """One query. An oversized transaction's events are not sorted for a list: it comes without steps."""
    small = [transaction for transaction in found if not transaction.oversized]
    steps: dict[int, list[Step]] = defaultdict(list)
    if small:
        days: list[date] = [transaction.day for transaction in small]
        wanted = {"days": days, "ids": [transaction.id for transaction in small], "on": sorted(set(days))}
        for key, name, service in rows(_STEPS, wanted):
            steps[key].append(Step(name, service))
    return [
        Row(transaction, tuple(steps[transaction.id]), StoredState.from_json(transaction.state).pending)
        for transaction in found
    ]
