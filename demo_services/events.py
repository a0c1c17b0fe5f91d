"""CloudEvents in Kafka's binary mode, and ids that stay the same when work is done again."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

Headers = list[tuple[str, bytes]]
Received = list[tuple[str, bytes | None]]
"""Headers as the consumer hands them over: a name may come several times, a value may be missing."""

SOURCE = "/services/"
WEBSITE = "/customers"
_IDS = uuid.uuid5(uuid.NAMESPACE_URL, "https://choreoscope.example/demo")
_REQUIRED = ("ce_id", "ce_source", "ce_type", "ce_correlationid")


class NotAnEventError(ValueError):
    """The record is not one of the company's events; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an order, as a service publishes it.

    `order_id` is the correlation id. `causes` are the ids of the events that led to this one: several on a join.
    `time` is in seconds since the epoch.
    """

    id: str
    source: str
    type: str
    order_id: str
    time: float
    data: dict[str, Any]
    causes: tuple[str, ...] = ()

    def headers(self) -> Headers:
        attributes = {
            "ce_specversion": "1.0",
            "ce_id": self.id,
            "ce_source": self.source,
            "ce_type": self.type,
            "ce_time": datetime.fromtimestamp(self.time, UTC).isoformat(timespec="milliseconds"),
            "ce_subject": self.order_id,
            "ce_correlationid": self.order_id,
            "content-type": "application/json",
        }
        if self.causes:
            attributes["ce_causationid"] = ",".join(self.causes)
        return [(name, value.encode()) for name, value in attributes.items()]

    def value(self) -> bytes:
        return json.dumps(self.data, ensure_ascii=False, separators=(",", ":")).encode()


def read(headers: Received, value: bytes | None) -> Event:
    """The event in a record. Raises NotAnEventError."""
    try:
        attributes = {name: raw.decode() for name, raw in headers if raw is not None}
        data = json.loads(value or b"")
        time = datetime.fromisoformat(attributes["ce_time"]).timestamp() if "ce_time" in attributes else 0.0
    except (ValueError, OverflowError, RecursionError) as error:
        raise NotAnEventError(f"it cannot be read: {error}") from error
    missing = [name for name in _REQUIRED if not attributes.get(name)]
    if missing or not isinstance(data, dict):
        raise NotAnEventError(f"it lacks {', '.join(missing) or 'an object as its value'}")
    return Event(
        id=attributes["ce_id"],
        source=attributes["ce_source"],
        type=attributes["ce_type"],
        order_id=attributes["ce_correlationid"],
        time=time,
        data=data,
        causes=tuple(filter(None, attributes.get("ce_causationid", "").split(","))),
    )


def lasting_id(*parts: str) -> str:
    """An id made of what it stands for: work done again after a crash yields the same event, not another one."""
    return str(uuid.uuid5(_IDS, "\n".join(parts)))


def chance(*parts: str) -> Random:
    """Chance that falls the same way each time for the same parts, so that a decision is never taken twice over."""
    return Random("\n".join(parts))
