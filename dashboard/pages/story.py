"""A transaction's events and transitions as rows that its page shows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from collector.correlation.causality import Edge
from collector.correlation.events import EventKey, in_order
from collector.correlation.state import Pending
from collector.models import Transition
from collector.queries import Found, StoredEvent
from dashboard.graphs.looks import STEPS
from dashboard.graphs.steps import roles
from dashboard.pages.replay import milliseconds
from dashboard.pages.wording import clock, duration

_BASES = {"explicit": "named by the event", "trace": "by its trace context", "declared": "by a declared rule"}


@dataclass(frozen=True)
class Cause:
    """An event that led to another, by `basis`; without an `event`: one that is named but has not been read, or what
    Choreoscope itself told the bus (`told`)."""

    event: StoredEvent | None
    id: str
    basis: str
    latency: str = ""
    cyclic: bool = False
    told: str = ""


@dataclass(frozen=True)
class EventRow:
    event: StoredEvent
    causes: tuple[Cause, ...]
    marks: tuple[str, ...]
    sign: str
    """Its shape and colour (css/app.css), as the drawings have them."""
    means: str
    known: int
    """When it was read, as a moment of a replay."""


@dataclass(frozen=True)
class Line:
    """An entry of the log. `behind`: how long after what it became known, where that is worth saying."""

    at: datetime
    kind: str
    phase: str
    status: str
    behind: str


def event_rows(found: Found) -> list[EventRow]:
    """In event order."""
    causes = _causes(found)
    marks: defaultdict[EventKey, list[str]] = defaultdict(list)
    for deviation in found.state.deviations:
        if deviation.event is not None:
            marks[tuple(deviation.event)].append(deviation.kind)  # type: ignore[index]
    for edge in found.causality.edges:
        if edge.skewed:
            marks[edge.child].append("clock before its cause's")
    ordered = in_order(found.skeletons)
    role_of = {event.key: role for event, (role, _) in zip(ordered, roles(ordered, found.choreography), strict=True)}
    rows = []
    for event in found.events:
        key = (event.source, event.event_id)
        said = [*marks[key], *(str(note) for note in event.notes or ())]
        if event.redeliveries:
            said.append(f"redelivered {event.redeliveries}×")
        role = role_of[key]
        rows.append(
            EventRow(
                event,
                tuple(causes[key]),
                tuple(dict.fromkeys(said)),
                role.replace(" ", "-"),
                STEPS[role].legend,
                milliseconds(event.received_at),
            )
        )
    return rows


def led_to(found: Found, key: EventKey) -> list[Cause]:
    """The events that this one led to."""
    by_key = {(event.source, event.event_id): event for event in found.events}
    return [
        Cause(
            by_key[edge.child],
            edge.child[1],
            _BASES.get(edge.basis, edge.basis),
            duration(edge.latency.total_seconds()),
        )
        for edge in found.causality.edges
        if edge.parent == key
    ]


def _causes(found: Found) -> defaultdict[EventKey, list[Cause]]:
    by_key = {(event.source, event.event_id): event for event in found.events}
    causes: defaultdict[EventKey, list[Cause]] = defaultdict(list)
    for edges, cyclic in ((found.causality.edges, False), (found.causality.cyclic, True)):
        for edge in edges:
            latency = duration(edge.latency.total_seconds())
            causes[edge.child].append(Cause(by_key[edge.parent], edge.parent[1], _basis(edge), latency, cyclic))
    for child, missing in found.causality.missing:
        causes[child].append(Cause(None, missing, _BASES["explicit"]))
    for child, entry in found.told:
        told = f"Choreoscope said {entry.detail.get('announcement', 'stuck')}, {clock(entry.at)}"
        causes[child].append(Cause(None, "", _BASES["explicit"], told=told))
    return causes


def _basis(edge: Edge) -> str:
    return _BASES.get(edge.basis, edge.basis)


def worst_overdue(found: Found) -> Pending | None:
    """What is overdue for the longest; a single step before the whole transaction."""
    overdue = [entry for entry in found.state.pending if entry.overdue and entry.deadline]
    return min(overdue, key=lambda entry: (entry.kind == "timeout", entry.deadline), default=None)


def transition_lines(transitions: Sequence[Transition]) -> list[Line]:
    """Newest first."""
    lines = []
    for entry in reversed(transitions):
        seconds = (entry.at - entry.effective_at).total_seconds()
        stuck = entry.overdue_since is not None and entry.phase in ("running", "compensating")
        after = "the deadline" if entry.overdue_since else "the event"
        behind = f"{duration(seconds)} after {after}" if seconds >= 0.1 else ""
        lines.append(Line(entry.at, entry.kind, entry.phase, "stuck" if stuck else entry.phase, behind))
    return lines
