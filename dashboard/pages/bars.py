"""Stacked bars as the paths of an SVG: how transactions ended over time. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from collector.queries.overview import Slot
from dashboard.pages.wording import clock

WIDTH, HEIGHT = 400, 150
LEFT, RIGHT, TOP, BOTTOM = 34, 8, 8, 20


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Bars:
    """`layers`: (kind, path) from the axis upwards. `rows`: the same as a table, ten slots a row."""

    layers: tuple[tuple[str, str], ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    totals: dict[str, int]
    rows: tuple[Slot, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    base: int = HEIGHT - BOTTOM

    @property
    def empty(self) -> bool:
        return not any(self.totals.values())


KINDS = ("completed", "undone", "stuck")


def bars(slots: Sequence[Slot]) -> Bars:
    top = nice_ceiling(max((slot.completed + slot.undone + slot.stuck for slot in slots), default=0))
    step = (WIDTH - LEFT - RIGHT) / max(1, len(slots))
    scale = (HEIGHT - TOP - BOTTOM) / top
    paths: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for index, slot in enumerate(slots):
        below = 0
        for kind in KINDS:
            count = getattr(slot, kind)
            if count:
                x, y = LEFT + index * step, HEIGHT - BOTTOM - (below + count) * scale
                paths[kind].append(f"M{x:.1f} {y:.1f}h{step * 0.8:.1f}v{count * scale:.1f}h{-step * 0.8:.1f}z")
                below += count
    every = timedelta(minutes=15)
    return Bars(
        layers=tuple((kind, "".join(paths[kind])) for kind in KINDS),
        x_ticks=tuple(
            Tick(LEFT + index * step, clock(slot.at)[:5])
            for index, slot in enumerate(slots)
            if slot.at.timestamp() % every.total_seconds() == 0 and LEFT + 12 < LEFT + index * step < WIDTH - RIGHT - 12
        ),
        y_ticks=tuple(Tick(HEIGHT - BOTTOM - value * scale, f"{value:g}") for value in (0, top / 2, top)),
        totals={kind: sum(getattr(slot, kind) for slot in slots) for kind in KINDS},
        rows=tuple(_coarse(slots, 10)),
    )


def nice_ceiling(value: int) -> int:
    """The least of 2, 4, 10, 20, 40, 100 … that is not below: its half is whole too."""
    power = 1
    while True:
        for step in (2, 4, 10):
            if step * power >= value:
                return step * power
        power *= 10


def _coarse(slots: Sequence[Slot], size: int) -> list[Slot]:
    return [
        Slot(part[0].at, *(sum(getattr(slot, kind) for slot in part) for kind in KINDS))
        for part in (slots[start : start + size] for start in range(0, len(slots), size))
    ]
