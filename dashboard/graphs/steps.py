"""One transaction as a graph of steps in lanes: what happened, what is awaited, what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from collector.correlation.causality import Causality, Edge
from collector.correlation.choreography import Choreography
from collector.correlation.events import EventKey, Skeleton, in_order
from dashboard.graphs import text

Role = Literal["event", "end", "failed end", "failure", "undo", "after", "expected", "pending", "overdue", "missing"]
Basis = Literal["explicit", "declared", "pending", "overdue", "expected", "missing"]

UNKNOWN = "not known"
"""The lane of steps whose service nobody knows."""


class Clock(msgspec.Struct, frozen=True):
    """A duration that runs on: up from `at`, or down to it."""

    at: datetime
    down: bool = False

    def text(self, now: datetime) -> str:
        left = (self.at - now if self.down else now - self.at) // timedelta(seconds=1)
        if self.down:
            return f"due in {text.whole_seconds(left)}" if left > 0 else "due now"
        return f"waiting {text.whole_seconds(max(left, 0))}"


class Step(msgspec.Struct, frozen=True):
    """An event, a fold of like events (`count` > 1), or a ghost: a step that is awaited or missing.

    `title`: the type's name, or several that are alternatives. `word`: what is special, in a word. `facts`: lines of
    plain text for the pointer and the table. `order` sorts steps where nothing else does.
    """

    key: str
    role: Role
    title: tuple[str, ...]
    lane: str
    order: int
    word: str = ""
    count: int = 1
    clock: Clock | None = None
    facts: tuple[str, ...] = ()
    data: dict[str, Any] = {}
    at: datetime | None = None
    known_at: datetime | None = None
    """When it was read; None for ghosts."""
    late: bool = False
    """It came after its deadline."""


class Link(msgspec.Struct, frozen=True):
    """`source` led, or is to lead, to `target` (steps' keys); `label` is its duration."""

    source: str
    target: str
    basis: Basis
    label: str = ""
    data: dict[str, Any] = {}


class Steps(msgspec.Struct, frozen=True):
    """The graph: steps in their order, and links that form no cycle."""

    steps: tuple[Step, ...]
    links: tuple[Link, ...]


def as_of(graph: Steps, moment: datetime) -> Steps:
    """The graph with all that was not known then drawn as something yet to come: for a replay, in which everything has
    its place from the beginning."""
    later = {step.key for step in graph.steps if step.known_at is None or step.known_at > moment}
    return Steps(
        tuple(_unknown(step) if step.key in later else step for step in graph.steps),
        tuple(
            msgspec.structs.replace(link, basis="expected", label="") if {link.source, link.target} & later else link
            for link in graph.links
        ),
    )


def _unknown(step: Step) -> Step:
    return msgspec.structs.replace(step, role="expected", word="", clock=None, late=False)


def focus(graph: Steps, *, ended: bool) -> str:
    """The step that is to be seen first: what is overdue, else the newest. What has ended is read from the start."""
    overdue = next((step.key for step in graph.steps if step.role == "overdue"), "")
    if overdue or ended:
        return overdue
    newest = max((step for step in graph.steps if step.known_at), key=lambda step: step.order, default=None)
    return newest.key if newest else ""


def digest(*parts: str) -> str:
    """A short stable key of texts that may be long and hostile."""
    return blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=8).hexdigest()


def happened(
    events: Sequence[Skeleton], causality: Causality, choreography: Choreography, late: Mapping[EventKey, str]
) -> Steps:
    """The events that are there and the parents that are not. `late`: what came after its deadline, and by how much."""
    ordered = in_order(list(events))
    keys = {event.key: digest(*event.key) for event in ordered}
    cyclic = {edge.child for edge in causality.cyclic}
    steps = []
    for number, (event, (role, word)) in enumerate(zip(ordered, roles(ordered, choreography), strict=True)):
        words = (word, "late" if event.key in late else "", "cycle" if event.key in cyclic else "")
        said = " · ".join(filter(None, words))
        steps.append(_event_step(event, keys[event.key], role, said, number, late.get(event.key)))
    links = [_link(edge, keys) for edge in causality.edges]
    lost, lost_links = _missing(causality.missing, keys)
    return Steps((*steps, *lost), (*links, *lost_links))


def roles(ordered: Sequence[Skeleton], choreography: Choreography) -> Iterator[tuple[Role, str]]:
    """What each event is, and in a word what is special about it. `ordered`: in event order."""
    failing = failure_types(choreography)
    undoing = {name for rule in choreography.rules if rule.compensates for name in rule.expect}
    over = False
    for event in ordered:
        yield _role(event.type, choreography, failing, undoing, over)
        over = over or event.type in choreography.ends


def failure_types(choreography: Choreography) -> frozenset[str]:
    """Types on the failure path: those that fail the whole, and those that call for a compensation."""
    return choreography.fails | {name for rule in choreography.rules if rule.compensates for name in rule.after}


def _role(
    name: str, choreography: Choreography, failing: frozenset[str], undoing: set[str], over: bool
) -> tuple[Role, str]:
    if name in undoing:
        return "undo", "compensation, after the end" if over else "compensation"
    if over:
        return "after", "after the end"
    if name in choreography.fails:
        return "failed end", "end after a failure"
    if name in choreography.completes:
        return "end", "end"
    return ("failure", "failure path") if name in failing else ("event", "")


def _event_step(event: Skeleton, key: str, role: Role, word: str, number: int, late: str | None) -> Step:
    return Step(
        key=key,
        role=role,
        title=(event.type,),
        lane=event.service or UNKNOWN,
        order=number,
        word=word,
        facts=(
            text.moment(event.time),
            f"{text.clean(event.topic, 80)}[{event.partition}] @ {event.offset}",
            *([text.clean(late, 160)] if late else []),
        ),
        data={"kind": "event", "source": event.source, "id": event.id},
        at=event.time,
        known_at=event.received_at,
        late=late is not None,
    )


def _link(edge: Edge, keys: dict[EventKey, str]) -> Link:
    return Link(
        keys[edge.parent],
        keys[edge.child],
        "declared" if edge.basis == "declared" else "explicit",
        text.span(edge.latency) + (" skew" if edge.skewed else ""),
        {"kind": "edge", "parent": list(edge.parent), "child": list(edge.child)},
    )


def _missing(missing: Sequence[tuple[EventKey, str]], keys: dict[EventKey, str]) -> tuple[list[Step], list[Link]]:
    """One ghost per cause that was named and has not arrived."""
    steps: dict[str, Step] = {}
    links = []
    for child, cause in missing:
        key = digest("missing", cause)
        if key not in steps:
            steps[key] = Step(
                key=key,
                role="missing",
                title=(cause,),
                lane=UNKNOWN,
                order=-1,
                word="not arrived",
                facts=("named as a cause, but no event here has this id",),
                data={"kind": "missing", "id": cause},
            )
        links.append(Link(key, keys[child], "missing"))
    return list(steps.values()), links
