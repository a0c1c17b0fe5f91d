"""Transactions as they are stored, and what changes about them: shared by the collector's batches and the sweep.

The order of locks is the same everywhere: progress, transactions by id, and then what their row locks cover. State is
read only after the locks, in statements of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Protocol

import msgspec
from django.db.backends.utils import CursorWrapper

from collector.correlation import lifecycle
from collector.correlation.events import Skeleton, in_order
from collector.correlation.shape import Course, course_of
from collector.correlation.state import Pending, State, StoredState
from collector.storage.context import Context
from collector.storage.sql import array, arrays

_COLUMNS = """id, transaction_id, day, choreography, phase, overdue_since, started_at, last_event_at, ended_at,
    event_count, redelivery_count, partial, oversized, historic, rules, version, abandoned_at, merged_into,
    link_rank, state::text"""

MISSING = """
SELECT v.name FROM unnest(%s::text[]) WITH ORDINALITY AS v(name, at)
WHERE NOT EXISTS (SELECT FROM collector_transaction t WHERE t.transaction_id = v.name) ORDER BY v.at
"""
LOCK_BY_NAME = (
    f"SELECT {_COLUMNS} FROM collector_transaction WHERE transaction_id = ANY(%s::text[]) ORDER BY id FOR UPDATE"
)
_LOCK_BY_ROW = (
    f"SELECT {_COLUMNS} FROM collector_transaction WHERE id = ANY(%s::bigint[]) ORDER BY id FOR UPDATE SKIP LOCKED"
)
_SKELETONS = """
SELECT transaction, source, event_id, type, service, time, record_time, received_at, topic_id, partition, "offset",
       causes::text, trace
FROM collector_event WHERE day = ANY(%s::date[]) AND transaction = ANY(%s::bigint[])
"""

_ONLY = " AND (transaction, source, event_id) IN (SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[]))"

_texts = msgspec.json.Decoder(tuple[str, ...])

WaitingKey = tuple[str, str, str, str, str]
"""Choreography, rule, after, awaited, service."""

OverdueCause = tuple[str, str, bool, datetime, bool]
"""Awaited types, service, whether it is a compensation, the deadline, whether that was learned."""


_NOTHING = StoredState()


class Stored(Protocol):
    """What tells where a transaction's events lie."""

    @property
    def id(self) -> int: ...
    @property
    def day(self) -> date: ...


class Row(msgspec.Struct):
    """A locked row of the transactions' table."""

    id: int
    transaction_id: str
    day: date
    choreography: str
    phase: str
    overdue_since: datetime | None
    started_at: datetime
    last_event_at: datetime
    ended_at: datetime | None
    event_count: int
    redelivery_count: int
    partial: bool
    oversized: bool
    historic: bool
    rules: int
    version: int
    abandoned_at: datetime | None
    merged_into: int | None
    link_rank: int | None
    stored: StoredState
    written: bool = False
    """Its row was written, whole, in this database transaction."""

    @classmethod
    def new(cls, name: str, now: datetime) -> Row:
        """Of a transaction that nothing is stored of; `id` is the database's to give."""
        day = now.date()
        return cls(
            0, name, day, "", "running", None, now, now, None, 0, 0, False, False, False,
            0, 0, None, None, None, _NOTHING,
        )  # fmt: skip

    @property
    def is_new(self) -> bool:
        return self.version == 0

    @property
    def is_open(self) -> bool:
        return self.phase in lifecycle.OPEN


class Change(msgspec.Struct):
    """A judged transaction: the row as it was stored, and its state as it is now."""

    row: Row
    state: State
    event_count: int
    redelivery_count: int
    course: Course | None = None
    """The events that it was judged by; None where there are too many."""

    @property
    def is_open(self) -> bool:
        return self.state.phase in lifecycle.OPEN

    @property
    def alarming(self) -> bool:
        """History and transactions whose beginning was missed are stated, but alarm nobody."""
        return not (self.state.historic or self.state.partial)

    @property
    def causes(self) -> list[OverdueCause]:
        return sorted(_causes(self.state.pending)) if self.state.overdue_since and self.alarming else []

    @property
    def old_causes(self) -> list[OverdueCause]:
        row = self.row
        return sorted(_causes(row.stored.pending)) if row.overdue_since and not (row.historic or row.partial) else []

    @property
    def changed(self) -> bool:
        """Whether pages would show anything else than before."""
        return self.row.is_new or (
            self.event_count != self.row.event_count
            or self.redelivery_count != self.row.redelivery_count
            or self.state.phase != self.row.phase
            or self.state.overdue_since != self.row.overdue_since
            or self.state.pending != self.row.stored.pending
            or self.state.deviations != self.row.stored.deviations
        )

    @property
    def kind(self) -> str | None:
        """What the log of transitions says about it; None where nothing worth an entry happened."""
        if self.row.is_new or self.state.phase != self.row.phase:
            if self.state.overdue_since and self.is_open:
                return "stuck"
            if self.state.phase == "running":
                return "started" if self.row.is_new else "reopened"
            return self.state.phase
        if self.state.overdue_since != self.row.overdue_since or self.causes != self.old_causes:
            return "stuck" if self.state.overdue_since else "recovered"
        return None

    @property
    def announcement(self) -> str | None:
        """What the bus would be told of this change: "failed", "stuck" (again, where the causes are others) or
        "recovered"; None where there is nothing to be told."""
        if self.alarming and self.state.phase == "failed" and self.row.phase != "failed":
            return "failed"
        if self.causes == self.old_causes:
            return None
        return "stuck" if self.causes else "recovered"

    @property
    def effective_at(self) -> datetime:
        if self.state.overdue_since:
            return self.state.overdue_since
        return self.state.ended_at or self.state.last_event_at


