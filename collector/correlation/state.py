"""The state of a transaction as the lifecycle computes it, and the JSON form in which it is stored."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from collector.correlation.events import EventKey

PendingKind = Literal["response", "join", "compensation", "timeout"]
"""response: a rule with one trigger. join: a join, fully met or (deadline null) still waiting for a trigger.
compensation: a rule that undoes something. timeout: the whole transaction."""


class Pending(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something awaited: after the events `triggers` (of the types `after`), one of `expect`, from `service`.

    `deadline` is null where nothing sets one (a join that still waits for a trigger). `overdue` says that the watermark
    of the topics that matter has passed the deadline and the grace. `basis` is where the deadline comes from
    ("declared" or "learned"); `marks` says what is doubtful about it ("skewed clock").
    """

    rule: str
    kind: PendingKind
    after: tuple[str, ...]
    expect: tuple[str, ...]
    service: str = ""
    triggers: tuple[EventKey, ...] = ()
    deadline: datetime | None = None
    overdue: bool = False
    basis: str = "declared"
    marks: tuple[str, ...] = ()

    @property
    def awaited(self) -> str:
        return " or ".join(self.expect)


DeviationKind = Literal[
    "unexpected",
    "missing",
    "repeated",
    "out of order",
    "forbidden",
    "late",
    "second end",
    "after end",
    "loop",
    "fan-out",
]


class Deviation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something the choreography does not allow, with a sentence that a person understands."""

    kind: DeviationKind
    sentence: str
    event: EventKey | None = None


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """A passage through a sub-choreography. phase: running, completed, failed, or left (the whole ended before it)."""

    name: str
    phase: Literal["running", "completed", "failed", "left"]
    started_at: datetime
    ended_at: datetime | None = None


class State(msgspec.Struct, frozen=True):
    """Where a transaction stands: a function of its events, the rules and the watermarks.

    `next_check` is the earliest moment that a watermark has to pass for this state to change by itself.
    """

    choreography: str
    phase: str
    started_at: datetime
    last_event_at: datetime
    ended_at: datetime | None = None
    ended_by: str = ""
    overdue_since: datetime | None = None
    partial: bool = False
    oversized: bool = False
    historic: bool = False
    pending: tuple[Pending, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    next_check: datetime | None = None
    parts: tuple[Part, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What of it is stored as JSON, for msgspec to encode: pending, deviations and parts; empty ones left out."""
        stored: dict[str, Any] = {}
        if self.pending:
            stored["pending"] = self.pending
        if self.deviations:
            stored["deviations"] = self.deviations
        if self.parts:
            stored["parts"] = self.parts
        return stored


class StoredState(msgspec.Struct, frozen=True):
    """What `Transaction.state` holds."""

    pending: tuple[Pending, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    parts: tuple[Part, ...] = ()

    @classmethod
    def from_json(cls, stored: Any) -> StoredState:
        """From JSON text, or from what that decodes to."""
        return _stored.decode(stored) if isinstance(stored, str) else msgspec.convert(stored, cls)


_stored = msgspec.json.Decoder(StoredState)
