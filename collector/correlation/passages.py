"""Where a transaction ends, and the sub-choreographies that it passes through on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from collector.correlation.choreography import Choreography


class Passage(msgspec.Struct, frozen=True):
    """From a start event of a part to its end, by the positions of both; `end` is None while it runs."""

    part: Choreography
    start: int
    end: int | None
    failed: bool = False

    @property
    def phase(self) -> Literal["running", "completed", "failed"]:
        if self.end is None:
            return "running"
        return "failed" if self.failed else "completed"


def end_of(types: Sequence[str], choreography: Choreography, start: int = 0) -> int | None:
    """The position, from `start` on, of the event that ends it: the first that fails it, or that completes it. Where
    it takes all completing events, that is the one with which the last of them has come."""
    wanted = set(choreography.completes)
    for position in range(start, len(types)):
        name = types[position]
        if name in choreography.fails:
            return position
        if name in choreography.completes:
            wanted.discard(name)
            if not wanted or not choreography.completes_all:
                return position
    return None


def passages(types: Sequence[str], choreography: Choreography) -> tuple[Passage, ...]:
    """All passages through parts, each part's in order. A part that has ended can be passed through again; a start
    event within a passage begins no other."""
    found = []
    for part in choreography.parts:
        position = 0
        while position < len(types):
            if types[position] in part.starts:
                end = end_of(types, part, position)
                found.append(Passage(part, position, end, failed=end is not None and types[end] in part.fails))
                if end is None:
                    break
                position = end
            position += 1
    return tuple(found)


def passage_at(found: Sequence[Passage], part: str, position: int) -> Passage | None:
    """The passage through a part that an event belongs to: the latest that began by then, else the first."""
    belongs = None
    for passage in found:
        if passage.part.name == part and (belongs is None or passage.start <= position):
            belongs = passage
    return belongs
