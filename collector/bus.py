"""Back on the bus: what becomes of transactions, as events that services can react to. Transitions are the outbox.

At least once, with an id that stays the same; in the order of the transitions. A breaker bounds the rate: should
thousands of transactions be stuck at once, a person decides whether the bus is to hear of all of them.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import msgspec
from django.conf import settings
from django.db import transaction
from django.db.backends.utils import CursorWrapper

from collector import config
from collector.config import Bus
from collector.kafka import Letter, Outlet, Sent
from collector.storage.sql import arrays, binary_cursor

logger = logging.getLogger(__name__)

CHUNK = 200
TIMEOUT = 3.0
"""Seconds that the brokers have to take a chunk: the rows stay locked meanwhile."""
SOURCE = "/choreoscope"
NAME = "bus"
"""Its row among the signs of life, which holds the breaker."""

_LOCK = """
INSERT INTO collector_heartbeat AS h (name, at, detail) VALUES (%s, clock_timestamp(), '{}')
ON CONFLICT (name) DO UPDATE SET at = excluded.at RETURNING h.at, h.detail::text
"""
_LOOK = "SELECT detail::text FROM collector_heartbeat WHERE name = %s"
_KEEP = "UPDATE collector_heartbeat SET detail = %s::jsonb WHERE name = %s"
_DUE = """
SELECT t.id, t.day, x.transaction_id, x.choreography, t.at, t.effective_at, t.phase, t.overdue_since, t.detail::text
FROM collector_transition t JOIN collector_transaction x ON x.id = t.transaction
WHERE t.bus_due ORDER BY t.id LIMIT %s FOR UPDATE OF t
"""
_DONE = """
UPDATE collector_transition t SET bus_due = false FROM unnest(%s::date[], %s::bigint[]) AS v(day, id)
WHERE t.day = v.day AND t.id = v.id
"""
_WAITING = """
SELECT count(*) FROM (SELECT FROM collector_transition t JOIN collector_transaction x ON x.id = t.transaction
                      WHERE t.bus_due LIMIT %s) AS bounded
