"""The JSON of the API: what programs hold on to. Times are ISO 8601 in UTC, durations milliseconds."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

from ninja import Field, Schema

Item = TypeVar("Item")


class Problem(Schema):
    error: str = Field(description="A sentence that says what is wrong and what helps.")


class Listing(Schema, Generic[Item]):
    items: list[Item]
    next: str | None = Field(description="Give it as `cursor` to continue; null: that was all.")


class ConsumerOut(Schema):
    """Whether the service that owes the answer has read what asks for it, by the offsets of its consumer groups."""

    verdict: str = Field(description="read (and published nothing), behind, no member, or not known")
    sentence: str
    groups: list[str]
    behind: int | None = Field(
        description="Records of that partition that are not committed, up to the one that asks, which included: one of"
        " the next few it may be at work on."
    )
    basis: str = Field(
        description="How the groups are known: declared, named (after the service), learned, likely (one of them is its"
        " group, and it is not known which); empty where none is."
    )


class WaitingFor(Schema):
    """A pending response: after the events `after`, one of `expect` is awaited."""

    after: list[str]
    expect: list[str]
    from_: str | None = Field(alias="from", description="The service that owes it; null where not known.")
    deadline_at: datetime | None
    overdue_ms: int | None = Field(description="How long it is overdue; null while it is not.")
    basis: str = Field(description="Where the deadline comes from.")
    marks: list[str] = Field(description="What is doubtful about it: `skewed clock`.")
    consumer: ConsumerOut | None = Field(description="Of one transaction only; null where nobody is known to owe it.")


class TransactionSummary(Schema):
    id: str
    choreography: str
    status: str = Field(description="The phase, or `stuck`.")
    phase: str
    overdue_since: datetime | None
    started_at: datetime
    last_event_at: datetime
    ended_at: datetime | None
    duration_ms: int | None = Field(description="From start to end; null while it is open.")
    event_count: int
    redelivery_count: int
    failed_delivery_count: int = Field(description="Copies on retry and dead-letter topics: no events of their own.")
    partial: bool
    impact: float | None = Field(description="What is at stake: the largest number that an event of it has there.")
    waiting_for: list[WaitingFor]


class KeyOut(Schema):
    name: str
    value: str


class EventOut(Schema):
    id: str
    source: str
    type: str
    service: str
    time: datetime
    record_time: datetime
    received_at: datetime
    topic: str
    partition: int
    offset: int
    causes: list[str]
    subject: str
    dialect: str
    basis: str = Field(description="Where the transaction id was found.")
    redeliveries: int
    keys: list[KeyOut] = Field(description="Business keys, as configured.")
    notes: list[Any]
    depth: int | None = Field(description="Causal depth: the longest way from an event without known causes.")


class EdgeOut(Schema):
    """`parent` led to `child`: ids of events, which are unique together with their source."""

    parent: str
    parent_source: str
    child: str
    child_source: str
    basis: str = Field(description="explicit, trace or declared")
    latency_ms: float
    skewed: bool = Field(description="The child has the earlier time: clocks disagree.")


class MissingCauseOut(Schema):
    """An event names a cause that has not arrived, or belongs to no transaction of the same id."""

    event: str
    source: str
    cause: str


class CausedByUsOut(Schema):
    """An event names as its cause what Choreoscope itself told the bus of this transaction."""

    event: str
    source: str
    announced: str = Field(description="stuck, recovered or failed")
    at: datetime


class ClockOut(Schema):
    """By how much a service's clock is off, at least, as this transaction shows."""

    service: str
    ahead_ms: int = Field(description="Events had later times than when they were stored.")
    behind_ms: int = Field(description="Events had earlier times than their causes.")


class PartOut(Schema):
    """A passage through a sub-choreography."""

    name: str
    phase: str = Field(description="running, completed, failed, or left: the whole ended before it")
    started_at: datetime
    ended_at: datetime | None


class AbandonedOut(Schema):
    at: datetime
    by: str
    reason: str


class TransitionOut(Schema):
    at: datetime = Field(description="When it became known.")
    effective_at: datetime = Field(description="When it happened.")
    kind: str
    phase: str
    overdue_since: datetime | None
    detail: dict[str, Any]


class DeviationOut(Schema):
    kind: str
    sentence: str
    event: str | None = Field(description="The event's id, where it is one event's.")


