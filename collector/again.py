"""What could not be read or correlated, decoded again by what is configured now.

Encrypted records are opened, others are looked up in Kafka. What can be read now enters its transactions exactly once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from typing import Any

import msgspec
from django.conf import settings
from django.db import Error
from django.db.models import QuerySet

from collector import config, registry
from collector.correlation.choreography import RuleBook
from collector.decoding import Bundle, Event
from collector.decoding.values import EARLIEST
from collector.intake import faults
from collector.intake.reading import Reader
from collector.kafka import Bounds, Cluster, Place, lookup
from collector.models import Payload, Uncorrelated, Undecodable
from collector.queries.keysets import keyset
from collector.records import Record, TopicRef
from collector.storage import sealing
from collector.storage.admission import Claim, admit
from collector.storage.batch import Written

CHUNK = 500
SECONDS = 20.0
"""How long Kafka may take to hand over the records of a chunk."""
_NEAR = 200
"""Records this far apart are read in one go."""

Coordinates = tuple[int, int, int]
"""Topic row, partition, offset."""


class Kind(Enum):
    UNDECODABLE = "undecodable"
    UNCORRELATED = "uncorrelated"


class Kept(msgspec.Struct, frozen=True):
    """A row of either table. `position`: which of its record's events it is; `raw`: the encrypted record."""

    kind: Kind
    day: date
    topic: TopicRef
    partition: int
    offset: int
    position: int
    record_time: datetime
    raw: bytes | None

    @property
    def coordinates(self) -> Coordinates:
        return (self.topic.row, self.partition, self.offset)

    @property
    def empty_record(self) -> Record:
        return Record(self.topic, self.partition, self.offset, None, None, None)


class Again(msgspec.Struct, frozen=True):
    """What came of it. gone: records that are no longer to be had. more: rows that were not looked at, there being
    more than were asked for."""

    examined: int = 0
    understood: int = 0
    gone: int = 0
    changed: tuple[str, ...] = ()
    alerts: bool = False
    more: bool = False


def run(kind: Kind, topic: str, rulebook: RuleBook, writer: str, most: int) -> Again:
    """Decodes the newest rows of this kind again, `most` at most, in chunks that commit each.

    Raises KafkaFailure where Kafka is needed and away, RegistryError where the registry's settings are wrong.
    """
    settled = config.current(settings.CHOREOSCOPE_CONFIG)
    reader = Reader(lambda: settled.policy, registry.connect(dict(settings.SCHEMA_REGISTRY)))
    total, cursor = Again(), ""
    while total.examined < most:
        kept, following = newest(kind, topic, cursor, min(CHUNK, most - total.examined))
        if kept:
            total = _sum(total, _chunk(kind, kept, reader, rulebook, writer))
        if following is None:
            return total
        cursor = following
    return msgspec.structs.replace(total, more=True)


def _chunk(kind: Kind, kept: Sequence[Kept], reader: Reader, rulebook: RuleBook, writer: str) -> Again:
    found = records(kept)
    claims = [
        Claim(one.day, one.position, record, events)
        for one in kept
        if one.coordinates in found
        for record, events in (_understood(one, found[one.coordinates], reader),)
        if events
    ]
    rows, written = _admitted(claims, kind, rulebook, writer)
    gone = sum(one.coordinates not in found for one in kept)
    return Again(len(kept), rows, gone, written.changed, written.alerts)


def _admitted(claims: Sequence[Claim], kind: Kind, rulebook: RuleBook, writer: str) -> tuple[int, Written]:
    """What the database refuses stays where it is; the others go in."""
    if not claims:
        return 0, Written()
    try:
        return admit(claims, uncorrelated=kind is Kind.UNCORRELATED, rulebook=rulebook, writer=writer)
    except Error as error:
        if not faults.refuses_data(error):
            raise
        if len(claims) == 1:
            return 0, Written()
    middle = len(claims) // 2
    first = _admitted(claims[:middle], kind, rulebook, writer)
    second = _admitted(claims[middle:], kind, rulebook, writer)
    changed = (*first[1].changed, *second[1].changed)
    return first[0] + second[0], Written(changed=changed, alerts=first[1].alerts or second[1].alerts)


def _understood(kept: Kept, record: Record, reader: Reader) -> tuple[Record, tuple[Event, ...]]:
    """What may be stored of the record, and the events that the row stands for, if all of them can be read now."""
    [(stored, found)] = reader.read(record.topic.name, [record])
    parts = found.found if isinstance(found, Bundle) else (found,)
    events = tuple(part for part in parts if isinstance(part, Event))
    if kept.kind is Kind.UNCORRELATED:
        return stored, tuple(one for one in events if one.position == kept.position and one.transaction_ids)
    return stored, events if len(events) == len(parts) else ()


