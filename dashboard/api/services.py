"""Services, as what they emit and react to shows them, and the feed of what changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from collector import queries
from collector.queries.feed import sentence
from dashboard.api import build
from dashboard.api.deeds import ClockState
from dashboard.api.schemas import Listing
from dashboard.pages import news, services

router = Router()
_MILLISECONDS = 1000


class EmittedOut(Schema):
    type: str
    topic: str
    count: int
    last_at: datetime


class ReactionOut(Schema):
    """After this event, of whatever service, it emits that one."""

    after: str
    source: str
    emits: str
    count: int
    p50: float | None = Field(description="Milliseconds; null where none is known.")
    p95: float | None
    together_with: list[str] = Field(
        description="Other types that are needed for it as well: the times contain the waiting for these, but those of"
        " the one that comes last."
    )


class ReadingOut(Schema):
    """The consumer groups by which it may read a topic, by what they had read when it answered: one alone is it."""

    topic: str
    groups: list[str]


class ServiceOut(Schema):
    """Counts and reaction times are of the last five minutes."""

    name: str
    owner: str
    contact: str
    runbook: str
    groups: list[str] = Field(description="Patterns of its consumer groups, as declared.")
    learned_groups: list[ReadingOut] = Field(description="Where none are declared, these count.")
    types: list[str] = Field(description="Event types that it was seen to emit.")
    clock: ClockState | None = Field(description="Null where nothing shows that it is off.")
    marks: list[str] = Field(description="new, silent, vanished, never heard, not heard for an hour; none: as usual.")
    first_seen: datetime | None
    last_heard: datetime | None = Field(
        description="When the ten seconds began in which an event of it last arrived; null where not within two days."
    )
    silent_since: datetime | None = Field(
        description="Since then it says nothing to what it usually reacts to: when it was last heard."
    )
    emits: list[EmittedOut]
    reacts: list[ReactionOut]
    failing: float | None = Field(
        description="Share of its events of the last two days that are of types after which transactions hardly ever"
        " complete; null where too few have ended."
    )
    hours: list[int] = Field(description="Events by the hour their transactions began in: 48, the oldest first.")
    waiting: int = Field(description="Pending responses that it owes.")
    overdue: int


class ChangeOut(Schema):
    at: datetime
    kind: str = Field(description="service, type, rules, learned, forgotten, edge, deviating, silent or vanished")
    name: str = Field(description="The service, event type, edge or choreography; empty for rules.")
    about: str = Field(
        description="Of an event type its service, of an edge its choreography, of what was learned which rule it is."
    )
    sentence: str


@router.get("/services", response=Listing[ServiceOut], summary="Services, and how they behave", tags=["services"])
def list_services(request: HttpRequest) -> dict[str, Any]:
    """Those in trouble first."""
    found = services.found()
    readings = queries.learned_groups([row.figures.name for row in found])
    return {"items": [_service(row, readings.get(row.figures.name, [])) for row in found], "next": None}


@router.get("/changes", response=Listing[ChangeOut], summary="What changed within the last day", tags=["services"])
def list_changes(request: HttpRequest) -> dict[str, Any]:
    """The newest first."""
    items = [
        {"at": one.at, "kind": one.kind, "name": one.name, "about": one.about, "sentence": sentence(one)}
        for one in news.found()
    ]
    return {"items": items, "next": None}


def _service(row: services.ServiceRow, readings: list[queries.LearnedReading]) -> dict[str, Any]:
    figures = row.figures
    return {
        **build.service(row.known),
        "learned_groups": [vars(one) for one in readings],
        "marks": row.marks,
        "first_seen": figures.first_seen,
        "last_heard": row.heard,
        "silent_since": row.silence and row.silence.since,
        "emits": [
            {"type": one.type, "topic": one.topic, "count": one.count, "last_at": one.last_at} for one in figures.emits
        ],
        "reacts": [
            {
                "after": one.after,
                "source": one.source,
                "emits": one.emits,
                "count": one.count,
                "p50": _milliseconds(one.p50),
                "p95": _milliseconds(one.p95),
                "together_with": one.together,
            }
            for one in figures.reactions
        ],
        "failing": row.habits.failing,
        "hours": row.habits.hours,
        "waiting": figures.awaited,
        "overdue": figures.overdue,
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * _MILLISECONDS
