"""Lets what was read before, and could not be understood then, into its transactions: exactly once.

A row of the undecodable records or uncorrelated events goes in the same database transaction in which its event comes.
The order of locks is that of a batch: progress, transactions. Holding the progress of a partition, nobody else stores
what lies on it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from datetime import date

import msgspec
from django.db import transaction
from django.db.backends.utils import CursorWrapper

from collector.correlation.choreography import RuleBook
from collector.decoding import Event
from collector.records import Record
from collector.storage import linking
from collector.storage.arriving import Arriving
from collector.storage.batch import Batch, Written
from collector.storage.memory import Memory
from collector.storage.sql import array, arrays, binary_cursor

_LOCK_PROGRESS = """
SELECT p.topic_id, p.partition FROM collector_progress p
JOIN (SELECT DISTINCT * FROM unnest(%s::bigint[], %s::int[])) AS v(topic_id, partition) USING (topic_id, partition)
ORDER BY p.topic_id, p.partition FOR UPDATE OF p
"""
_TAKE_UNDECODABLE = """
DELETE FROM collector_undecodable t USING unnest(%s::date[], %s::bigint[], %s::int[], %s::bigint[], %s::int[])
    AS v(day, topic_id, partition, start, position)
WHERE t.day = v.day AND t.topic_id = v.topic_id AND t.partition = v.partition AND t."offset" = v.start
RETURNING t.topic_id, t.partition, t."offset", 0
"""
_TAKE_UNCORRELATED = """
DELETE FROM collector_uncorrelated t USING unnest(%s::date[], %s::bigint[], %s::int[], %s::bigint[], %s::int[])
    AS v(day, topic_id, partition, start, position)
WHERE t.day = v.day AND t.topic_id = v.topic_id AND t.partition = v.partition AND t."offset" = v.start
  AND t.position = v.position
RETURNING t.topic_id, t.partition, t."offset", t.position::int
"""
_STORED = """
SELECT e.topic_id, e.partition, e."offset", e.source, e.event_id FROM collector_transaction t
JOIN collector_event e ON e.day = t.day AND e.transaction = t.id
JOIN unnest(%s::bigint[], %s::int[], %s::bigint[]) AS v(topic_id, partition, start)
  ON e.topic_id = v.topic_id AND e.partition = v.partition AND e."offset" = v.start
WHERE t.transaction_id = ANY(%s::text[])
UNION ALL
SELECT u.topic_id, u.partition, u."offset", u.source, u.event_id FROM collector_uncorrelated u
JOIN unnest(%s::bigint[], %s::int[], %s::bigint[]) AS v(topic_id, partition, start)
  ON u.topic_id = v.topic_id AND u.partition = v.partition AND u."offset" = v.start
"""
_WITH_PAYLOAD = """
SELECT p.topic_id, p.partition, p."offset" FROM collector_payload p
JOIN unnest(%s::bigint[], %s::int[], %s::bigint[]) AS v(topic_id, partition, start)
  ON p.topic_id = v.topic_id AND p.partition = v.partition AND p."offset" = v.start
WHERE p.day = (clock_timestamp() AT TIME ZONE 'UTC')::date
"""

_Place = tuple[int, int, int]


class Claim(msgspec.Struct, frozen=True):
    """A row, and the events that its record now is: `record` is what may be stored of it."""

    day: date
    position: int
    record: Record
    events: tuple[Event, ...]

    @property
    def place(self) -> _Place:
        return (self.record.topic.row, self.record.partition, self.record.offset)


def admit(claims: Sequence[Claim], *, uncorrelated: bool, rulebook: RuleBook, writer: str) -> tuple[int, Written]:
    """Stores the events of those rows that are still there, and takes these away: rows of uncorrelated events, or else
    of undecodable records. Returns how many rows went."""
    memory = Memory()
    for _ in range(linking.ATTEMPTS):
        with contextlib.suppress(linking.Moved):
            return _admit(claims, uncorrelated, rulebook, writer, memory)
    return 0, Written()


def _admit(
    claims: Sequence[Claim], uncorrelated: bool, rulebook: RuleBook, writer: str, memory: Memory
) -> tuple[int, Written]:
    with transaction.atomic(), binary_cursor() as cursor:
        cursor.execute(_LOCK_PROGRESS, arrays(sorted({claim.place[:2] for claim in claims})))
        cursor.execute(
            _TAKE_UNCORRELATED if uncorrelated else _TAKE_UNDECODABLE,
            arrays((claim.day, *claim.place, claim.position) for claim in claims),
        )
        taken = set(cursor.fetchall())
        if not taken:
            return 0, Written()
        batch = Batch(_arriving(cursor, claims, taken), rulebook, memory)
        batch.lock(cursor)
        batch.write_records(cursor, writer)
        batch.save(cursor, writer)
        return len(taken), batch.summary()


def _arriving(cursor: CursorWrapper, claims: Iterable[Claim], taken: set[tuple[int, int, int, int]]) -> Arriving:
    """The events of these rows, but for those of a batch's events that were stored when the record was first read."""
    ours = [claim for claim in claims if (*claim.place, claim.position) in taken]
    places = arrays({claim.place for claim in ours})
    names = {name for claim in ours for event in claim.events for name in event.transaction_ids}
    names.update(linking.roots(cursor, sorted(names)).values())
    cursor.execute(_STORED, [*places, array(sorted(names)), *places])
    stored = {(tuple(row[:3]), row[3], row[4]) for row in cursor.fetchall()}
    cursor.execute(_WITH_PAYLOAD, places)
    kept: set[_Place] = {(topic, partition, offset) for topic, partition, offset in cursor.fetchall()}
    arriving = Arriving()
    for claim in ours:
        for event in claim.events:
            if (claim.place, event.source, event.id) in stored:
                continue
            record = msgspec.structs.replace(claim.record, withheld=True) if claim.place in kept else claim.record
            kept.add(claim.place)
            # the position tells uncorrelated events of one record apart; of others it says which brings the payload
            arriving.add(record, msgspec.structs.replace(event, position=0) if event.transaction_ids else event)
    return arriving
