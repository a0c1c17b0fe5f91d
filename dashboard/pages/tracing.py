"""From what was mined to what a discovered map is drawn from. PURE."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from collector.queries.mined import MinedEdge, MinedMap, MinedNode, Taken
from dashboard.graphs.discovered import Discovered, Kind, Shown, Step
from dashboard.pages.comparing import Change, changes, shares


def graph_of(
    mined: MinedMap, services: Mapping[str, str], failures: Collection[str], before: MinedMap | None = None
) -> Discovered:
    """`services`: who emits each event type. With what was there `before`, what is gone is drawn as well, and all that
    changed says so."""
    told = {(one.source, one.target): one for one in changes(mined, before)} if before else {}
    share = shares(mined)
    kinds = [_kind(node, services, failures, told.get((node.type, ""))) for node in mined.nodes]
    steps = [
        _step(edge, share[edge.source, edge.target], failures, told.get((edge.source, edge.target)))
        for edge in mined.edges
    ]
    if before:
        gone_steps = [one for one in told.values() if one.word == "gone" and one.target]
        scale = mined.transactions / max(1, before.transactions)
        steps += [_gone(one, failures, round(one.before * scale)) for one in gone_steps]
        there = {kind.name for kind in kinds}
        ends = {name for one in gone_steps for name in (one.source, one.target)}
        kinds += [
            _gone_kind(node, services, failures)
            for node in before.nodes
            if node.type not in there and (node.type in ends or node.starts)
        ]
    return Discovered(tuple(kinds), tuple(steps))


def timed(part: Shown, took: Mapping[tuple[str, str], Taken]) -> Shown:
    """With how long these steps take."""
    steps = (
        msgspec.structs.replace(step, p50=took[pair].p50, p95=took[pair].p95)
        if (pair := (step.source, step.target)) in took
        else step
        for step in part.steps
    )
    return msgspec.structs.replace(part, steps=tuple(steps))


def _kind(node: MinedNode, services: Mapping[str, str], failures: Collection[str], change: Change | None) -> Kind:
    return Kind(
        name=node.type,
        service=services.get(node.type, ""),
        count=node.count,
        starts=node.starts,
        ends=node.ends - node.in_flight,
        failure=node.type in failures,
        word=change.word if change else "",
        before=change.before if change else None,
        halted=node.in_flight,
    )


def _gone_kind(node: MinedNode, services: Mapping[str, str], failures: Collection[str]) -> Kind:
    return Kind(
        name=node.type,
        service=services.get(node.type, ""),
        count=0,
        starts=node.starts,
        ends=node.ends - node.in_flight,
        failure=node.type in failures,
        word="gone",
        before=node.count,
    )


def _step(edge: MinedEdge, share: float, failures: Collection[str], change: Change | None) -> Step:
    return Step(
        source=edge.source,
        target=edge.target,
        count=edge.count,
        share=share,
        p50=edge.took.p50,
        p95=edge.took.p95,
        failure=edge.target in failures,
        word=change.word if change else "",
        share_before=change.share_before if change else None,
        p50_before=change.p50_before if change else None,
    )


def _gone(change: Change, failures: Collection[str], weight: int) -> Step:
    """What was frequent and is gone is what one looks for: it ranks as if it still were."""
    return Step(
        source=change.source,
        target=change.target,
        count=0,
        share=0.0,
        failure=change.target in failures,
        word=change.word,
        share_before=change.share_before,
        p50_before=change.p50_before,
        weight=weight,
    )
