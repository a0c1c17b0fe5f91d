"""A transaction as it stood at any moment: what had been read by then, judged by today's rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil

from django.http import HttpRequest

from collector.correlation.choreography import RuleBook
from collector.correlation.lifecycle import evaluate
from collector.correlation.reading import Reading
from collector.queries import Found
from dashboard.pages import sentences
from dashboard.pages.statement import Statement, Text

_ANY_TOPIC = 0
_LATEST = 253_402_300_799_000
"""The last millisecond that has a date."""


@dataclass
class _Then:
    """What `sentences` needs to know of a transaction, as it stood."""

    choreography: str
    phase: str
    overdue_since: datetime | None
    started_at: datetime
    last_event_at: datetime
    ended_at: datetime | None
    ended_by: str
    partial: bool
    event_count: int
    abandoned_by: str
    abandoned_reason: str
    abandoned_at: datetime | None
    oversized: bool = False
    historic: bool = False

    @property
    def status(self) -> str:
        return "stuck" if self.overdue_since else self.phase


def moments(found: Found) -> list[int]:
    """Milliseconds since 1970 at which something became known: an event, or that a deadline had passed."""
    known = [event.received_at for event in found.events] + [entry.at for entry in found.transitions]
    return sorted({milliseconds(at) for at in known})


def milliseconds(at: datetime) -> int:
    """Since 1970; at the end of the one that it falls into, it has become known."""
    return ceil(at.timestamp() * 1000)


def asked_moment(request: HttpRequest) -> datetime | None:
    """The moment that ?at= names, in milliseconds since 1970; None: now."""
    text = request.GET.get("at", "")
    if not text.isascii() or not text.isdigit() or len(text) > 15 or int(text) > _LATEST:
        return None
    return datetime.fromtimestamp(int(text) / 1000, tz=UTC)


def statement(found: Found, rulebook: RuleBook, at: datetime) -> Statement:
    """Where it stood then. That everything up to then had been read is taken for granted."""
    events = [event for event in found.skeletons if event.received_at <= at]
    if not events:
        return Statement("running", ("Nothing of it had been read.",))
    transaction = found.transaction
    abandoned = transaction.abandoned_at if transaction.abandoned_at and transaction.abandoned_at <= at else None
    reading = Reading({_ANY_TOPIC: at}, from_start=not transaction.partial)
    state = evaluate(events, rulebook, reading, abandoned)
    then = _Then(
        choreography=state.choreography,
        phase=state.phase,
        overdue_since=state.overdue_since,
        started_at=state.started_at,
        last_event_at=state.last_event_at,
        ended_at=state.ended_at,
        ended_by=state.ended_by,
        partial=state.partial,
        event_count=len(events),
        abandoned_by=transaction.abandoned_by,
        abandoned_reason=transaction.abandoned_reason,
        abandoned_at=abandoned,
    )
    said = sentences.state(then, state.pending, events, rulebook.named(state.choreography), at)
    return Statement(said.status, _stopped(said.head, at), tuple(_stopped(text, at) for text in said.details))


def _stopped(text: Text, at: datetime) -> Text:
    """Its clocks stand at that moment."""
    return ("".join(part if isinstance(part, str) else part.words(at) for part in text),)
