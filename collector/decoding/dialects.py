"""Envelope conventions as data: by what a dialect is known, and where each attribute sits.

A dialect's names are looked up in the record's headers or in its JSON body, without regard to case in headers. Several
names for one attribute are tried in order.
"""

from __future__ import annotations

from enum import Enum

import msgspec


class Place(Enum):
    HEADERS = "header"
    BODY = "value"


class Dialect(msgspec.Struct, frozen=True):
    """`marker`: names of which all must be there for the record to be of this dialect (none: the fallback)."""

    name: str
    place: Place
    marker: tuple[str, ...]
    transaction: tuple[str, ...]
    id: tuple[str, ...]
    causes: tuple[str, ...]
    type: tuple[str, ...]
    source: tuple[str, ...]
    time: tuple[str, ...]
    subject: tuple[str, ...] = ()
    trace: tuple[str, ...] = ("traceparent",)


# https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md, section 3.2
CLOUDEVENTS_BINARY = Dialect(
    name="CloudEvents binary",
    place=Place.HEADERS,
    marker=("ce_specversion",),
    transaction=("ce_correlationid",),
    id=("ce_id",),
    causes=("ce_causationid",),
    type=("ce_type",),
    source=("ce_source",),
    time=("ce_time",),
    subject=("ce_subject",),
    trace=("traceparent", "ce_traceparent"),
)

# the same, section 3.3; the content-type header is optional in practice, hence the marker
CLOUDEVENTS_STRUCTURED = Dialect(
    name="CloudEvents structured",
    place=Place.BODY,
    marker=("specversion", "id", "source", "type"),
    transaction=("correlationid",),
    id=("id",),
    causes=("causationid",),
    type=("type",),
    source=("source",),
    time=("time",),
    subject=("subject",),
)

GENERIC = Dialect(
    name="generic headers",
    place=Place.HEADERS,
    marker=(),
    transaction=(
        "correlation-id",
        "correlationid",
        "correlation_id",
        "x-correlation-id",
        "transaction-id",
        "x-request-id",
    ),
    id=("message-id", "event-id", "eventid"),
    causes=("causation-id", "causationid", "parent-id"),
    type=("event-type", "eventtype", "type"),
    source=("source",),
    time=("event-time", "timestamp"),
    subject=("subject",),
)
