"""What decoding makes of a record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

UNTYPED = "(no type)"


class Failure(msgspec.Struct, frozen=True, gc=False):
    """Why a copy of a record was set aside, or is tried again, as its headers say by this `convention`.

    `topic`, `partition` and `offset` are those of the original; `exception` is its class. Empty or None: not said.
    """

    convention: str
    topic: str = ""
    partition: int | None = None
    offset: int | None = None
    exception: str = ""
    message: str = ""
    attempts: int | None = None


class Event(msgspec.Struct, frozen=True, gc=False):
    """A decoded record; the attributes are those of CloudEvents 1.0, and where the transaction was found.

    `transaction_ids` is empty for an uncorrelated event. `causes` are ids of the events that led to this one. `trace`
    is "trace id/span id/parent span id" of the trace context, or empty. `basis` names the place of the transaction id.
    `keys` are business keys, each with what it is called; `impact` is what is at stake; both as configured.
    `notes` says what had to be assumed or mended. `position`: which of a record's events it is, where it holds several.
    `links`: transaction ids of which those in one group name the same transaction, each with the place of its path.
    `failure`: the record is a copy of an earlier one, whose delivery failed.
    """

    id: str
    source: str
    type: str
    service: str
    time: datetime
    record_time: datetime
    dialect: str
    transaction_ids: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    subject: str = ""
    trace: str = ""
    basis: str = ""
    notes: tuple[str, ...] = ()
    position: int = 0
    keys: tuple[tuple[str, str], ...] = ()
    impact: float | None = None
    failure: Failure | None = None
    links: tuple[tuple[tuple[int, str], ...], ...] = ()


class Undecodable(msgspec.Struct, frozen=True):
    """A record that nothing could read. `reason` is one of few words to count by, `detail` a sentence. `sealed` is the
    record itself, encrypted, where that is to be kept."""

    reason: str
    detail: str
    record_time: datetime
    sealed: bytes | None = None


class Bundle(msgspec.Struct, frozen=True):
    """A record that holds several events, as a CloudEvents batch does; and at the end, perhaps, what of it is none."""

    found: tuple[Event | Undecodable, ...]
    record_time: datetime


Found = Event | Undecodable | Bundle
"""What a record turned out to be."""

T = TypeVar("T")


def opened(decoded: Sequence[tuple[T, Found]]) -> Sequence[tuple[T, Event | Undecodable]]:
    """The same, with each of a bundle's events in its place, beside the record that holds it."""
    return [
        (record, one) for record, found in decoded for one in (found.found if isinstance(found, Bundle) else (found,))
    ]
