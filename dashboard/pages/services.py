"""Who takes part: whom to call about each service, what it reacts to and emits, and what waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from collector import queries
from collector.queries import presence
from collector.queries.presence import Habits, Silence
from dashboard.pages import frame
from dashboard.pages.overview import flow_map, waiting
from dashboard.pages.rhythm import rhythm
from dashboard.pages.shared import MOMENT, shared

_SLOWLY = 2.0
_COUNTED = 10.0
"""Seconds that it may be old who is silent: that is found in counts of ten seconds each, of an hour where many are."""
_SELDOM = 60.0
"""Seconds that what is usual may be old."""


@dataclass(frozen=True)
class ServiceRow:
    """`heard`: when it was last, as far as that is known."""

    known: queries.Known
    figures: queries.ServiceFigures
    marks: tuple[str, ...]
    heard: datetime | None
    silence: Silence | None
    habits: Habits

    @property
    def troubled(self) -> bool:
        return bool(self.figures.overdue) or "silent" in self.marks


def page(request: HttpRequest) -> HttpResponse:
    return frame.page(request, "services.html", "services", _context())


def fragment(request: HttpRequest) -> HttpResponse:
    return frame.fragment_once(request, "services/content.html", None, _context)


def one(request: HttpRequest, service: str) -> HttpResponse:
    return frame.page(request, "service.html", "services", _one(service))


def one_fragment(request: HttpRequest, service: str) -> HttpResponse:
    return frame.fragment_once(request, "services/one.html", service, lambda: _one(service))


def readers(request: HttpRequest, service: str) -> HttpResponse:
    """Its consumer groups, and whether it has read what asks for all that is overdue. Apart, since Kafka is asked."""
    figures = _row(service).figures
    groups = queries.groups(service, queries.ends_of(sorted({entry.after for entry in figures.reactions})))
    overdue = queries.OverdueWith(service, {(step.choreography, step.awaited) for step in figures.waiting})
    stuck = queries.longest(overdue) if figures.overdue else None
    verdict = queries.reading(overdue) if stuck else ""
    response = render(request, "services/readers.html", {"groups": groups, "verdict": verdict, "stuck": stuck})
    response.headers["Cache-Control"] = "no-store"
    return response


def _context() -> dict[str, Any]:
    return {"rows": found(), "flow_seconds": flow_map().seconds}


def found() -> list[ServiceRow]:
    """All services, those in trouble first."""
    return shared.get("services", MOMENT, _rows)


def _rows() -> list[ServiceRow]:
    """Eight queries, most of them shared with the overview or made now and then. What is in trouble comes first."""
    now = timezone.now()
    known = {one.name: one for one in shared.get("known-services", _SLOWLY, lambda: queries.services(now))}
    every = queries.service_figures(flow_map(), waiting(), known)
    silent = shared.get("silences", _COUNTED, lambda: presence.silences(now))
    usual = shared.get("habits", _SELDOM, lambda: presence.habits(now))
    quiet = tuple(one.name for one in every if one.last_heard is None and one.first_seen is not None)
    before = shared.get(("last-heard", quiet), _SELDOM, lambda: presence.last_heard(quiet, now))
    rows = []
    for one in every:
        heard, silence = one.last_heard or before.get(one.name), silent.get(one.name)
        marks = presence.marks(one.first_seen, heard, silence, one.awaited, now)
        declared = known.get(one.name, queries.Known(one.name))
        rows.append(ServiceRow(declared, one, marks, heard, silence, usual.get(one.name, Habits())))
    return sorted(rows, key=lambda row: (not row.troubled, row.figures.name))


def _row(service: str) -> ServiceRow:
    row = next((row for row in found() if row.figures.name == service), None)
    if row is None:
        raise Http404("There is no such service.")
    return row


def _one(service: str) -> dict[str, Any]:
    row = _row(service)
    return {
        "row": row,
        "figures": row.figures,
        "flow_seconds": flow_map().seconds,
        "name": service,
        "rhythm": rhythm(row.habits.hours, timezone.now()),
    }
