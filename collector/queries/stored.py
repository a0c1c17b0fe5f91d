"""A transaction's events as they are stored, read as plain structs: a model instance takes four times as long to make,
and there may be a thousand on a page."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from collector.models import Event


class Place(msgspec.Struct, frozen=True):
    """A topic, by its row and its name."""

    id: int
    name: str


class StoredEvent(msgspec.Struct, frozen=True):
    """What collector.models.Event says of an event; `received_at` is when the collector read it."""

    source: str
    event_id: str
    type: str
    service: str
    time: datetime
    record_time: datetime
    received_at: datetime
    topic: Place
    partition: int
    offset: int
    causes: list[str] | None
    subject: str
    dialect: str
    basis: str
    trace: str
    keys: list[tuple[str, str]] | None
    notes: list[str] | None
    redeliveries: int


_BEFORE = ("source", "event_id", "type", "service", "time", "record_time", "received_at")
_AFTER = tuple(StoredEvent.__struct_fields__[len(_BEFORE) + 1 :])
_ORDER = ("time", "record_time", "topic__name", "partition", "offset", "event_id", "source")


def stored_events(day: date, transaction: int, most: int) -> tuple[StoredEvent, ...]:
    """The first `most` events of a transaction of this day, in event order. One query."""
    stored = Event.objects.filter(day=day, transaction=transaction).order_by(*_ORDER)
    found = stored.values_list(*_BEFORE, "topic_id", "topic__name", *_AFTER)[:most]
    places: dict[int, Place] = {}
    events = []
    for source, event_id, type_, service, time, record_time, received_at, topic, name, *rest in found:
        place = places.get(topic) or places.setdefault(topic, Place(topic, name))
        events.append(StoredEvent(source, event_id, type_, service, time, record_time, received_at, place, *rest))
    return tuple(events)
