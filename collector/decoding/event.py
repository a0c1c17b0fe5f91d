"""What decoding makes of a record."""

from __future__ import annotations

from datetime import datetime

import msgspec

UNTYPED = "(no type)"


class Event(msgspec.Struct, frozen=True, gc=False):
    """A decoded record; the attributes are those of CloudEvents 1.0, and where the transaction was found.

    `transaction_ids` is empty for an uncorrelated event. `causes` are ids of the events that led to this one. `trace`
    is "trace id/span id" of the W3C trace context, or empty. `basis` names the place of the transaction id.
    `notes` says what had to be assumed or mended.
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


class Undecodable(msgspec.Struct, frozen=True):
    """A record that nothing could read. `reason` is one of few words to count by, `detail` a sentence."""

    reason: str
    detail: str
    record_time: datetime
