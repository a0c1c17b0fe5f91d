"""The statements that write judged transactions: rows, deadlines, overdue causes, transitions and counts.

Executed with the transactions' rows locked; every table is written by one statement, whatever the number of changes.
They are worked out first, so that a batch can do that while the database is busy with something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.backends.utils import CursorWrapper

from collector.correlation.choreography import RuleBook
from collector.storage import unmined
from collector.storage.judgement import Change, Row, WaitingKey, waiting_differences, waiting_gone
from collector.storage.sql import Statement, array, arrays, run, text

_STATE = """choreography, phase, overdue_since, started_at, last_event_at, ended_at, ended_by, event_count,
    redelivery_count, partial, oversized, historic, state"""
_STATES = """%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[],
    %s::text[], %s::int[], %s::int[], %s::bool[], %s::bool[], %s::bool[], %s::text[]"""
# In the order of their names, so that collectors which meet here cannot deadlock. Whole at once: a row that was only a
# placeholder first would be written, and entered into every index, twice.
INSERT_TRANSACTIONS = f"""
INSERT INTO collector_transaction (failed_delivery_count, abandoned_by, abandoned_reason, version, rules, first_seen_at,
    day, transaction_id, {_STATE})
SELECT 0, '', '', 1, %s, %s, %s, transaction_id, {_STATE.removesuffix("state")} state::jsonb
FROM unnest(%s::text[], {_STATES}) AS v(transaction_id, {_STATE})
ORDER BY transaction_id COLLATE "C" ON CONFLICT (transaction_id) DO NOTHING RETURNING id, transaction_id
"""
UPDATE_TRANSACTIONS = f"""
UPDATE collector_transaction t SET
    choreography = v.choreography, phase = v.phase, overdue_since = v.overdue_since, started_at = v.started_at,
    last_event_at = v.last_event_at, ended_at = v.ended_at, ended_by = v.ended_by, event_count = v.event_count,
    redelivery_count = v.redelivery_count, partial = v.partial, oversized = v.oversized, historic = v.historic,
    rules = %s, version = t.version + 1, state = v.state::jsonb
FROM unnest(%s::bigint[], {_STATES}) AS v(id, {_STATE})
WHERE t.id = v.id
"""
# Only ever to an earlier moment: the sweep re-checks what it finds due and postpones it.
DEADLINES = """
INSERT INTO collector_deadline AS d (transaction, due_at)
SELECT * FROM unnest(%s::bigint[], %s::timestamptz[]) ON CONFLICT (transaction) DO UPDATE
SET due_at = EXCLUDED.due_at WHERE d.due_at > EXCLUDED.due_at
"""
NO_DEADLINES = "DELETE FROM collector_deadline WHERE transaction = ANY(%s::bigint[])"
_NO_TRANSACTIONS = "DELETE FROM collector_transaction WHERE id = ANY(%s::bigint[])"
_NOT_OVERDUE = "DELETE FROM collector_overdue WHERE transaction = ANY(%s::bigint[])"
_OVERDUE = """
INSERT INTO collector_overdue (transaction, choreography, awaited, service, compensation, since, learned)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::bool[], %s::timestamptz[], %s::bool[])
"""
TRANSITIONS = """
INSERT INTO collector_transition
    (day, transaction, at, effective_at, kind, phase, overdue_since, detail, alert_due, bus_due)
SELECT day, transaction, %s, effective_at, kind, phase, overdue_since, detail::jsonb, alert_due, bus_due
FROM unnest(%s::date[], %s::bigint[], %s::timestamptz[], %s::text[], %s::text[], %s::timestamptz[], %s::text[],
    %s::bool[], %s::bool[]) AS v(day, transaction, effective_at, kind, phase, overdue_since, detail, alert_due, bus_due)
