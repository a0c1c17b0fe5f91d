"""Graphs of one transaction, of the live choreography and of an alert, in three pure stages with types between them:

graph (what to draw) → layout (where) → figure (Plotly's dict). No Django, no Kafka, no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Literal

import msgspec

from collector.correlation.causality import Causality
from collector.correlation.choreography import Choreography
from collector.correlation.events import Skeleton
from collector.correlation.state import StoredState
from dashboard.graphs import (
    course,
    figure,
    lanes,
    lanes_scene,
    map_scene,
    sentences,
    sequence,
    spread,
    timeline,
    timeline_scene,
    wiring,
)
from dashboard.graphs import flows as maps
from dashboard.graphs.course import Course, Happened
from dashboard.graphs.graph import Drawing, Flow, Table, Waiting
from dashboard.graphs.scene import Scene
from dashboard.graphs.spread import Spread, meanwhile, usually, waiting
from dashboard.graphs.steps import Steps, as_of, focus
from dashboard.graphs.whole import steps

View = Literal["causal", "time", "sequence"]

__all__ = [
    "Drawing",
    "Flow",
    "Happened",
    "Table",
    "View",
    "Waiting",
    "course_figure",
    "events_figure",
    "meanwhile",
    "services_figure",
    "spread_figure",
    "topics_figure",
    "transaction_figure",
    "usually",
    "waiting",
]


def transaction_figure(
    events: Sequence[Skeleton],
    causality: Causality,
    state: StoredState,
    choreography: Choreography,
    *,
    ended: bool,
    now: datetime,
    view: View = "causal",
    known_at: datetime | None = None,
) -> Drawing:
    """One transaction. causal: a lane per service, a column per causal depth. time: the same lanes over true time.
    sequence: a lifeline per service, a row per event. `known_at`: as much of it as was known then, each at its place.
    """
    late = {one.event: one.sentence for one in state.deviations if one.kind == "late" and one.event is not None}
    graph = steps(
        events, causality, state.pending, choreography, ended=ended, now=now, late=late, folded=view != "time"
    )
    known = as_of(graph, known_at) if known_at else graph
    words = {step.key: step.clock.text(now) if step.clock else step.word for step in known.steps}
    drawn = figure.drawing(_transaction(view, graph, known, now), sentences.steps_table(known, words))
    return msgspec.structs.replace(drawn, focus=focus(known, ended=ended))


def _transaction(view: View, graph: Steps, known: Steps, now: datetime) -> Scene:
    if view == "time":
        return timeline_scene.scene(timeline.known(timeline.place(graph, now), known))
    if view == "sequence":
        return sequence.scene(sequence.known(sequence.place(graph, now), known))
    plan = lanes.place(graph, now)
    return lanes_scene.scene(plan if known is graph else lanes.known(plan, known))


def services_figure(
    flows: Sequence[Flow], waiting: Sequence[Waiting], *, window_seconds: float, detail: int | None = None
) -> Drawing:
    """The live map: services as boxes, an edge per event type and service that reacts to it. `detail`: so many per cent
    of the edges, the busiest; None: as many as can be read."""
    return _map(maps.services(flows, waiting, detail), window_seconds)


def events_figure(
    flows: Sequence[Flow], waiting: Sequence[Waiting], *, window_seconds: float, detail: int | None = None
) -> Drawing:
    """The live map with event types as boxes."""
    return _map(maps.events(flows, waiting, detail), window_seconds)


def topics_figure(
    flows: Sequence[Flow], waiting: Sequence[Waiting], *, window_seconds: float, detail: int | None = None
) -> Drawing:
    """The live map with topics as boxes, an edge per service that answers on one what it reads on another."""
    return _map(maps.topics(flows, waiting, detail), window_seconds)


def spread_figure(spreads: Sequence[Spread], due: float | None) -> Drawing:
    """How long something took, a row for each of `spreads`; `due`: the seconds that it may take."""
    return figure.drawing(spread.scene(spreads, due), spread.table(spreads))


def course_figure(points: Course, happened: Sequence[Happened], until: float, zone: tzinfo = UTC) -> Drawing:
    """How a count went, and what happened meanwhile; moments are seconds since 1970, times of day those of `zone`."""
    return figure.drawing(course.scene(points, happened, until, zone), course.table(points, happened, zone))


def _map(graph: maps.Map, seconds: float) -> Drawing:
    drawn = figure.drawing(map_scene.scene(wiring.place(graph), seconds), sentences.map_table(graph, seconds))
    worst = max(graph.boxes, key=lambda box: box.overdue, default=None)
    return msgspec.structs.replace(drawn, note=graph.note, focus=worst.key if worst and worst.overdue else "")
