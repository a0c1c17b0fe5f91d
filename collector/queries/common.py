"""What the stuck transactions of one cause have in common, against healthy ones of the same time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import msgspec

from collector.correlation.traits import Common, Trait, in_common
from collector.models import Overdue, Transaction
from collector.queries.bounds import rows
from collector.records import Header, unpack_headers

SAMPLE = 100
"""Transactions looked at on each side, the newest: of so many, a share is right to a few per cent."""
CANDIDATES = 3
"""How many times as many are looked at to find those that have got the answer."""
AROUND = timedelta(minutes=5)
_FROM = " from"
_LONGEST = 100
"""Values longer than that tell nobody anything."""

# The newest that have got an answer. Lateral, as below: each transaction's own events are looked at, by their key.
_ANSWERED = f"""
SELECT t.id, t.day, t.started_at FROM (
    SELECT id, day, started_at FROM collector_transaction
    WHERE choreography = %(choreography)s AND overdue_since IS NULL AND NOT oversized AND merged_into IS NULL
      AND started_at BETWEEN %(since)s AND %(until)s
    ORDER BY started_at DESC, id DESC LIMIT {CANDIDATES * SAMPLE}) AS t
CROSS JOIN LATERAL (SELECT FROM collector_event e WHERE e.day = t.day AND e.transaction = t.id
                    AND e.type = ANY (%(answers)s::text[]) LIMIT 1) AS answer
ORDER BY t.started_at DESC, t.id DESC LIMIT {SAMPLE}
"""
_EVENTS = """
SELECT wanted.id, e.type, e.service, t.name, e.partition, e.keys::text
FROM unnest(%(days)s::date[], %(ids)s::bigint[]) AS wanted (day, id)
CROSS JOIN LATERAL (SELECT * FROM collector_event x
                    WHERE x.day = ANY (%(on)s::date[]) AND x.day = wanted.day AND x.transaction = wanted.id
                    ORDER BY x.time LIMIT 50) AS e
JOIN collector_topic t ON t.id = e.topic_id
"""
_HEADERS = """
SELECT wanted.id, p.headers
FROM unnest(%(days)s::date[], %(ids)s::bigint[]) AS wanted (day, id)
CROSS JOIN LATERAL (SELECT * FROM collector_event x
                    WHERE x.day = ANY (%(on)s::date[]) AND x.day = wanted.day AND x.transaction = wanted.id
                    ORDER BY x.time LIMIT 1) AS e
JOIN collector_payload p ON p.day = (e.received_at AT TIME ZONE 'UTC')::date AND p.topic_id = e.topic_id
    AND p.partition = e.partition AND p."offset" = e."offset"
"""


@dataclass(frozen=True)
class Cause:
    choreography: str
    awaited: str
    service: str
    compensation: bool


@dataclass(frozen=True)
class Comparison:
    """How many of each were compared, and what tells them apart. Healthy ones are those that have got the answer."""

    stuck: int
    healthy: int
    common: tuple[Common, ...]


def common(cause: Cause) -> Comparison:
    """Seven queries, over SAMPLE transactions on each side."""
    overdue = Overdue.objects.filter(
        choreography=cause.choreography, awaited=cause.awaited, service=cause.service, compensation=cause.compensation
    )
    ids = overdue.order_by("-id").values_list("transaction", flat=True)[:SAMPLE]
    stuck = list(Transaction.objects.filter(id__in=list(ids)).values_list("id", "day", "started_at"))
    if not stuck:
        return Comparison(0, 0, ())
    around = {"since": min(at for *_, at in stuck) - AROUND, "until": max(at for *_, at in stuck) + AROUND}
    others = {"choreography": cause.choreography, "answers": cause.awaited.split(" or "), **around}
    theirs = _traits(stuck)
    types = {value for traits in theirs for what, value in traits if what == "event type"}
    # healthy ones got further: what else they have says nothing
    answered = _traits(rows(_ANSWERED, others))
    healthy = [{trait for trait in traits if _of_types(trait, types)} for traits in answered]
    return Comparison(len(stuck), len(healthy), tuple(in_common(theirs, healthy)))


def _of_types(trait: Trait, types: Collection[str]) -> bool:
    what, value = trait
    return value in types if what == "event type" else not what.endswith(_FROM) or what.removesuffix(_FROM) in types


def _traits(transactions: Sequence[tuple[int, date, datetime]]) -> list[set[Trait]]:
    """By transaction, in their order. Two queries."""
    days = [day for _, day, _ in transactions]
    wanted = {"days": days, "ids": [key for key, *_ in transactions], "on": sorted(set(days))}
    found: dict[int, set[Trait]] = {key: set() for key, *_ in transactions}
    for key, kind, service, topic, partition, keys in rows(_EVENTS, wanted):
        found[key] |= {("event type", kind), (f"partition of {topic}", str(partition)), (kind + _FROM, service)}
        found[key].update(_keys(keys))
    for key, headers in rows(_HEADERS, wanted):
        found[key].update(_headers(unpack_headers(bytes(headers))))
    return list(found.values())


def _keys(stored: str | None) -> Iterable[Trait]:
    pairs = msgspec.json.decode(stored, type=list[tuple[str, str]]) if stored else []
    return [(f"key {name}", value) for name, value in pairs if len(value) <= _LONGEST]


def _headers(headers: Iterable[Header]) -> Iterable[Trait]:
    """Of the first event's record; what is no text is left out."""
    for name, value in headers:
        try:
            text = (value or b"").decode()
        except UnicodeDecodeError:
            continue
        if text and len(text) <= _LONGEST and text.isprintable():
            yield (f"header {name}", text)
