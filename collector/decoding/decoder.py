"""Decodes a record: finds its dialect, reads the attributes where the dialect keeps them, and notes what it assumed.

Total: every record becomes an `Event` or an `Undecodable`, or a `Bundle` of them; no bytes make it raise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from sys import intern
from typing import Any

import msgspec

from collector.decoding import cloudevents, failures, familiar, naming, readings, tracing, values
from collector.decoding.content import Content, Schemas
from collector.decoding.dialects import (
    CLOUDEVENTS_BINARY,
    CLOUDEVENTS_STRUCTURED,
    DAPR,
    FAILED,
    IN_HEADERS,
    IN_VALUE,
    LAST,
    TRACED,
)
from collector.decoding.event import UNTYPED, Bundle, Event, Found, Undecodable
from collector.decoding.matching import ByHeaders, ByValue
from collector.decoding.naming import bounded
from collector.decoding.plans import HEADER, PLANS, VALUE, Look, Plan
from collector.decoding.tracing import Trace
from collector.decoding.values import LONGEST_NONE
from collector.records import Header, Record

LONGEST_CONTENT_TYPE = 200
MAX_BUNDLE = 1_000
"""So many events of one record are looked at."""

_BINARY = PLANS[CLOUDEVENTS_BINARY.name]
_STRUCTURED = PLANS[CLOUDEVENTS_STRUCTURED.name]
_in_headers, _in_value, _last = ByHeaders(IN_HEADERS), ByValue(IN_VALUE), ByHeaders(LAST)
_announced_as, _cloud_event = ByValue([DAPR]), ByValue([CLOUDEVENTS_STRUCTURED])

Document = Mapping[str, Any]


def decode(record: Record, schemas: Schemas | None = None, headers: Sequence[Header] | None = None) -> Found:
    """What this record says; see the module. `headers`: those of the record, where they have been unpacked already."""
    headers = record.headers if headers is None else headers
    if (familiar_one := familiar.read(record, headers)) is not None:
        return familiar_one
    return decode_at_length(Content(record, schemas, headers=headers))


def decode_at_length(content: Content) -> Found:
    """What any record says, the usual one or another."""
    found = _understand(content)
    return found if isinstance(found, Bundle) else postponed(content, found)


def postponed(content: Content, found: Event | Undecodable) -> Event | Undecodable:
    """Undecodable for now, where its transaction may be named by what could not be read, and can perhaps be later."""
    if isinstance(found, Event) and found.transaction_ids:
        return found
    problem = content.waiting
    return found if problem is None else _undecodable(content.record, problem.reason, problem.detail)


def understand(content: Content) -> Found:
    """The same, of a record that has been looked into, but for what may be cured later (`postponed`)."""
    return familiar.read(content.record, content.listed) or _understand(content)


def _understand(content: Content) -> Found:
    if content.record.headers_error:
        return _undecodable(content.record, "headers", content.record.headers_error)
    headers = content.headers
    kind = headers.get("content-type")
    if kind is not None and len(kind) < LONGEST_CONTENT_TYPE and (form := cloudevents.form_of(kind)):
        return _announced(content, form)
    if "ce_specversion" in headers:
        return _event(content, _BINARY)
    return _recognised(content)


def _recognised(content: Content) -> Event | Undecodable:
    """Of the dialect whose marker it has, in its headers or its topic's name, or in its value; or by common names."""
    headers, topic = content.headers, content.record.topic.name
    if dialect := _in_headers.find(headers, topic):
        return _event(content, PLANS[dialect.name])
    document = content.value.document
    if isinstance(document, dict) and (dialect := _in_value.find(document)):
        return _event(content, PLANS[dialect.name], document)
    if dialect := _last.find(headers, topic):
        return _event(content, PLANS[dialect.name])
    for last_resort, says in ((TRACED, tracing.found_in), (FAILED, failures.found_in)):
        if says(headers) is not None:
            return _event(content, PLANS[last_resort.name])
    return _unknown(content)


def _unknown(content: Content) -> Undecodable:
    problem = content.value.problem
    if problem is not None and content.record.value is not None:
        return _undecodable(content.record, problem.reason, f"The value: {problem.detail}")
    return _undecodable(content.record, "no dialect", "No envelope convention was recognised in its headers or value.")


def _announced(content: Content, form: cloudevents.Form) -> Found:
    """Its content type says that it is a CloudEvent in this form; what is missing is only noted."""
    body = cloudevents.body_of(content, form)
    if body.problem is not None:
        return _undecodable(content.record, body.problem.reason, f"The value: {body.problem.detail}")
    if form is cloudevents.Form.BATCH:
        return _bundle(content, body.document)
    if not isinstance(body.document, dict):
        return _undecodable(content.record, "invalid value", "A structured CloudEvent must be one JSON object.")
    return _structured(content, body.document)


def _structured(content: Content, document: Document) -> Event:
    """A CloudEvent; or, as its members say, one by a dialect that builds on them."""
    dialect = _announced_as.find(document)
    return _event(content, PLANS[dialect.name] if dialect else _STRUCTURED, document)


