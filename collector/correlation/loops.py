"""Loops and runaway fan-out: events that keep leading to events of their own type, and one that leads to very many."""

from __future__ import annotations

from collections import Counter

from collector.correlation.causality import Links, onward
from collector.correlation.choreography import Limits
from collector.correlation.findings import Finding
from collector.correlation.shape import Shape


def find(shape: Shape, links: Links, limits: Limits) -> list[Finding]:
    """At most one loop for each event type, where it goes beyond the limit first; and each event that fans out."""
    counts = Counter(shape.types)
    order = onward(len(shape.types), links.links)
    parents: dict[int, list[int]] = {}
    for link in links.links:
        parents.setdefault(link.child, []).append(link.parent)
    found = [
        looping
        for name, count in counts.items()
        if count > limits.loop
        for looping in _loop(name, order, parents, shape, limits)
    ]
    for position, children in sorted(Counter(link.parent for link in links.links).items()):
        if children > limits.fan_out:
            sentence = f"{shape.types[position]} led to {children} events at once: a runaway fan-out."
            found.append(Finding("fan-out", sentence, position))
    return found


def _loop(name: str, order: list[int], parents: dict[int, list[int]], shape: Shape, limits: Limits) -> list[Finding]:
    """Follows every chain from its root, counting the events of this type on it."""
    most = [0] * len(shape.types)
    first: int | None = None
    for position in order:
        most[position] = max((most[parent] for parent in parents.get(position, ())), default=0)
        if shape.types[position] == name:
            most[position] += 1
            if most[position] > limits.loop and (first is None or position < first):
                first = position
    if first is None:
        return []
    return [Finding("loop", f"{name} led to {name} again, {max(most)} times in one chain: a loop.", first)]