class FailedDeliveryOut(Schema):
    """A copy of an event on a retry or dead-letter topic. `event` and `source` are the copy's own words for it."""

    event: str
    source: str
    type: str
    retried: bool = Field(description="It is tried again; else it was set aside.")
    at: datetime
    topic: str
    partition: int
    offset: int
    original_topic: str | None
    original_partition: int | None
    original_offset: int | None
    exception: str = Field(description="The exception's class; empty where it is not said.")
    message: str
    attempts: int | None
    convention: str = Field(description="By what it was recognised.")


class TransactionDetail(TransactionSummary):
    aliases: list[str] = Field(description="Other ids that lead to it, by what links events declare.")
    oversized: bool
    historic: bool
    ended_by: str | None = Field(description="event, learned end, compensation, silence or person")
    abandoned: AbandonedOut | None
    conforms: bool | None = Field(
        description="No deviation, and nothing overdue; null where nothing was declared, or not all of it was read."
    )
    parts: list[PartOut]
    events: list[EventOut]
    edges: list[EdgeOut]
    cycles: list[EdgeOut] = Field(description="Edges that would close a cycle: left out of `edges`.")
    missing_causes: list[MissingCauseOut]
    caused_by_us: list[CausedByUsOut]
    clocks: list[ClockOut]
    transitions: list[TransitionOut]
    failed_deliveries: list[FailedDeliveryOut]
    deviations: list[DeviationOut]


class AlertOut(Schema):
    id: int
    kind: str = Field(
        description="stuck or stuck_compensating; collector_down, collector_behind, partition_unreadable or"
        " topic_forbidden, which are about reading and concern no transactions."
    )
    choreography: str
    awaited: str
    service: str
    subject: str = Field(description="The topic, where it is about the reading of one.")
    state: str
    severity: str = Field(description="info, warning or critical")
    explained_by: int | None = Field(
        description="The alert that is its cause: people are told of that one. Lately resolved, maybe."
    )
    sentence: str
    count: int
    peak: int
    impact: float | None = Field(description="What is at stake in all of them together, where that is configured.")
    since: datetime = Field(description="Since when it is not well; of what has come back, this time.")
    opened_at: datetime = Field(description="When it was raised for the first time.")
    changed_at: datetime
    resolved_at: datetime | None


class PartitionOut(Schema):
    topic: str
    partition: int
    progress: int | None = Field(description="The next offset to read; null where nothing was read yet.")
    end: int | None = Field(description="Where it ended at the last look; null where no broker has said it.")
    lag: int | None = Field(description="Offsets not read yet.")
    held: bool = Field(description="What was not read stands behind an open producer transaction.")
    last_record_at: datetime | None
    unreadable_since: datetime | None


class WatermarkOut(Schema):
    topic: str
    watermark: datetime | None = Field(description="Everything appended before this moment has been read.")
    age_seconds: float | None
    state: str = Field(
        description="read, behind, held (by an open producer transaction), unreadable (some partition) or forbidden"
        " (the right Read is missing); deadlines wait for topics that are not `read`."
    )


class GapOut(Schema):
    topic: str
    partition: int
    kind: str
    from_offset: int
    to_offset: int
    noticed_at: datetime


class CollectorOut(Schema):
    name: str
    at: datetime = Field(description="Its last sign of life.")
    started_at: datetime | None
    stopped: bool = Field(description="It ended as it should.")
    alive: bool
    partitions: int
    events_per_second: float


class TroubleOut(Schema):
    kind: str = Field(
        description="collector_down, collector_behind, partition_unreadable, topic_held or topic_forbidden"
    )
    subject: str = Field(description="The topic; empty where it is reading as a whole.")
    since: datetime | None
    sentence: str


class MutedOut(Schema):
    """Pending responses whose deadlines may pass without a word, because the topics they may come on are not read."""

    choreography: str
    awaited: str
    service: str
    count: int


class CoverageOut(Schema):
    """Events of a service on a topic, with and without a transaction id."""

    topic: str
    service: str
    correlated: int
    uncorrelated: int
    share: float


class IngestionOut(Schema):
    state: str = Field(description="live, behind or down")
    since: datetime | None = Field(description="Since when it is not live.")
    behind_seconds: float | None = Field(description="Of the slowest topic that can be read.")
    troubles: list[TroubleOut]
    muted: list[MutedOut]
    collectors: list[CollectorOut]
    events_per_second: float
    watermarks: list[WatermarkOut]
    partitions: list[PartitionOut]
    gaps: list[GapOut]
    coverage_since: datetime
    coverage: list[CoverageOut] = Field(description="Since `coverage_since`; the least covered first.")
    undecodable: int = Field(description="Within the last day; counting stops at 10,000.")
    uncorrelated: int = Field(description="Within the last day; counting stops at 10,000.")
