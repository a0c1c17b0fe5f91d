"""Graphs of one transaction and of the live choreography, in three pure stages with types between them:

graph (what to draw) → layout (where) → figure (Plotly's dict). No Django, no Kafka, no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from collector.correlation.causality import Causality
from collector.correlation.choreography import Choreography
from collector.correlation.events import Skeleton
from collector.correlation.state import Pending
from dashboard.graphs import figure, lanes, lanes_scene, map_scene, sentences, wiring
from dashboard.graphs import flows as maps
from dashboard.graphs.graph import Drawing, Flow, Table, Waiting
from dashboard.graphs.whole import steps

__all__ = ["Drawing", "Flow", "Table", "Waiting", "events_figure", "services_figure", "transaction_figure"]


def transaction_figure(
    events: Sequence[Skeleton],
    causality: Causality,
    pending: Sequence[Pending],
    choreography: Choreography,
    *,
    ended: bool,
    now: datetime,
) -> Drawing:
    """The causal lanes of one transaction: a lane per service, a column per causal depth."""
    graph = steps(events, causality, pending, choreography, ended=ended, now=now)
    plan = lanes.place(graph, now)
    words = {key: one.word for key, one in plan.placed.items()}
    return figure.drawing(lanes_scene.scene(plan), sentences.steps_table(graph, words))


def services_figure(flows: Sequence[Flow], waiting: Sequence[Waiting], *, window_seconds: float) -> Drawing:
    """The live map: services as boxes, an edge per event type and service that reacts to it."""
    return _map(maps.services(flows, waiting), window_seconds)


def events_figure(flows: Sequence[Flow], waiting: Sequence[Waiting], *, window_seconds: float) -> Drawing:
    """The live map with event types as boxes."""
    return _map(maps.events(flows, waiting), window_seconds)


def _map(graph: maps.Map, seconds: float) -> Drawing:
    return figure.drawing(map_scene.scene(wiring.place(graph), seconds), sentences.map_table(graph, seconds))
