"""From stored flows to what the live map is drawn from. PURE."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from collector.correlation.choreography import Choreography, RuleBook
from collector.queries.flows import FlowEdge, FlowMap, WaitingStep
from dashboard.graphs import Flow, Waiting


def flows(flow_map: FlowMap, rulebook: RuleBook, choreography: str = "") -> list[Flow]:
    """The edges of one choreography or of all; events that nothing is known to lead to show where it all begins."""
    edges = [edge for edge in flow_map.edges if choreography in ("", edge.choreography)]
    led_to = {(edge.choreography, edge.target_type, edge.target_service) for edge in edges}
    beginnings = [
        event
        for event in flow_map.events
        if choreography in ("", event.choreography)
        and (event.choreography, event.target_type, event.target_service) not in led_to
    ]
    return [_flow(edge, failure_types(rulebook.named(edge.choreography))) for edge in (*beginnings, *edges)]


def waits(steps: Iterable[WaitingStep], choreography: str = "") -> list[Waiting]:
    return [
        Waiting(
            tuple(step.after.split(" + ")), step.awaited, step.service, step.count, step.overdue.count, step.learned
        )
        for step in steps
        if choreography in ("", step.choreography)
    ]


def only(
    found: Sequence[Flow], waiting: Sequence[Waiting], service: str, event_type: str
) -> tuple[list[Flow], list[Waiting]]:
    """What has to do with a service, and with an event type; all of it where none is named."""
    near = [
        flow
        for flow in found
        if service in ("", flow.source_service, flow.target_service)
        and event_type in ("", flow.source_type, flow.target_type)
    ]
    emitted = {flow.target_type for flow in found if flow.target_service == service}
    owed = [
        wait
        for wait in waiting
        if (service in ("", wait.service) or not emitted.isdisjoint(wait.after))
        and (not event_type or event_type in (*wait.after, *wait.awaited.split(" or ")))
    ]
    return near, owed


def failure_types(choreography: Choreography) -> frozenset[str]:
    """Event types of failure paths: those that fail a transaction, that undo something, and that set off undoing."""
    compensations = [rule for rule in choreography.rules if rule.compensates]
    undone = {rule.compensates for rule in compensations}
    around = {name for rule in compensations for name in (*rule.after, *rule.expect)}
    return frozenset((choreography.fails | around) - undone)


def _flow(edge: FlowEdge, failures: frozenset[str]) -> Flow:
    return Flow(
        source_service=edge.source_service,
        source_type=edge.source_type,
        target_service=edge.target_service,
        target_type=edge.target_type,
        count=edge.count,
        p95_seconds=edge.p95,
        failure=edge.target_type in failures,
        topic=edge.topic,
    )
