"""The JSON of what people may do through the API, and of what choreographies, causes and the bus come to."""

from __future__ import annotations

from datetime import datetime

from ninja import Field, Schema


class Abandonment(Schema):
    reason: str = Field(min_length=1, max_length=500, description="Why it will never progress.")
    by: str = Field("", max_length=200, description="Who says so, where nobody is logged in.")


class ChoreographyOut(Schema):
    name: str
    declared: bool
    in_flight: int
    started: int = Field(description="This and what follows: since `since`, by when it became known.")
    completed: int
    failed: int
    compensated: int
    abandoned: int
    became_stuck: int = Field(description="How often one did: the same transaction may, again.")
    deviating: int = Field(description="Ended with deviations.")
    conformance: float | None = Field(description="Share of the ended without any; null where none has ended.")


class CommonOut(Schema):
    what: str = Field(description="What they share: the partition of a topic, an event type, a header, a business key.")
    value: str
    stuck: float = Field(description="Share of the stuck ones that have it.")
    healthy: float
    sentence: str


class ComparisonOut(Schema):
    """Stuck transactions of one cause against those of the same time that have got the answer."""

    at: datetime = Field(description="When they were compared.")
    stuck: int = Field(description="How many were compared; 100 at most.")
    healthy: int
    items: list[CommonOut]


class ClockState(Schema):
    """By how much its clock was off, at least, on the last day that showed it."""

    ahead_ms: int = Field(description="Events had later times than when they were stored.")
    behind_ms: int = Field(description="Events had earlier times than their causes.")
    events: int = Field(description="How many showed it on that day.")
    at: datetime = Field(description="When that was last seen.")


class BusOut(Schema):
    """Events for the bus, and the breaker that bounds their rate."""

    publish: bool
    topic: str
    most_per_minute: int
    tripped_at: datetime | None = Field(description="Since when more were due than that; null: nothing is held back.")
    waiting: int = Field(description="Events not published yet; counting stops at 100,000.")


class Release(Schema):
    discard: bool = Field(False, description="They never go out, instead of now.")