"""
_DISCARD = """
UPDATE collector_transition t SET bus_due = false
FROM (SELECT day, id FROM collector_transition WHERE bus_due ORDER BY id LIMIT %s FOR UPDATE) AS v
WHERE t.day = v.day AND t.id = v.id
"""
MOST_WAITING = 100_000
_MOST_AT_ONCE = 2_000


class Breaker(msgspec.Struct):
    """`sent` within the `minute` (since the epoch). Once it has tripped, nothing goes out but what was `released`."""

    minute: int = 0
    sent: int = 0
    tripped_at: datetime | None = None
    released: int = 0

    def room(self, now: datetime, most_per_minute: int) -> int:
        """How many may go out now."""
        minute = int(now.timestamp() // 60)
        if minute != self.minute:
            self.minute, self.sent = minute, 0
        return self.released + (0 if self.tripped_at else max(0, most_per_minute - self.sent))

    def count(self, sent: int) -> None:
        """What was released does not count against the minute."""
        beyond = min(self.released, sent)
        self.released -= beyond
        self.sent += sent - beyond


class Due(NamedTuple):
    """A transition that is to be announced."""

    id: int
    day: date
    transaction_id: str
    choreography: str
    at: datetime
    effective_at: datetime
    phase: str
    overdue_since: datetime | None
    detail: dict[str, Any]


class Outgoing(Protocol):
    def send(self, topic: str, letters: Sequence[Letter], timeout: float) -> Sent: ...


class Breaking(msgspec.Struct, frozen=True):
    """The breaker as people see it; `waiting` counts to MOST_WAITING."""

    tripped_at: datetime | None
    waiting: int


def announcement_id(transaction_id: str, transition: int, at: datetime) -> str:
    """The id of the event that a transition is announced by: the same each time, so that copies can be told."""
    told = f"{transaction_id}\n{transition}\n{at.timestamp():.6f}"
    return f"choreoscope-{hashlib.sha256(told.encode()).hexdigest()[:32]}"


def announce_now() -> int:
    """Publishes what is due, where the configuration wants it; returns how many the brokers have taken."""
    bus = config.current(settings.CHOREOSCOPE_CONFIG).bus
    return announce(bus, _outlet()) if bus.publish else 0


@lru_cache(maxsize=1)
def _outlet() -> Outlet:
    return Outlet(dict(settings.KAFKA))


def announce(bus: Bus, outlet: Outgoing) -> int:
    """Publishes up to CHUNK due transitions and marks those that the brokers have. Many at once take turns."""
    with transaction.atomic(), binary_cursor() as cursor:
        breaker, now = _breaker(cursor)
        room = breaker.room(now, bus.most_per_minute)
        due = _due(cursor, min(room, CHUNK) + 1)
        if len(due) > room and breaker.tripped_at is None:
            breaker.tripped_at = now
            logger.warning("more than %d events a minute for the bus: the rest waits for release", bus.most_per_minute)
        going = due[: min(room, CHUNK)]
        sent = outlet.send(bus.topic, [letter(entry) for entry in going], TIMEOUT) if going else Sent()
        for position, why in sent.refused.items():
            logger.error("transaction %s is not announced: %s", going[position].transaction_id, why)
        done = [going[position] for position in sorted(sent.acknowledged | sent.refused.keys())]
        if done:
            cursor.execute(_DONE, arrays((entry.day, entry.id) for entry in done))
        breaker.count(len(sent.acknowledged))
        _keep(cursor, breaker)
    return len(sent.acknowledged)


def letter(due: Due) -> Letter:
    """The CloudEvent, in binary mode."""
    kind = due.detail.get("announcement", "stuck")
    headers = {
        "ce_specversion": "1.0",
        "ce_id": announcement_id(due.transaction_id, due.id, due.at),
        "ce_source": SOURCE,
        "ce_type": f"choreoscope.transaction.{kind}",
        "ce_time": due.at.isoformat(),
        "ce_subject": due.transaction_id,
        "ce_correlationid": due.transaction_id,
        "content-type": "application/json",
    }
    data = {
        "choreography": due.choreography,
        "phase": due.phase,
        "overdue_since": due.overdue_since,
        "effective_at": due.effective_at,
        "waiting_for": due.detail.get("overdue", []),
        "was_overdue_since": due.detail.get("was_overdue_since"),
    }
    encoded = tuple((name, value.encode()) for name, value in headers.items())
    return Letter(due.transaction_id.encode(), msgspec.json.encode(data), encoded)


def breaking() -> Breaking:
    """Two queries; waits for nobody."""
    with binary_cursor() as cursor:
        cursor.execute(_LOOK, [NAME])
        found = cursor.fetchall()
        breaker = msgspec.json.decode(found[0][0], type=Breaker) if found else Breaker()
        return Breaking(breaker.tripped_at, _waiting(cursor))


def release(*, discard: bool) -> int:
    """Closes the breaker: what waits goes out after all, or never. Returns how many there were."""
    with transaction.atomic(), binary_cursor() as cursor:
        breaker, _ = _breaker(cursor)
        waiting = _waiting(cursor)
        breaker.tripped_at, breaker.released = None, 0 if discard else waiting
        _keep(cursor, breaker)
    while discard:
        with transaction.atomic(), binary_cursor() as cursor:
            cursor.execute(_DISCARD, [_MOST_AT_ONCE])
            discard = cursor.rowcount == _MOST_AT_ONCE
    return waiting


def _breaker(cursor: CursorWrapper) -> tuple[Breaker, datetime]:
    """Locked until the end of the database transaction; and the database's clock."""
    cursor.execute(_LOCK, [NAME])
    now, detail = cursor.fetchall()[0]
    return msgspec.json.decode(detail, type=Breaker), now


def _keep(cursor: CursorWrapper, breaker: Breaker) -> None:
    cursor.execute(_KEEP, [msgspec.json.encode(breaker).decode(), NAME])


def _due(cursor: CursorWrapper, most: int) -> list[Due]:
    cursor.execute(_DUE, [most])
    return [Due._make((*values, msgspec.json.decode(detail))) for *values, detail in cursor.fetchall()]


def _waiting(cursor: CursorWrapper) -> int:
    cursor.execute(_WAITING, [MOST_WAITING])
    count: int = cursor.fetchall()[0][0]
    return count
