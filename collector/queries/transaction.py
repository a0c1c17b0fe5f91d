"""One transaction: its events and what caused which, what it waits for, and what was known when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC

import msgspec
from django.conf import settings

from collector import config
from collector.bus import announcement_id
from collector.correlation.causality import Causality, causality
from collector.correlation.choreography import Choreography
from collector.correlation.events import EventKey, Skeleton
from collector.correlation.state import StoredState
from collector.models import FailedDelivery, Payload, Transaction, Transition
from collector.queries import keys
from collector.queries.bounds import MOST, Bounded, rows
from collector.queries.stored import StoredEvent, stored_events
from collector.records import Header, unpack_headers

MOST_EVENTS = 2_000
_MOST_TRANSITIONS = 500
_MOST_FAILURES = 200
_MOST_ALIASES = 100


@dataclass(frozen=True)
class Found:
    """A transaction with its events in event order: the first MOST_EVENTS of them, which `cut` says."""

    transaction: Transaction
    events: tuple[StoredEvent, ...]
    cut: bool
    skeletons: tuple[Skeleton, ...]
    state: StoredState
    choreography: Choreography
    causality: Causality
    transitions: tuple[Transition, ...]
    aliases: tuple[str, ...]
    """Other ids that lead to it; the first _MOST_ALIASES."""
    failures: tuple[FailedDelivery, ...]
    """Copies of its events that could not be delivered, in the order of their records; the first _MOST_FAILURES."""
    told: tuple[tuple[EventKey, Transition], ...]
    """Events whose cause is what Choreoscope itself told the bus: the transition that it announced."""

    def event(self, key: EventKey) -> StoredEvent | None:
        return next((event for event in self.events if (event.source, event.event_id) == key), None)


def exists(transaction_id: str) -> bool:
    """Whether it is the id of a transaction, or leads to one. One query."""
    return "\x00" not in transaction_id and Transaction.every.filter(transaction_id=transaction_id).exists()


def only_with_key(value: str) -> str | None:
    """The id of the one transaction that has this business key; None where there is none, or more. Two queries."""
    rows = [] if "\x00" in value else keys.transactions_with(value)[:2]
    names = list(Transaction.objects.filter(id__in=rows).values_list("transaction_id", flat=True))
    return names[0] if len(names) == 1 else None


def find(transaction_id: str, known: Found | None = None) -> Found | None:
    """None where there is no such transaction. Three queries; one more each where deliveries failed, where other ids
    lead to it, and for each step from one of these. `known`: what was found before, and is given back where nothing
    has changed since."""
    if "\x00" in transaction_id:
        return None
    transaction = _called(transaction_id)
    if transaction is None:
        return None
    aliases = _aliases(transaction) if transaction.link_rank is not None else ()
    choreography = config.current(settings.CHOREOSCOPE_CONFIG).rulebook.named(transaction.choreography)
    if known and (known.aliases, known.choreography) == (aliases, choreography) and _alike(known, transaction):
        return known
    return _read(transaction, aliases, choreography)


def _alike(known: Found, row: Transaction) -> bool:
    """Whether no column differs: whatever is stored of a transaction, events, transitions or copies that failed, its
    row tells of, if by its version or a count alone."""
    before = vars(known.transaction)
    return all(before[name] == value for name, value in vars(row).items() if name != "_state")


def _read(transaction: Transaction, aliases: tuple[str, ...], choreography: Choreography) -> Found:
    events = stored_events(transaction.day, transaction.id, MOST_EVENTS + 1)
    transitions = Transition.objects.filter(day=transaction.day, transaction=transaction.id)
    skeletons = tuple(skeleton(event) for event in events[:MOST_EVENTS])
    known = tuple(transitions.order_by("-id")[:_MOST_TRANSITIONS])[::-1]
    causal = causality(skeletons if not transaction.oversized else (), choreography)
    announced = {announcement_id(transaction.transaction_id, entry.id, entry.at): entry for entry in known}
    missing = tuple((key, cause) for key, cause in causal.missing if cause not in announced)
    return Found(
        transaction=transaction,
        events=events[:MOST_EVENTS],
        cut=len(events) > MOST_EVENTS,
        skeletons=skeletons,
        state=StoredState.from_json(transaction.state),
        choreography=choreography,
        causality=msgspec.structs.replace(causal, missing=missing),
        transitions=known,
        told=tuple((key, announced[cause]) for key, cause in causal.missing if cause in announced),
        failures=_failures(transaction, aliases) if transaction.failed_delivery_count else (),
        aliases=aliases,
    )


def _called(name: str) -> Transaction | None:
    """The transaction of this id, or the one that the id leads to: a query for each step."""
    found = Transaction.every.filter(transaction_id=name).first()
    while found is not None and found.merged_into is not None:
        found = Transaction.every.filter(id=found.merged_into).first()
    return found


_ALIASES = f"""
WITH RECURSIVE below AS (
    SELECT id, transaction_id FROM collector_transaction WHERE merged_into = %(id)s
    UNION ALL
    SELECT t.id, t.transaction_id FROM below JOIN collector_transaction t ON t.merged_into = below.id
)
SELECT transaction_id FROM below ORDER BY 1 LIMIT {_MOST_ALIASES}
"""


def _aliases(transaction: Transaction) -> tuple[str, ...]:
    return tuple(name for (name,) in rows(_ALIASES, {"id": transaction.id}))


def _failures(transaction: Transaction, aliases: tuple[str, ...]) -> tuple[FailedDelivery, ...]:
    names = (transaction.transaction_id, *aliases)
    found = FailedDelivery.objects.filter(transaction_id__in=names).select_related("topic")
    return tuple(found.order_by("record_time", "topic__name", "partition", "offset")[:_MOST_FAILURES])


def skeleton(event: StoredEvent) -> Skeleton:
    return Skeleton(
        source=event.source,
        id=event.event_id,
        type=event.type,
        service=event.service,
        time=event.time,
        record_time=event.record_time,
        received_at=event.received_at,
        topic=event.topic.name,
        partition=event.partition,
        offset=event.offset,
        causes=tuple(event.causes or ()),
        trace=event.trace,
    )


def payload(event: StoredEvent) -> Payload | None:
    """The record that the event was decoded from; None where it is no longer, or was never, kept. One query."""
    return Payload.objects.filter(
        day=event.received_at.astimezone(UTC).date(),
        topic=event.topic.id,
        partition=event.partition,
        offset=event.offset,
    ).first()


def headers(payload: Payload) -> list[Header]:
    """The record's headers, in their order."""
    return unpack_headers(bytes(payload.headers))


_LIKEWISE = f"""
SELECT count(*) FROM (
    SELECT 1 FROM collector_overdue
    WHERE choreography = %(choreography)s AND awaited = %(awaited)s AND service = %(service)s
      AND transaction <> %(transaction)s LIMIT {MOST + 1}) AS bounded
"""


def waiting_likewise(transaction: Transaction, awaited: str, service: str) -> Bounded:
    """How many other transactions are stuck at the same step. One query."""
    wanted = {
        "choreography": transaction.choreography,
        "awaited": awaited,
        "service": service,
        "transaction": transaction.id,
    }
    return Bounded.of(rows(_LIKEWISE, wanted)[0][0])