def _causes(pending: Iterable[Pending]) -> list[OverdueCause]:
    return [
        (entry.awaited, entry.service, entry.kind == "compensation", entry.deadline, entry.basis == "learned")
        for entry in pending
        if entry.overdue and entry.deadline is not None
    ]


def missing(cursor: CursorWrapper, names: Sequence[str]) -> list[str]:
    """Those of these names that no transaction has, in their order."""
    if not names:
        return []
    cursor.execute(MISSING, [array(names)])
    return [name for (name,) in cursor.fetchall()]


def lock_by_name(cursor: CursorWrapper, names: Sequence[str]) -> list[Row]:
    if not names:
        return []
    cursor.execute(LOCK_BY_NAME, [array(names)])
    return [_row(values) for values in cursor.fetchall()]


def lock_by_row(cursor: CursorWrapper, rows: Sequence[int]) -> list[Row]:
    """Those of these transactions that nobody else holds just now."""
    cursor.execute(_LOCK_BY_ROW, [array(rows)])
    return [_row(values) for values in cursor.fetchall()]


def _row(values: Sequence[Any]) -> Row:
    return Row(*(*values[:-1], StoredState.from_json(values[-1])))


def skeletons(
    cursor: CursorWrapper,
    rows: Sequence[Stored],
    topic_names: dict[int, str],
    only: Sequence[tuple[int, str, str]] | None = None,
) -> dict[int, list[Skeleton]]:
    """The stored events of these transactions, in one query; `only`: those with these (row, source, event id)."""
    found: dict[int, list[Skeleton]] = {row.id: [] for row in rows}
    if not rows:
        return found
    parameters: list[Any] = [array(sorted({row.day for row in rows})), array(row.id for row in rows)]
    if only is None:
        cursor.execute(_SKELETONS, parameters)
    else:
        cursor.execute(_SKELETONS + _ONLY, [*parameters, *arrays(only)])
    for transaction, source, event_id, kind, service, time, record_time, received_at, *place, causes, trace in cursor:
        topic, partition, offset = place
        found[transaction].append(
            Skeleton(
                source,
                event_id,
                kind,
                service,
                time,
                record_time,
                received_at,
                topic_names.get(topic, ""),
                partition,
                offset,
                _causes_of(causes),
                trace,
            )
        )
    return found


def _causes_of(stored: str | None) -> tuple[str, ...]:
    return _texts.decode(stored) if stored else ()


def judge(row: Row, events: Sequence[Skeleton], context: Context, redeliveries: int = 0) -> Change:
    """The transaction's state by all its events, `redeliveries` of them new ones."""
    course = course_of(events)
    state = lifecycle.judge(course, context.rulebook, context.reading, row.abandoned_at)
    return Change(row, state, len(events), row.redelivery_count + redeliveries, course)


def suspend(row: Row, events: Sequence[Skeleton], context: Context, total: int, redeliveries: int) -> Change:
    """The state of a transaction that has grown too large to be judged; `events` need not be all of its `total`."""
    starts, ends = [event.time for event in events], [event.time for event in events]
    if row.oversized:
        starts, ends = [*starts, row.started_at], [*ends, row.last_event_at]
        choreography = row.choreography
    else:
        choreography = context.rulebook.choose(event.type for event in in_order(list(events))).name
    state = lifecycle.oversized(choreography, min(starts), max(ends), row.abandoned_at)
    return Change(row, state, total, row.redelivery_count + redeliveries)


def waiting_differences(changes: Iterable[Change]) -> dict[WaitingKey, int]:
    """By how much the counts of pending responses and of open transactions change."""
    difference: dict[WaitingKey, int] = {}
    for change in changes:
        row, state = change.row, change.state
        if not row.is_new:
            _count(difference, row.choreography, row.is_open, row.stored.pending, -1)
        _count(difference, state.choreography, change.is_open, state.pending, 1)
    return {key: count for key, count in sorted(difference.items()) if count}


def waiting_gone(rows: Iterable[Row]) -> dict[WaitingKey, int]:
    """By how much those counts change when these transactions are forgotten."""
    difference: dict[WaitingKey, int] = {}
    for row in rows:
        _count(difference, row.choreography, row.is_open, row.stored.pending, -1)
    return dict(sorted(difference.items()))


def _count(
    difference: dict[WaitingKey, int], choreography: str, is_open: bool, pending: Iterable[Pending], by: int
) -> None:
    if is_open:
        key = (choreography, "", "", "", "")
        difference[key] = difference.get(key, 0) + by
    for entry in pending:
        key = (choreography, entry.rule, " + ".join(entry.after), entry.awaited, entry.service)
        difference[key] = difference.get(key, 0) + by