def _sum(one: Again, other: Again) -> Again:
    return Again(
        one.examined + other.examined,
        one.understood + other.understood,
        one.gone + other.gone,
        (*one.changed, *other.changed),
        one.alerts or other.alerts,
    )


def newest(kind: Kind, topic: str, cursor: str, most: int) -> tuple[list[Kept], str | None]:
    """The newest rows of this kind, on this topic only where one is named; and the cursor of those before them, None
    where that was all. One query."""
    found: QuerySet[Any] = Undecodable.objects.all() if kind is Kind.UNDECODABLE else Uncorrelated.objects.all()
    if topic:
        found = found.filter(topic__name=topic)
    order = ("received_at", "topic_id", "partition", "offset", *(("position",) if kind is Kind.UNCORRELATED else ()))
    rows, following = keyset(found.select_related("topic"), order, cursor, most)
    return [_kept(kind, row) for row in rows], following


def _kept(kind: Kind, row: Undecodable | Uncorrelated) -> Kept:
    return Kept(
        kind=kind,
        day=row.day,
        topic=TopicRef(row.topic.pk, row.topic.cluster, row.topic.uid, row.topic.name),
        partition=row.partition,
        offset=row.offset,
        position=row.position if isinstance(row, Uncorrelated) else 0,
        record_time=row.record_time,
        raw=bytes(row.raw) if isinstance(row, Undecodable) and row.raw is not None else None,
    )


def records(kept: Sequence[Kept]) -> dict[Coordinates, Record]:
    """Their records, as far as they are to be had: encrypted ones opened, others from Kafka, and of events what is
    stored of their records where Kafka has them no longer. Raises KafkaFailure where Kafka is needed and away."""
    found = {one.coordinates: record for one in kept if (record := _unsealed(one)) is not None}
    missing = [one for one in kept if one.coordinates not in found]
    if missing:
        found |= _from_kafka(missing)
    stored = [one for one in missing if one.coordinates not in found and one.kind is Kind.UNCORRELATED]
    return found | (_from_payloads(stored) if stored else {})


def _unsealed(kept: Kept) -> Record | None:
    if kept.raw is None:
        return None
    empty = msgspec.structs.replace(kept.empty_record, timestamp=_timestamp(kept))
    return sealing.unseal(kept.raw, empty)


def _timestamp(kept: Kept) -> datetime | None:
    return None if kept.record_time == EARLIEST else kept.record_time


def _from_kafka(kept: Iterable[Kept]) -> dict[Coordinates, Record]:
    """Only from the cluster and the topic that it was read from; and only if it is still the same record there."""
    cluster = Cluster(dict(settings.KAFKA))
    cluster_id, present = cluster.describe({one.topic.name for one in kept}.__contains__)
    uids = cluster.topic_ids(cluster_id, present)
    there = {
        one.coordinates: one
        for one in kept
        if (one.topic.cluster, one.topic.uid) == (cluster_id, uids.get(one.topic.name))
    }
    topics = {one.topic.name: one.topic for one in there.values()}
    read = lookup(dict(settings.KAFKA), _ranges(there.values()), topics, SECONDS)
    return {
        at: record
        for record in read
        if (at := (record.topic.row, record.partition, record.offset)) in there
        and (record.timestamp or EARLIEST) == there[at].record_time
    }


def _ranges(kept: Iterable[Kept]) -> dict[Place, list[Bounds]]:
    offsets: dict[Place, set[int]] = {}
    for one in kept:
        offsets.setdefault((one.topic.name, one.partition), set()).add(one.offset)
    return {place: list(_joined(sorted(numbers))) for place, numbers in offsets.items()}


def _joined(offsets: Sequence[int]) -> Iterator[Bounds]:
    start = before = offsets[0]
    for offset in offsets[1:]:
        if offset - before > _NEAR:
            yield Bounds(start, before + 1)
            start = offset
        before = offset
    yield Bounds(start, before + 1)


def _from_payloads(kept: Sequence[Kept]) -> dict[Coordinates, Record]:
    """What was stored whole; masks stay what they are."""
    by_coordinates: Mapping[Coordinates, Kept] = {one.coordinates: one for one in kept}
    rows = Payload.objects.filter(
        day__in={one.day for one in kept},
        topic__in={one.topic.row for one in kept},
        offset__in={one.offset for one in kept},
    )
    return {
        at: msgspec.structs.replace(
            by_coordinates[at].empty_record,
            timestamp=_timestamp(by_coordinates[at]),
            key=None if row.key is None else bytes(row.key),
            packed_headers=bytes(row.headers),
            value=None if row.value is None else bytes(row.value),
        )
        for row in rows
        if (at := (row.topic_id, row.partition, row.offset)) in by_coordinates and row.size == len(row.value or b"")
    }
