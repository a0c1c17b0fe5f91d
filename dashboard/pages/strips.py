"""Variants as strips: a square for each event, coloured and lettered by its service. PURE."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from collector.queries import MinedVariant

MOST = 28
"""Squares of a strip; the rest is counted."""
COLOURS = 7
"""With more services, the others share one more colour."""


@dataclass(frozen=True)
class Emitter:
    """A service with the letters and the number of the colour that stand for it."""

    name: str
    letters: str
    colour: int


@dataclass(frozen=True)
class Square:
    """`times`: so many in a row."""

    type: str
    emitter: Emitter
    times: int = 1


@dataclass(frozen=True)
class Strip:
    """A variant. `columns`: squares beside each other; several in a column came about side by side. `statuses`: how
    many transactions stand how, the most first, where not all of them completed. `link`: the query that lists them."""

    variant: MinedVariant
    columns: tuple[tuple[Square, ...], ...]
    more: int
    statuses: tuple[tuple[str, int], ...] = ()
    link: str = ""
    share_before: float | None = None

    @property
    def said(self) -> str:
        """In words."""
        if not self.columns:
            return "Other ways, too many to be told apart"
        parts = [" and ".join(_named(square) for square in column) for column in self.columns]
        return ", then ".join(parts) + (f", and {self.more} more" if self.more else "")

    @property
    def open(self) -> bool:
        """Whether most of them have not ended."""
        waiting = sum(count for status, count in self.statuses if status in ("stuck", "running", "compensating"))
        return waiting * 2 > self.variant.count


def emitters(services: Iterable[str]) -> dict[str, Emitter]:
    """Letters that differ, as few as possible: `order`, `payment` and `pricing` are O, Pa and Pr."""
    names = sorted(set(services))
    begun = Counter((length, name[:length].lower()) for name in names for length in (1, 2, 3))
    found = {}
    for place, name in enumerate(names):
        letters = next(
            (name[:length] for length in (1, 2, 3) if begun[length, name[:length].lower()] == 1),
            name[:3],
        )
        found[name] = Emitter(name, letters[:1].upper() + letters[1:] if name else "?", min(place, COLOURS))
    return found


def occurring(strips: Iterable[Strip]) -> list[Emitter]:
    """What a legend has to explain, by name."""
    found = {square.emitter for one in strips for column in one.columns for square in column}
    return sorted(found, key=lambda one: one.name)


def strip(
    variant: MinedVariant,
    service: Mapping[str, str],
    legend: Mapping[str, Emitter],
    statuses: Mapping[str, int],
    *,
    link: str = "",
    share_before: float | None = None,
) -> Strip:
    """`service`: who emits each event type."""

    def square(name: str, times: int = 1) -> Square:
        return Square(name, legend[service.get(name, "")], times)

    columns: list[tuple[Square, ...]]
    if variant.causes is None or not any(variant.causes):
        columns = [(square(name, len(list(group))),) for name, group in groupby(variant.types)]
    else:
        columns = [tuple(square(*counted) for counted in level) for level in _levels(variant.types, variant.causes)]
    told = sorted(statuses.items(), key=lambda one: (-one[1], one[0]))
    if [status for status, _ in told] == ["completed"]:
        told = []
    kept = columns[:MOST]
    return Strip(variant, tuple(kept), len(columns) - len(kept), tuple(told), link, share_before)


def _levels(types: Sequence[str], causes: Sequence[Sequence[int]]) -> list[list[tuple[str, int]]]:
    """Event types by how many steps they are from a beginning, each with how often it is there."""
    depth: list[int] = []
    for before in causes:
        depth.append(max((depth[place] + 1 for place in before if place < len(depth)), default=0))
    levels: list[dict[str, int]] = [{} for _ in range(max(depth, default=-1) + 1)]
    for name, level in zip(types, depth, strict=True):
        levels[level][name] = levels[level].get(name, 0) + 1
    return [sorted(level.items()) for level in levels]


def _named(square: Square) -> str:
    return square.type if square.times == 1 else f"{square.type} ×{square.times}"
