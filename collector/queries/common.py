"""What the stuck transactions of one cause have in common, against healthy ones of the same time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

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
_LONGEST = 100
"""Values longer than that tell nobody anything."""
_Place = tuple[date, int, int, int]
"""Where a record lies: day, topic, partition, offset."""

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
SELECT wanted.id, e.time, e.type, e.service, e.topic_id, t.name, e.partition, e."offset",
    (e.received_at AT TIME ZONE 'UTC')::date, e.keys::text
FROM unnest(%(days)s::date[], %(ids)s::bigint[]) AS wanted (day, id)
CROSS JOIN LATERAL (SELECT * FROM collector_event x
                    WHERE x.day = ANY (%(on)s::date[]) AND x.day = wanted.day AND x.transaction = wanted.id
                    ORDER BY x.time LIMIT 50) AS e
JOIN collector_topic t ON t.id = e.topic_id
"""
# By where the records lie: with their days named, no other partition is planned for.
_HEADERS = """
SELECT wanted.id, p.headers
FROM unnest(%(ids)s::bigint[], %(days)s::date[], %(topics)s::bigint[], %(partitions)s::int[], %(offsets)s::bigint[])
    AS wanted (id, day, topic, partition, at)
CROSS JOIN LATERAL (SELECT headers FROM collector_payload x
                    WHERE x.day = ANY (%(on)s::date[]) AND x.day = wanted.day AND x.topic_id = wanted.topic
                      AND x.partition = wanted.partition AND x."offset" = wanted.at LIMIT 1) AS p
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

    @property
    def enough(self) -> bool:
        """As many healthy ones as are looked at: later ones would tell nothing new."""
        return self.healthy >= SAMPLE


def affected(cause: Cause) -> list[int]:
    """The transactions that are compared, by their keys: the newest SAMPLE of those that are stuck. One query."""
    overdue = Overdue.objects.filter(
        choreography=cause.choreography, awaited=cause.awaited, service=cause.service, compensation=cause.compensation
    )
    return list(overdue.order_by("-id").values_list("transaction", flat=True)[:SAMPLE])


def common(cause: Cause, ids: Collection[int]) -> Comparison:
    """Six queries, over these, which are affected, and SAMPLE healthy ones."""
    stuck = list(Transaction.objects.filter(id__in=list(ids)).values_list("id", "day", "started_at"))
    if not stuck:
        return Comparison(0, 0, ())
    around = {"since": min(at for *_, at in stuck) - AROUND, "until": max(at for *_, at in stuck) + AROUND}
    others = {"choreography": cause.choreography, "answers": cause.awaited.split(" or "), **around}
    theirs, healthy = _traits(stuck), _traits(rows(_ANSWERED, others))
    return Comparison(len(stuck), len(healthy), tuple(in_common(theirs, healthy)))


def _traits(transactions: Sequence[tuple[int, date, datetime]]) -> list[set[Trait]]:
    """By transaction, in their order. Two queries."""
    days = [day for _, day, _ in transactions]
    wanted = {"days": days, "ids": [key for key, *_ in transactions], "on": sorted(set(days))}
    found: dict[int, set[Trait]] = {key: set() for key, *_ in transactions}
    first: dict[int, tuple[datetime, _Place]] = {}
    carried = lru_cache(maxsize=None)(_keys)  # all events of a transaction carry the same, as a rule
    for key, time, kind, service, topic, name, partition, offset, day, keys in rows(_EVENTS, wanted):
        traits = found[key]
        traits.update(_of_event(kind, service, name, partition))
        traits.update(carried(keys))
        if key not in first or time < first[key][0]:
            first[key] = (time, (day, topic, partition, offset))
    for key, headers in _headers_at({key: place for key, (_, place) in first.items()}):
        found[key].update(_headers(unpack_headers(headers)))
    return list(found.values())


def _headers_at(places: Mapping[int, _Place]) -> Iterable[tuple[int, bytes]]:
    """Those of the records that lie there, as far as these are kept."""
    columns = zip(*places.values(), strict=True) if places else ((), (), (), ())
    days, topics, partitions, offsets = (list(column) for column in columns)
    wanted = {"ids": list(places), "days": days, "topics": topics, "partitions": partitions, "offsets": offsets}
    return ((key, bytes(headers)) for key, headers in rows(_HEADERS, wanted | {"on": sorted(set(days))}))


@lru_cache(maxsize=4_096)
def _of_event(kind: str, service: str, topic: str, partition: int) -> tuple[Trait, ...]:
    return ("event type", kind), (f"partition of {topic}", str(partition)), (f"{kind} from", service)


def _keys(stored: str | None) -> tuple[Trait, ...]:
    pairs = msgspec.json.decode(stored, type=list[tuple[str, str]]) if stored else []
    return tuple((f"key {name}", value) for name, value in pairs if len(value) <= _LONGEST)


def _headers(headers: Iterable[Header]) -> Iterable[Trait]:
    """Of the first event's record; what is no text is left out."""
    for name, value in headers:
        try:
            text = (value or b"").decode()
        except UnicodeDecodeError:
            continue
        if text and len(text) <= _LONGEST and text.isprintable():
            yield (f"header {name}", text)
