"""Lists of transactions: filtered, newest first, a bounded page at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from collector.correlation.state import Pending, StoredState
from collector.models import OPEN_PHASES, Event, Overdue, Transaction
from collector.queries.bounds import encode_cursor, rows
from collector.queries.filters import STUCK, TransactionFilter

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
    """Newest first. At most three queries."""
    ordered = _indexed(wanted).order_by("-started_at", "-id")
    found = list(_looked_into(ordered, wanted)[: wanted.limit + 1])
    kept = found[: wanted.limit]
    following = encode_cursor(kept[-1].started_at, kept[-1].id) if len(found) > wanted.limit else None
    looked_back_to = None
    if following is None and _needs_looking(wanted):
        last = ordered.values_list("started_at", "id")[LOOKED_AT - 1 : LOOKED_AT]
        for looked_back_to, key in last:
            following = encode_cursor(looked_back_to, key)
    return Page(_with_steps(kept), following, looked_back_to)


def newest(limit: int, status: str = "") -> list[Row]:
    """The newest transactions of a status. Two queries."""
    return page(TransactionFilter(status=status, limit=limit)).items


def _indexed(wanted: TransactionFilter) -> QuerySet[Transaction]:
    """What the indexes on transactions can find."""
    found = Transaction.objects.all()
    if wanted.cursor:
        moment, key = wanted.cursor
        found = found.filter(Q(started_at__lt=moment) | Q(started_at=moment, id__lt=key), started_at__lte=moment)
    if wanted.choreography:
        found = found.filter(choreography=wanted.choreography)
    if wanted.status:
        found = _of_status(found, wanted)
    if wanted.phase:
        found = found.filter(phase=wanted.phase, ended_at__isnull=wanted.phase in OPEN_PHASES)
    if wanted.waiting_for:
        found = found.filter(ended_at=None)
    if wanted.q:
        found = found.filter(transaction_id__startswith=wanted.q)
    if wanted.since:
        found = found.filter(started_at__gte=wanted.since)
    if wanted.until:
        found = found.filter(started_at__lt=wanted.until)
    return found


def _of_status(found: QuerySet[Transaction], wanted: TransactionFilter) -> QuerySet[Transaction]:
    if wanted.status == STUCK:
        overdue = Overdue.objects.values("transaction")
        if wanted.waiting_for:
            overdue = overdue.filter(awaited=wanted.waiting_for)
        return found.filter(ended_at=None, id__in=overdue)
    if wanted.status in OPEN_PHASES:
        return found.filter(phase=wanted.status, ended_at=None, overdue_since=None)
    return found.filter(phase=wanted.status, ended_at__isnull=False)


def _needs_looking(wanted: TransactionFilter) -> bool:
    return bool(wanted.service or wanted.event_type or wanted.min_duration or _waits_unindexed(wanted))


def _waits_unindexed(wanted: TransactionFilter) -> bool:
    return bool(wanted.waiting_for) and wanted.status != STUCK


def _looked_into(ordered: QuerySet[Transaction], wanted: TransactionFilter) -> QuerySet[Transaction]:
    """What no index knows, among the next LOOKED_AT transactions."""
    if not _needs_looking(wanted):
        return ordered
    found = Transaction.objects.filter(id__in=ordered.values("id")[:LOOKED_AT]).order_by("-started_at", "-id")
    if wanted.service or wanted.event_type:
        events = Event.objects.filter(day=OuterRef("day"), transaction=OuterRef("id"))
        if wanted.service:
            events = events.filter(service=wanted.service)
        if wanted.event_type:
            events = events.filter(type=wanted.event_type)
        found = found.filter(Exists(events))
    if wanted.min_duration:
        found = found.filter(ended_at__gte=F("started_at") + wanted.min_duration)
    if _waits_unindexed(wanted):
        expect = [name.strip() for name in wanted.waiting_for.split(" or ")]
        found = found.filter(state__contains={"pending": [{"expect": expect}]})
    return found


_STEPS = f"""
SELECT wanted.id, step.type, step.service
FROM unnest(%(days)s::date[], %(ids)s::bigint[]) AS wanted (day, id)
CROSS JOIN LATERAL (
    SELECT type, service, time FROM collector_event e
    WHERE e.day = wanted.day AND e.transaction = wanted.id
    ORDER BY time, record_time, topic_id, partition, "offset" LIMIT {STEPS}) AS step
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
