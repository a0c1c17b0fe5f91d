"""What sentences are made of, and what they are made from. PURE.

A text is a tuple of parts: strings, and moments that the page keeps counting (`Since`, `Until`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dashboard.pages.wording import whole


@dataclass(frozen=True)
class Since:
    """How long ago it was, counting up."""

    at: datetime

    def words(self, now: datetime) -> str:
        return whole((now - self.at).total_seconds())


@dataclass(frozen=True)
class Until:
    """How long it is until then, counting down."""

    at: datetime

    def words(self, now: datetime) -> str:
        return whole((self.at - now).total_seconds())


Part = str | Since | Until
Text = tuple[Part, ...]


@dataclass(frozen=True)
class Statement:
    """`status` gives colour and sign, `head` what to know first, `details` the rest, a sentence each."""

    status: str
    head: Text
    details: tuple[Text, ...] = ()


class Standing(Protocol):
    """What a stored transaction says of itself (collector.models.Transaction)."""

    choreography: str
    phase: str
    overdue_since: datetime | None
    started_at: datetime
    last_event_at: datetime
    ended_at: datetime | None
    ended_by: str
    partial: bool
    oversized: bool
    historic: bool
    abandoned_by: str
    abandoned_reason: str
    abandoned_at: datetime | None
    event_count: int

    @property
    def status(self) -> str: ...


class Edge(Protocol):
    """Durations in seconds."""

    @property
    def p50(self) -> float | None: ...
    @property
    def p95(self) -> float | None: ...


class Flowing(Protocol):
    """What is known of flows lately (collector.queries.FlowMap)."""

    def last_heard(self, service: str) -> datetime | None: ...
    def between(self, after: tuple[str, ...], expect: tuple[str, ...]) -> Edge | None: ...


class Wait(Protocol):
    """Since when deadlines are not judged (collector.queries.Unjudged)."""

    @property
    def since(self) -> datetime | None: ...
    @property
    def wholly(self) -> bool: ...


class Count(Protocol):
    """A count that says in words how far it was counted (collector.queries.Bounded)."""

    @property
    def count(self) -> int: ...
    def __bool__(self) -> bool: ...


def plain(text: Text, now: datetime) -> str:
    return "".join(part if isinstance(part, str) else part.words(now) for part in text)
