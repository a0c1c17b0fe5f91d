"""Bars as the paths of an SVG: how transactions ended over time, and below the axis how many became stuck."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.timezone import localtime

from collector.queries.overview import Slot
from dashboard.graphs.axis import nice_ceiling
from dashboard.pages.wording import clock, span

WIDTH, HEIGHT = 400, 150
LEFT, RIGHT, TOP, BOTTOM = 34, 8, 8, 20
_DAY = timedelta(days=1)
_STEPS = (
    *(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30, 60, 120, 180, 360, 720)),
    *(timedelta(days=days) for days in (1, 2, 7, 14, 30, 90)),
)
_MOST_ROWS = 40


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Bars:
    """`layers`: (kind, path), from the axis upwards and downwards. `rows`: the same as a table, ten slots a row."""

    layers: tuple[tuple[str, str], ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    totals: dict[str, int]
    rows: tuple[Slot, ...]
    slot: str
    """How long a bar is, in words."""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT

    @property
    def empty(self) -> bool:
        return not any(self.totals.values())


KINDS = ("completed", "undone", "stuck")
_APART = 12.0
"""Between ticks, at least."""


def bars(slots: Sequence[Slot], length: timedelta = timedelta(minutes=1)) -> Bars:
    """`length`: of each of them. What became stuck has not ended: it hangs from the axis, on the same scale."""
    above = nice_ceiling(max((one.completed + one.undone for one in slots), default=0))
    stuck = max((one.stuck for one in slots), default=0)
    below = nice_ceiling(stuck) if stuck else 0
    scale = (HEIGHT - TOP - BOTTOM) / (above + below)
    axis, step = TOP + above * scale, (WIDTH - LEFT - RIGHT) / max(1, len(slots))
    marked = [0, *(value for value in (above / 2, above, -below) if abs(value) * scale >= _APART)]
    return Bars(
        layers=tuple((kind, "".join(_path(slots, kind, axis, step, scale))) for kind in KINDS),
        x_ticks=tuple(
            Tick(LEFT + index * step, words)
            for index, words in ticks([one.at for one in slots], length)
            if LEFT + 12 < LEFT + index * step < WIDTH - RIGHT - 12
        ),
        y_ticks=tuple(Tick(axis - value * scale, f"{abs(value):g}") for value in marked),
        totals={kind: sum(getattr(one, kind) for one in slots) for kind in KINDS},
        rows=tuple(_coarse(slots, 10 if len(slots) > _MOST_ROWS else 1)),
        slot=span(length).removeprefix("1 "),
    )


def _path(slots: Sequence[Slot], kind: str, axis: float, step: float, scale: float) -> Iterator[str]:
    for index, one in enumerate(slots):
        if count := getattr(one, kind):
            top = axis - {"completed": count, "undone": one.completed + count, "stuck": 0}[kind] * scale
            yield f"M{LEFT + index * step:.1f} {top:.1f}h{step * 0.8:.1f}v{count * scale:.1f}h{-step * 0.8:.1f}z"


def ticks(beginnings: Sequence[datetime], slot: timedelta) -> Iterator[tuple[int, str]]:
    """Which of them are round moments where the viewer is, at most five, and how they read: the time of day, or the day
    where one begins and there is more than one. `slot`: how long each of them is."""
    length = slot * len(beginnings)
    every = next((step for step in _STEPS if length <= step * 5), _STEPS[-1])
    for index, at in enumerate(beginnings):
        here = localtime(at)
        midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
        within = here - midnight if every <= _DAY else here - midnight + _DAY * (here.toordinal() % (every // _DAY))
        if within % every < slot:
            begins = here - midnight < slot and length > _DAY
            yield index, f"{here.day} {here:%b}" if every >= _DAY or begins else clock(at)[:5]


def _coarse(slots: Sequence[Slot], size: int) -> list[Slot]:
    return [
        Slot(part[0].at, *(sum(getattr(slot, kind) for slot in part) for kind in KINDS))
        for part in (slots[start : start + size] for start in range(0, len(slots), size))
    ]
