"""Which of the latest transactions fit in what no index knows: their events, how long they took, what they wait for,
and how they went."""

from __future__ import annotations

from typing import Any

import msgspec
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from collector.models import OPEN_PHASES, Transaction
from collector.queries import ways
from collector.queries.filters import STUCK, TransactionFilter

_COLUMNS = ("id", "day", "started_at", "ended_at", "phase", "overdue_since", "state")
# Looked into in their order, and no further than is wanted. Lateral, so that each transaction's own events are looked
# at by their key: joined, whole days of events would be.
_FITTING = """
SELECT t.id FROM ({candidates}) AS t {event} WHERE {fits} ORDER BY t.started_at DESC, t.id DESC LIMIT %s
"""
_EVENT = """CROSS JOIN LATERAL (
    SELECT FROM collector_event e WHERE e.day = t.day AND e.transaction = t.id {fits} LIMIT 1) AS event"""


def is_needed(wanted: TransactionFilter) -> bool:
    """Whether transactions have to be looked into."""
    return bool(
        wanted.service
        or wanted.event_type
        or wanted.min_duration
        or went(wanted)
        or wanted.status in OPEN_PHASES
        or wanted.phase in OPEN_PHASES
        or _waits(wanted)
    )


def went(wanted: TransactionFilter) -> bool:
    """Whether it is asked for by what was mined."""
    return bool(wanted.directly_after) or wanted.variant is not None


def step(wanted: TransactionFilter) -> tuple[str, str] | None:
    return (wanted.directly_after, wanted.event_type) if wanted.directly_after else None


def fitting(candidates: QuerySet[Transaction], wanted: TransactionFilter) -> list[int]:
    """Of these, in their order: `limit` of them and one more. One query, and two or three for how they went."""
    by_way = went(wanted)
    found = _looked_into(candidates, wanted, None if by_way else wanted.limit + 1)
    return ways.gone(found, wanted.variant, step(wanted))[: wanted.limit + 1] if by_way else found


def _looked_into(candidates: QuerySet[Transaction], wanted: TransactionFilter, most: int | None) -> list[int]:
    try:
        sql, parameters = candidates.values_list(*_COLUMNS).query.sql_with_params()
    except EmptyResultSet:
        return []
    event, of_event = _event(wanted)
    fits, of_fits = _fits(wanted)
    statement = _FITTING.format(candidates=sql, event=event, fits=fits)
    with connection.cursor() as cursor:
        cursor.execute(statement, [*parameters, *of_event, *of_fits, most])
        return [key for (key,) in cursor.fetchall()]


def _event(wanted: TransactionFilter) -> tuple[str, list[str]]:
    """What its events are joined by, where they matter."""
    by_type = wanted.event_type and not wanted.directly_after
    fits = {"AND e.type = %s": wanted.event_type if by_type else "", "AND e.service = %s": wanted.service}
    asked = {condition: value for condition, value in fits.items() if value}
    return (_EVENT.format(fits=" ".join(asked)) if asked else "", list(asked.values()))


def _fits(wanted: TransactionFilter) -> tuple[str, list[Any]]:
    """Conditions on the transaction itself."""
    fits: dict[str, Any] = {}
    if wanted.status in OPEN_PHASES:
        fits["t.overdue_since IS NULL AND t.phase = %s"] = wanted.status
    if wanted.phase in OPEN_PHASES:
        fits["t.phase = %s"] = wanted.phase
    if wanted.min_duration:
        fits["t.ended_at - t.started_at >= %s"] = wanted.min_duration
    if _waits(wanted):
        fits["t.state @> %s::jsonb"] = msgspec.json.encode({"pending": [_awaited(wanted)]}).decode()
    return (" AND ".join(fits) or "true", list(fits.values()))


def _waits(wanted: TransactionFilter) -> bool:
    """Whether it is asked for by what is awaited short of being overdue."""
    return bool(wanted.waiting_for or wanted.awaited_from) and wanted.status != STUCK


def _awaited(wanted: TransactionFilter) -> dict[str, Any]:
    """What one of its pending responses has to hold."""
    held: dict[str, Any] = {}
    if wanted.waiting_for:
        held["expect"] = [name.strip() for name in wanted.waiting_for.split(" or ")]
    if wanted.awaited_from:
        held["service"] = wanted.awaited_from
    return held
