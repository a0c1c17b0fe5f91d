"""Decodes a record: finds its dialect, reads the attributes where the dialect keeps them, and notes what it assumed.

Total: every record becomes an `Event` or an `Undecodable`; no bytes make it raise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from collector.decoding import values
from collector.decoding.dialects import CLOUDEVENTS_BINARY, CLOUDEVENTS_STRUCTURED, GENERIC, Dialect
from collector.decoding.event import UNTYPED, Bundle, Event, Found, Undecodable
from collector.records import Record

MAX_HEADERS = 200
MAX_CAUSES = 100
MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_BUNDLE = 1_000
"""So many events of one record are looked at."""
_STRUCTURED = b"application/cloudevents"
_BATCH = b"application/cloudevents-batch"

_GENERIC_NAMES = (*GENERIC.transaction, *GENERIC.id, *GENERIC.type)

_json = msgspec.json.Decoder()


def decode(record: Record) -> Found:
    """What this record says; see the module."""
    if record.headers_error:
        return _undecodable(record, "headers", record.headers_error)
    headers, repeated = _headers(record)
    content_type = (headers.get("content-type") or b"").strip().lower()
    if content_type.startswith(_STRUCTURED):
        return _bundle(record) if content_type.startswith(_BATCH) else _structured(record, required=True)
    if "ce_specversion" in headers:
        return _event(record, CLOUDEVENTS_BINARY, _from_headers(headers), repeated)
    in_body = _structured(record, required=False) if _looks_like_json_object(record.value) else None
    if isinstance(in_body, Event):
        return in_body
    if any(name in headers for name in _GENERIC_NAMES):
        return _event(record, GENERIC, _from_headers(headers), repeated)
    return in_body or _undecodable(
        record, "no dialect", "No envelope convention was recognised in its headers or value."
    )


Lookup = Callable[[tuple[str, ...], list[str]], str]
"""The text of an attribute under the first of its names that has one, or empty. Notes what had to be mended."""


def _headers(record: Record) -> tuple[dict[str, bytes | None], bool]:
    """Headers by lower-case name, the last of several wins; and whether one came twice or some were left out."""
    headers = record.headers
    by_name = {name.lower(): value for name, value in headers[:MAX_HEADERS]}
    return by_name, len(by_name) != len(headers)


def _from_headers(headers: Mapping[str, bytes | None]) -> Lookup:
    def look_up(names: tuple[str, ...], notes: list[str]) -> str:
        for name in names:
            value = headers.get(name)
            if value is None:
                continue
            try:
                found = value.decode()
            except UnicodeDecodeError:
                found = value.decode(errors="replace")
                notes.append(f"{name} is not UTF-8")
            if not found.isprintable():
                found = values.clean(found)
            if not values.is_none(found):
                return found
        return ""

    return look_up


def _from_body(body: Mapping[str, Any]) -> Lookup:
    def look_up(names: tuple[str, ...], _: list[str]) -> str:
        for name in names:
            value = body.get(name)
            if isinstance(value, str | int | float) and not isinstance(value, bool):
                found = values.clean(str(value))
                if not values.is_none(found):
                    return found
        return ""

    return look_up


def _looks_like_json_object(value: bytes | None) -> bool:
    return value is not None and value[:64].lstrip()[:1] == b"{"


def _bundle(record: Record) -> Bundle | Undecodable:
    """A batch of structured CloudEvents; what in it is none is said in one undecodable at its end."""
    try:
        parts = _json.decode(record.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _undecodable(record, "invalid JSON", f"The value is not JSON: {error}.")
    if not isinstance(parts, list) or not parts:
        return _undecodable(record, "invalid value", "A batch of CloudEvents must be a JSON array with events in it.")
    events: list[Event | Undecodable] = []
    for part in parts[:MAX_BUNDLE]:
        if isinstance(part, dict) and all(isinstance(part.get(name), str) for name in CLOUDEVENTS_STRUCTURED.marker):
            event = _event(record, CLOUDEVENTS_STRUCTURED, _from_body(part), repeated=False)
            events.append(msgspec.structs.replace(event, position=len(events)))
    if len(events) < len(parts):
        detail = f"Of the {len(parts)} parts of the batch {len(events)} are read; others are no events, or too many."
        events.append(_undecodable(record, "incomplete batch", detail))
    return Bundle(tuple(events), _record_time(record) or values.EARLIEST)


def _structured(record: Record, *, required: bool) -> Event | Undecodable:
    """A structured CloudEvent; `required`: its content type says so, so that what is missing is only noted."""
    if record.value is None or len(record.value) > MAX_BODY_BYTES:
        size = "null" if record.value is None else f"{len(record.value)} bytes long"
        return _undecodable(record, "invalid value", f"A structured CloudEvent was announced, but the value is {size}.")
    try:
        body = _json.decode(record.value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _undecodable(record, "invalid JSON", f"The value is not JSON: {error}.")
    if not isinstance(body, dict):
        return _undecodable(record, "invalid value", "A structured CloudEvent must be one JSON object.")
    if not required and not all(isinstance(body.get(name), str) for name in CLOUDEVENTS_STRUCTURED.marker):
        return _undecodable(record, "no dialect", "The JSON object has none of the known envelopes.")
    return _event(record, CLOUDEVENTS_STRUCTURED, _from_body(body), repeated=False)


def _event(record: Record, dialect: Dialect, look_up: Lookup, repeated: bool) -> Event:
    notes: list[str] = ["a header came twice or some were left out"] if repeated else []
    identifier = look_up(dialect.id, notes)
    if not identifier:
        identifier = record.coordinates
        notes.append("no id: its coordinates stand for it")
    identifier = _bounded(identifier, "id", notes)
    source = look_up(dialect.source, notes)
    if not source:
        source = record.topic.name
        notes.append("no source: the topic stands for it")
    source = _bounded(source, "source", notes)
    kind = look_up(dialect.type, notes)
    if not kind:
        kind = UNTYPED
        notes.append("no type")
    time, record_time = _times(record, look_up(dialect.time, notes), notes)
    transaction, basis = _transaction(dialect, look_up, notes)
    causes, trace = look_up(dialect.causes, notes), look_up(dialect.trace, notes)
    return Event(
        id=identifier,
        source=source,
        type=_bounded(kind, "type", notes),
        service=values.service_of(source),
        time=time,
        record_time=record_time,
        dialect=dialect.name,
        transaction_ids=(transaction,) if transaction else (),
        causes=_causes(causes, notes) if causes else (),
        subject=_bounded(look_up(dialect.subject, notes), "subject", notes) if dialect.subject else "",
        trace=values.trace_of(trace) if trace else "",
        basis=basis,
        notes=tuple(notes),
    )


def _transaction(dialect: Dialect, look_up: Lookup, notes: list[str]) -> tuple[str, str]:
    """The transaction's id and the place where it was found; both empty where there is none."""
    for name in dialect.transaction:
        if found := look_up((name,), notes):
            return _bounded(found, "transaction id", notes), f"{dialect.place.value} {name}"
    return "", ""


