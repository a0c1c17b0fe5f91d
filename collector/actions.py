"""What people may change. Everything else about a transaction follows from its events."""

from __future__ import annotations

from django.db import connection, transaction
from django.utils import timezone

from collector import again, bus, publish
from collector.again import Again, Kind
from collector.correlation.choreography import RuleBook
from collector.models import OPEN_PHASES, Transaction
from collector.storage import context, judgement, linking, saving, totals
from collector.storage.sql import binary_cursor
from collector.storage.tally import Tally

__all__ = [
    "Again",
    "Kind",
    "abandon",
    "claim_transitions",
    "decode_again",
    "open_transactions_of",
    "release_announcements",
]

WRITER = "person"


def abandon(transaction_ids: list[str], who: str, reason: str, rulebook: RuleBook) -> list[str]:
    """Closes open transactions that will never progress; returns the ids of those closed.

    The reason is kept, and browsers are told. Should their events end them after all, that end counts. At most 2,000 at
    a time.
    """
    with transaction.atomic(), binary_cursor() as cursor:
        names = sorted(transaction_ids)[:2_000]
        aliases = linking.roots(cursor, names)
        found = judgement.lock_by_name(cursor, sorted({aliases.get(name, name) for name in names}))
        rows = [row for row in found if row.is_open]
        ids = [row.id for row in rows]
        now = timezone.now()
        Transaction.objects.filter(id__in=ids).update(abandoned_at=now, abandoned_by=who, abandoned_reason=reason)
        for row in rows:
            row.abandoned_at = now
        ctx = context.load(cursor, rulebook)
        judged = [row for row in rows if not row.oversized]
        events = judgement.skeletons(cursor, judged, ctx.topic_names)
        changes = [judgement.judge(row, events[row.id], ctx) for row in judged if events[row.id]]
        changes += [judgement.suspend(row, (), ctx, row.event_count, 0) for row in rows if row.oversized]
        tally = Tally(ctx.now)
        for change in changes:
            tally.count_outcome(change)
        saving.save(cursor, changes, WRITER, ctx.now, rulebook)
        totals.save(cursor, tally, WRITER)
    closed = [row.transaction_id for row in rows]
    publish.send(closed, alerts=bool(closed))
    return closed


def release_announcements(*, discard: bool) -> int:
    """Decides what becomes of the events for the bus that the breaker holds back: they go out after all, or never.
    Returns how many there were."""
    return bus.release(discard=discard)


def decode_again(kind: Kind, rulebook: RuleBook, topic: str = "", most: int = 2_000) -> Again:
    """Decodes undecodable records or uncorrelated events anew, the newest first, and tells browsers what changed.

    Raises KafkaFailure where records have to be looked up in Kafka and it does not answer.
    """
    found = again.run(kind, topic, rulebook, WRITER, most)
    if found.changed:
        publish.send(found.changed, alerts=found.alerts)
    return found


def open_transactions_of(topics: list[int], most: int = 2_000) -> list[str]:
    """Ids of open transactions with an event on one of these topics."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT t.transaction_id FROM collector_transaction t WHERE t.phase = ANY(%s) AND t.ended_at IS NULL
            AND EXISTS (SELECT FROM collector_event e WHERE e.day = t.day AND e.transaction = t.id
                        AND e.topic_id = ANY(%s))
            ORDER BY t.id LIMIT %s
            """,
            [[phase.value for phase in OPEN_PHASES], topics, most],
        )
        return [name for (name,) in cursor.fetchall()]


def claim_transitions(most: int) -> int:
    """Marks transitions that alerts are due for as handled, in the caller's database transaction: they are due again if
    that fails. Returns how many there were."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE collector_transition t SET alert_due = false
            FROM (SELECT id, day FROM collector_transition WHERE alert_due
                  ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED) AS due
            WHERE t.id = due.id AND t.day = due.day
            """,
            [most],
        )
        return cursor.rowcount
