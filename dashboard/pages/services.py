"""Who takes part: whom to call about each service, what it reacts to and emits, and what waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from collector import queries
from dashboard.pages import frame
from dashboard.pages.overview import flow_map, waiting
from dashboard.pages.shared import MOMENT, shared

NEW = timedelta(days=1)
"""So long a service is called new."""
SILENT = timedelta(minutes=5)
"""After that long without an event, while others wait for it or it was heard within the hour, it is called silent."""
_SLOWLY = 2.0


@dataclass(frozen=True)
class ServiceRow:
    known: queries.Known
    figures: queries.ServiceFigures
    marks: tuple[str, ...]

    @property
    def troubled(self) -> bool:
        return bool(self.figures.overdue) or "silent" in self.marks


def page(request: HttpRequest) -> HttpResponse:
    return frame.page(request, "services.html", "services", _context())


def fragment(request: HttpRequest) -> HttpResponse:
    return frame.fragment(request, "services/content.html", _context())


def one(request: HttpRequest, service: str) -> HttpResponse:
    return frame.page(request, "service.html", "services", _one(service))


def one_fragment(request: HttpRequest, service: str) -> HttpResponse:
    return frame.fragment(request, "services/one.html", _one(service))


def readers(request: HttpRequest, service: str) -> HttpResponse:
    """Its consumer groups, and whether it has read what is waited on longest. Apart, since Kafka is asked."""
    figures = _row(service).figures
    found = queries.groups(service, queries.ends_of(sorted({entry.after for entry in figures.reactions})))
    verdict, stuck = "", queries.longest_overdue(service) if figures.overdue else None
    transaction = queries.find(stuck) if stuck else None
    if transaction is not None:
        told = zip(transaction.state.pending, queries.consumers(transaction), strict=True)
        said = [said.sentence for entry, said in told if entry.overdue and entry.service == service and said]
        verdict = said[0] if said else ""
    response = render(request, "services/readers.html", {"groups": found, "verdict": verdict, "stuck": stuck})
    response.headers["Cache-Control"] = "no-store"
    return response


def _context() -> dict[str, Any]:
    rows = shared.get("services", MOMENT, _rows)
    return {"rows": rows, "flow_seconds": flow_map().seconds}


def _rows() -> list[ServiceRow]:
    """Four queries, most of them shared with the overview. What is in trouble comes first."""
    now = timezone.now()
    known = {one.name: one for one in shared.get("known-services", _SLOWLY, lambda: queries.services(now))}
    found = queries.service_figures(flow_map(), waiting(), known)
    rows = [
        ServiceRow(known.get(figures.name, queries.Known(figures.name)), figures, _marks(figures, now))
        for figures in found
    ]
    return sorted(rows, key=lambda row: (not row.troubled, row.figures.name))


def _marks(figures: queries.ServiceFigures, now: datetime) -> tuple[str, ...]:
    heard, first = figures.last_heard, figures.first_seen
    marks = []
    if first is None:
        marks.append("never heard")
    elif (heard is None and figures.awaited) or (heard is not None and now - heard > SILENT):
        marks.append("silent")
    elif heard is None:
        marks.append("not heard for an hour")
    if first is not None and now - first < NEW:
        marks.append("new")
    return tuple(marks)


def _row(service: str) -> ServiceRow:
    found = next((row for row in shared.get("services", MOMENT, _rows) if row.figures.name == service), None)
    if found is None:
        raise Http404("There is no such service.")
    return found


def _one(service: str) -> dict[str, Any]:
    row = _row(service)
    return {"row": row, "figures": row.figures, "flow_seconds": flow_map().seconds, "name": service}