def _bundle(content: Content, parts: object) -> Bundle | Undecodable:
    """A batch of structured CloudEvents; what in it is none is said in one undecodable at its end."""
    if not isinstance(parts, list) or not parts:
        detail = "A batch of CloudEvents must be a JSON array with events in it."
        return _undecodable(content.record, "invalid value", detail)
    found: list[Event | Undecodable] = []
    for part in parts[:MAX_BUNDLE]:
        if isinstance(part, dict) and _cloud_event.find(part):
            found.append(msgspec.structs.replace(_structured(content, part), position=len(found)))
    if len(found) < len(parts):
        detail = f"Of the {len(parts)} parts of the batch {len(found)} are read; others are no events, or too many."
        found.append(_undecodable(content.record, "incomplete batch", detail))
    return Bundle(tuple(found), _record_time(content.record) or values.EARLIEST)


_NOTHING: Document = {}


def _event(content: Content, plan: Plan, document: Document = _NOTHING) -> Event:
    record, headers = content.record, content.headers
    notes: list[str] = ["a header came twice or some were left out"] if content.irregular else []
    identifier = _look(plan.id, content, document, notes)
    if not identifier:
        identifier = record.coordinates
        notes.append("no id: its coordinates stand for it")
    identifier = bounded(identifier, "id", notes)
    source = _look(plan.source, content, document, notes)
    if not source:
        source = record.topic.name
        notes.append("no source: the topic stands for it")
    source = bounded(source, "source", notes)
    kind = _look(plan.type, content, document, notes)
    if not kind:
        kind = UNTYPED
        notes.append("no type")
    time, record_time = _times(record, _look(plan.time, content, document, notes), notes)
    transaction, basis = _transaction(plan, content, document, notes)
    causes = _look(plan.causes, content, document, notes)
    trace, failure = None, None
    if plan.trace or not familiar.BESIDE.isdisjoint(headers):
        trace, named_by = _trace(plan, content, document, notes)
        if trace is not None and not transaction:
            transaction, basis = trace.id, f"trace id in {named_by}"
        failure = failures.found_in(headers)
    if document:
        cloudevents.check(document, notes)
    elif plan is _BINARY and headers["ce_specversion"] != cloudevents.VERSION:
        notes.append(cloudevents.OTHER_VERSION)
    # sources and types are few: thousands of events wait in memory at a time, and many comparisons lie before them
    return Event(
        id=identifier,
        source=intern(source),
        type=intern(bounded(kind, "type", notes)),
        service=values.service_of(source),
        time=time,
        record_time=record_time,
        dialect=plan.name,
        transaction_ids=(transaction,) if transaction else (),
        causes=naming.causes(causes, notes) if causes else (),
        subject=bounded(_look(plan.subject, content, document, notes), "subject", notes) if plan.subject else "",
        trace=str(trace) if trace is not None else "",
        basis=basis,
        notes=tuple(notes),
        failure=failure,
    )


def _look(look: Look, content: Content, document: Document, notes: list[str]) -> str:
    """The text at the first of these places that has one, or empty. Notes what had to be mended."""
    headers = content.headers
    for place, name, path, reading in look:
        if place is HEADER:
            raw = headers.get(name)
            if raw is None:
                continue
            if reading is not None:
                found = reading(raw)
            else:
                try:
                    found = raw.decode()
                except UnicodeDecodeError:
                    found = raw.decode(errors="replace")
                    notes.append(f"{name} is not UTF-8")
                if len(found) > LONGEST_NONE and found[0] != " " != found[-1] and found.isprintable():
                    return found  # the usual case, and nothing to mend
                found = readings.text(found)
        elif reading is not None:
            found = reading(values.member(document, path) if place is VALUE else content.key.document)
        if found:
            return found
    return ""


def _transaction(plan: Plan, content: Content, document: Document, notes: list[str]) -> tuple[str, str]:
    """The transaction's id and the place where it was found; both empty where there is none."""
    for look, basis in plan.transaction:
        if found := _look(look, content, document, notes):
            return bounded(found, "transaction id", notes), basis
    return "", ""


def _trace(plan: Plan, content: Content, document: Document, notes: list[str]) -> tuple[Trace | None, str]:
    """The trace context, and the place where it was found: the dialect's own, or one that any record may have."""
    for look, place in plan.trace:
        if trace := tracing.traceparent(_look(look, content, document, notes)):
            return trace, place
    found = tracing.found_in(content.headers)
    return (found[0], f"header {found[1]}") if found else (None, "")


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
    if stamp is not None:
        return own or stamp, stamp
    notes.append("the record has no usable timestamp")
    fallback = own or values.EARLIEST
    return fallback, fallback


def _undecodable(record: Record, reason: str, detail: str) -> Undecodable:
    return Undecodable(reason, values.clean(detail)[:500], _record_time(record) or values.EARLIEST)
