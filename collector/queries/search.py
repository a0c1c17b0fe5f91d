"""What one text may mean: a transaction, an event, a business key, a service, an event type. Milliseconds each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from collector.models import Transaction
from collector.queries.bounds import rows

MOST = 6
"""Of each kind."""
SHORTEST = 2
"""What is shorter finds too much to be of use."""

# OFFSET 0 keeps the two sides apart: the event is found by its id, then its transaction by the row's.
_EVENTS = f"""
SELECT t.transaction_id, e.source, e.event_id, e.type, e.service
FROM (SELECT transaction, source, event_id, type, service FROM collector_event
      WHERE event_id = %(text)s LIMIT {MOST} OFFSET 0) AS e
JOIN collector_transaction t ON t.id = e.transaction
"""
_KEYS = f"""
SELECT k.name, k.value, t.transaction_id
FROM (SELECT DISTINCT name, value, transaction FROM collector_key WHERE value = %(text)s LIMIT {MOST + 1}) AS k
JOIN collector_transaction t ON t.id = k.transaction ORDER BY t.started_at DESC LIMIT {MOST}
"""
_NAMES = f"""
(SELECT DISTINCT 'service', service FROM collector_eventtype
 WHERE position(lower(%(text)s) IN lower(service)) > 0 ORDER BY 2 LIMIT {MOST})
UNION ALL
(SELECT DISTINCT 'type', type FROM collector_eventtype
 WHERE position(lower(%(text)s) IN lower(type)) > 0 ORDER BY 2 LIMIT {MOST})
"""


@dataclass(frozen=True)
class EventHit:
    transaction_id: str
    source: str
    event_id: str
    type: str
    service: str


@dataclass(frozen=True)
class KeyHit:
    name: str
    value: str
    transaction_id: str


@dataclass(frozen=True)
class Hits:
    """At most MOST of each; transactions whose ids begin so, and what has exactly this id or value."""

    transactions: tuple[Transaction, ...] = ()
    events: tuple[EventHit, ...] = ()
    keys: tuple[KeyHit, ...] = ()
    services: tuple[str, ...] = ()
    types: tuple[str, ...] = ()


def search(text: str) -> Hits:
    """Four queries; none where the text is too short."""
    if len(text) < SHORTEST or "\x00" in text:
        return Hits()
    wanted: dict[str, Any] = {"text": text}
    named = rows(_NAMES, wanted)
    return Hits(
        transactions=tuple(
            Transaction.objects.filter(transaction_id__startswith=text).order_by("transaction_id")[:MOST]
        ),
        events=tuple(EventHit(*row) for row in rows(_EVENTS, wanted)),
        keys=tuple(KeyHit(*row) for row in rows(_KEYS, wanted)),
        services=tuple(name for kind, name in named if kind == "service" and name),
        types=tuple(name for kind, name in named if kind == "type"),
    )


def only_with_event(event_id: str) -> EventHit | None:
    """The one event with this id; None where there is none, or several. One query."""
    found = [] if "\x00" in event_id else rows(_EVENTS, {"text": event_id})
    return EventHit(*found[0]) if len(found) == 1 else None