"""
_WAITING = """
INSERT INTO collector_waiting AS w (writer, choreography, rule, after, awaited, service, count)
SELECT %s, * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[])
ON CONFLICT (choreography, rule, after, awaited, service, writer) DO UPDATE SET count = w.count + EXCLUDED.count
"""


def save(cursor: CursorWrapper, changes: Sequence[Change], writer: str, now: datetime, rulebook: RuleBook) -> None:
    """Writes everything about these transactions but their events; the rows of new ones are there already."""
    run(cursor, statements(changes, writer, now, rulebook))


def statements(changes: Sequence[Change], writer: str, now: datetime, rulebook: RuleBook) -> list[Statement]:
    """What `save` executes."""
    noted = [c.row.id for c in changes if c.changed or c.state.choreography != c.row.choreography]
    return [
        *_transactions(changes, rulebook.version),
        *_deadlines(changes),
        *_overdue(changes),
        *_transitions(changes, now, announces=rulebook.announces),
        *_waiting(waiting_differences(changes), writer),
        *unmined.noting(noted),
    ]


def states(changes: Sequence[Change]) -> list[str]:
    """New transactions as `insert` takes them; empty for none."""
    return arrays((change.row.transaction_id, *_state(change)) for change in changes) if changes else []


def insert(cursor: CursorWrapper, states: list[str], now: datetime, rules: int) -> dict[str, int]:
    """Writes the rows of new transactions, given in the order of their names. The ids of those that nobody else wrote
    meanwhile, by name."""
    if not states:
        return {}
    cursor.execute(INSERT_TRANSACTIONS, [rules, now, now.date(), *states])
    return {name: row for row, name in cursor.fetchall()}


def _transactions(changes: Sequence[Change], rules: int) -> Iterator[Statement]:
    rows = [(change.row.id, *_state(change)) for change in changes if not change.row.written]
    if rows:
        yield UPDATE_TRANSACTIONS, [rules, *arrays(rows)]


def _state(change: Change) -> tuple[Any, ...]:
    """What `_STATE` names."""
    state = change.state
    return (
        state.choreography,
        state.phase,
        state.overdue_since,
        state.started_at,
        state.last_event_at,
        state.ended_at,
        state.ended_by,
        change.event_count,
        change.redelivery_count,
        state.partial,
        state.oversized,
        state.historic,
        text(state.to_json()),
    )


def _deadlines(changes: Sequence[Change]) -> Iterator[Statement]:
    due = [(change.row.id, change.state.next_check) for change in changes if change.state.next_check]
    if due:
        yield DEADLINES, arrays(due)
    done = [change.row.id for change in changes if change.state.next_check is None and not change.row.is_new]
    if done:
        yield NO_DEADLINES, [array(done)]


def _overdue(changes: Sequence[Change]) -> Iterator[Statement]:
    changed = [change for change in changes if change.causes != change.old_causes]
    if gone := [change.row.id for change in changed if change.old_causes]:
        yield _NOT_OVERDUE, [array(gone)]
    found = [(change.row.id, change.state.choreography, *cause) for change in changed for cause in change.causes]
    if found:
        yield _OVERDUE, arrays(found)


def _transitions(changes: Sequence[Change], now: datetime, *, announces: bool) -> Iterator[Statement]:
    rows = [
        (
            change.row.day,
            change.row.id,
            change.effective_at,
            kind,
            change.state.phase,
            change.state.overdue_since,
            text(_detail(change, announcement)),
            change.causes != change.old_causes,
            announcement is not None,
        )
        for change in changes
        for kind, announcement in ((change.kind, change.announcement if announces else None),)
        if kind is not None
    ]
    if rows:
        yield TRANSITIONS, [now, *arrays(rows)]


def _detail(change: Change, announcement: str | None) -> dict[str, Any]:
    """What a transition says besides its phase: what is overdue, and what was until now; what the bus is told of it."""
    detail: dict[str, Any] = {}
    if change.causes:
        detail["overdue"] = [
            {"awaited": awaited, "from": service, "since": since.isoformat(), **({"learned": True} if learned else {})}
            for awaited, service, _, since, learned in change.causes
        ]
    if change.row.overdue_since and not change.state.overdue_since:
        detail["was_overdue_since"] = change.row.overdue_since.isoformat()
    if announcement:
        detail["announcement"] = announcement
    return detail


def absorb(
    cursor: CursorWrapper, merged: Sequence[tuple[Row, Row]], changes: Sequence[Change], writer: str, now: datetime
) -> None:
    """Takes rows that have become aliases out of all counts, and notes it in the log of those that took what they had.
    What comes later in that log is what was known of these."""
    if not merged:
        return
    ids = array(row.id for row, _ in merged)
    for statement in (NO_DEADLINES, _NOT_OVERDUE):
        cursor.execute(statement, [ids])
    run(cursor, _waiting(waiting_gone(row for row, _ in merged if not row.is_new), writer))
    unmined.note(cursor, {row.id for pair in merged for row in pair})
    states = {change.row.id: change for change in changes}
    rows = [
        (
            into.day,
            into.id,
            change.effective_at,
            "merged",
            change.state.phase,
            change.state.overdue_since,
            text({"id": row.transaction_id}),
            row.overdue_since is not None,
            False,
        )
        for row, into in merged
        for change in (states[into.id],)
        if not row.is_new
    ]
    if rows:
        cursor.execute(TRANSITIONS, [now, *arrays(rows)])


def forget(cursor: CursorWrapper, rows: Sequence[Row], writer: str, now: datetime) -> None:
    """Drops these locked transactions, and what is counted of them; their events go with their day."""
    ids = array(row.id for row in rows)
    for statement in (NO_DEADLINES, _NOT_OVERDUE, _NO_TRANSACTIONS):
        cursor.execute(statement, [ids])
    # alerts count what is overdue: they are told. Not on the transaction's own day, which goes as well
    told = [
        (now.date(), row.id, now, "forgotten", row.phase, None, "{}", True, False) for row in rows if row.overdue_since
    ]
    if told:
        cursor.execute(TRANSITIONS, [now, *arrays(told)])
    run(cursor, _waiting(waiting_gone(rows), writer))
    unmined.forget(cursor, (row.id for row in rows))


def _waiting(differences: Mapping[WaitingKey, int], writer: str) -> Iterator[Statement]:
    if differences:
        yield _WAITING, [writer, *arrays((*key, count) for key, count in differences.items())]
