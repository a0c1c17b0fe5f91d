"""All that is overdue with a service: the records of the events that ask for its answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

import msgspec

from collector.correlation.events import EventKey
from collector.correlation.state import Pending
from collector.correlation.verdicts import Trigger
from collector.queries.bounds import rows

MOST_JUDGED = 200
"""Of what is overdue, the newest."""

_BY_CAUSE = """
FROM unnest(%(choreographies)s::text[], %(awaited)s::text[]) AS c (choreography, awaited)
CROSS JOIN LATERAL (SELECT transaction, since FROM collector_overdue o
                    WHERE o.choreography = c.choreography AND o.awaited = c.awaited AND o.service = %(service)s
                      AND o.compensation = ANY (%(compensation)s)
"""
_NEWEST = f"""
SELECT t.id, t.day, (t.state -> 'pending')::text
FROM (SELECT transaction {_BY_CAUSE} ORDER BY since DESC LIMIT {MOST_JUDGED + 1}) AS newest
      ORDER BY since DESC LIMIT {MOST_JUDGED + 1}) AS o
JOIN collector_transaction t ON t.id = o.transaction
"""
_LONGEST = f"""
SELECT t.transaction_id
FROM (SELECT transaction {_BY_CAUSE} ORDER BY since LIMIT 1) AS longest ORDER BY since LIMIT 1) AS o
JOIN collector_transaction t ON t.id = o.transaction
"""
# Lateral, so that each is looked up by its key; with the days named, no other partition is planned for.
_RECORDS = """
SELECT e.transaction, e.source, e.event_id, p.name, e.partition, e."offset"
FROM unnest(%(days)s::date[], %(ids)s::bigint[], %(sources)s::text[], %(events)s::text[])
    AS wanted (day, id, source, event)
CROSS JOIN LATERAL (SELECT * FROM collector_event x
                    WHERE x.day = ANY (%(on)s::date[]) AND x.day = wanted.day AND x.transaction = wanted.id
                      AND x.source = wanted.source AND x.event_id = wanted.event LIMIT 1) AS e
JOIN collector_topic p ON p.id = e.topic_id
"""
_pending = msgspec.json.Decoder(tuple[Pending, ...])


@dataclass(frozen=True)
class OverdueWith:
    """What is overdue with a service, by what it is: pairs of a choreography and the awaited types."""

    service: str
    causes: Collection[tuple[str, str]]
    compensation: tuple[bool, ...] = (False, True)

    def parameters(self) -> dict[str, object]:
        return {
            "service": self.service,
            "choreographies": [choreography for choreography, _ in self.causes],
            "awaited": [awaited for _, awaited in self.causes],
            "compensation": list(self.compensation),
        }


@dataclass(frozen=True)
class Waits:
    """For each that waits, the records that ask for the answer; `more`: these are the newest, and there are more."""

    asking: list[list[Trigger]]
    more: bool


def longest(overdue: OverdueWith) -> str | None:
    """The id of the transaction that has waited longest. One query."""
    found = rows(_LONGEST, overdue.parameters())
    return found[0][0] if found else None


def waits(overdue: OverdueWith) -> Waits:
    """Of the newest MOST_JUDGED. Two queries."""
    found = rows(_NEWEST, overdue.parameters())
    stored = {id_: (day, pending) for id_, day, pending in found[:MOST_JUDGED]}
    entries = [
        (id_, asks(entry))
        for id_, (_, pending) in stored.items()
        for entry in _pending.decode(pending or "[]")
        if _fits(entry, overdue)
    ]
    places = _places((stored[id_][0], id_, key) for id_, keys in entries for key in keys)
    asking = [[places[id_, key] for key in keys if (id_, key) in places] for id_, keys in entries]
    return Waits([triggers for triggers in asking if triggers][:MOST_JUDGED], len(found) > MOST_JUDGED)


def asks(entry: Pending) -> tuple[EventKey, ...]:
    """The events that the service has to have read. None for the whole, and for a join that still lacks a trigger; and
    what a compensation undoes is often the service's own event, which it need not read."""
    if entry.kind == "timeout" or len(entry.triggers) < len(entry.after):
        return ()
    return entry.triggers[: len(entry.after)]


def _fits(entry: Pending, overdue: OverdueWith) -> bool:
    return (
        entry.overdue
        and entry.service == overdue.service
        and (entry.kind == "compensation") in overdue.compensation
        and any(entry.awaited == awaited for _, awaited in overdue.causes)
    )


def _places(wanted: Iterable[tuple[date, int, EventKey]]) -> dict[tuple[int, EventKey], Trigger]:
    keys = list(dict.fromkeys(wanted))
    if not keys:
        return {}
    parameters = {
        "on": sorted({day for day, _, _ in keys}),
        "days": [day for day, _, _ in keys],
        "ids": [id_ for _, id_, _ in keys],
        "sources": [source for _, _, (source, _) in keys],
        "events": [event for _, _, (_, event) in keys],
    }
    return {
        (id_, (source, event)): Trigger(topic, partition, offset)
        for id_, source, event, topic, partition, offset in rows(_RECORDS, parameters)
    }