def _bounded(text: str, what: str, notes: list[str]) -> str:
    if len(text) <= values.SURELY_SHORT:
        return text
    name = values.bounded(text)
    if name is not text:
        notes.append(f"{what} was shortened")
    return name


def _causes(text: str, notes: list[str]) -> tuple[str, ...]:
    """The ids of the causes; several are separated by commas."""
    if "," not in text:
        return (values.bounded(text),)
    names = [values.bounded(part.strip()) for part in text.split(",", MAX_CAUSES)]
    if len(names) > MAX_CAUSES:
        notes.append(f"more than {MAX_CAUSES} causes: the rest was left out")
    return tuple(dict.fromkeys(name for name in names[:MAX_CAUSES] if not values.is_none(name)))


def _record_time(record: Record) -> datetime | None:
    stamp = record.timestamp
    return stamp if stamp is not None and values.within_bounds(stamp) else None


def _times(record: Record, text: str, notes: list[str]) -> tuple[datetime, datetime]:
    """The event's own time and the record's; where one is missing or beyond bounds, the other stands for it."""
    stamp = _record_time(record)
    own = values.moment(text) if text else None
    if text and own is None:
        notes.append("its time is not readable: the record's stands for it")
    elif own is not None and not values.within_bounds(own):
        own = None
        notes.append("its time is out of bounds: the record's stands for it")
    elif not text:
        notes.append("no time: the record's stands for it")
    if stamp is None:
        notes.append("the record has no usable timestamp")
    fallback = stamp or own or values.EARLIEST
    return own or fallback, fallback


def _undecodable(record: Record, reason: str, detail: str) -> Undecodable:
    return Undecodable(reason, values.clean(detail)[:500], _record_time(record) or values.EARLIEST)
