"""How long transactions took over time, as a heat map in SVG and as a table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, exp, log, sqrt

from django.utils.timezone import localtime

from collector.queries.behaviour import Heat, HeatColumn, lasting
from dashboard.graphs.text import about
from dashboard.pages.bars import Tick
from dashboard.pages.wording import clock, span

WIDTH, HEIGHT = 640, 230
LEFT, RIGHT, TOP, BOTTOM = 52, 8, 8, 22
ROWS = 16
LEVELS = 6
_LEAST = 0.001
_FEW = 0.2
"""Of the busiest column's transactions: with fewer, a column is paler."""
_MARKS: tuple[float, ...] = (
    0.001,
    0.01,
    0.1,
    0.2,
    0.5,
    1,
    2,
    3,
    4,
    5,
    7,
    10,
    15,
    20,
    30,
    45,
    60,
    120,
    300,
    600,
    1800,
    3600,
    7200,
    21600,
    86400,
    259200,
)
_MARKS += (604800, 2592000, 31536000)
_APART = 17.0
_LABELS = 6


@dataclass(frozen=True)
class HeatRow:
    """A column of the map as a row of its table."""

    at: datetime
    count: int
    p50: float | None
    p95: float | None


@dataclass(frozen=True)
class HeatMap:
    """`layers`: (level, path), the palest first. `median`: a line through the columns' medians."""

    layers: tuple[tuple[int, str], ...]
    median: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    rows: tuple[HeatRow, ...]
    step: str
    by_end: bool
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    base: int = HEIGHT - BOTTOM

    @property
    def empty(self) -> bool:
        return not self.layers

    @property
    def said(self) -> str:
        """In a sentence, for those who cannot see it."""
        timed = [row.p50 for row in self.rows if row.p50 is not None]
        if not timed:
            return "Nothing was timed."
        lowest, highest = about(min(timed)), about(max(timed))
        return f"Half took no longer than {lowest} to {highest}, by when they {'ended' if self.by_end else 'began'}."


@dataclass(frozen=True)
class _Scale:
    """From seconds to a place between bottom and top, in logarithms."""

    low: float
    high: float

    def row(self, seconds: float) -> int:
        return min(max(int(self._part(seconds) * ROWS), 0), ROWS - 1)

    def y(self, seconds: float) -> float:
        return HEIGHT - BOTTOM - min(max(self._part(seconds), 0.0), 1.0) * (HEIGHT - TOP - BOTTOM)

    def _part(self, seconds: float) -> float:
        return log(max(seconds, self.low / 2) / self.low) / log(self.high / self.low)


def heat_map(heat: Heat) -> HeatMap:
    scale = _scale(heat.whole)
    wide = (WIDTH - LEFT - RIGHT) / max(1, len(heat.columns))
    high = (HEIGHT - TOP - BOTTOM) / ROWS
    many = max((column.count for column in heat.columns), default=0) * _FEW
    buckets = _Buckets(scale)
    shares = [_shares(column, buckets, many) for column in heat.columns]
    most = max((share for cells in shares for share in cells.values()), default=1.0)
    paths: dict[int, list[str]] = defaultdict(list)
    for place, cells in enumerate(shares):
        for row, share in sorted(cells.items()):
            x, y = LEFT + place * wide, HEIGHT - BOTTOM - (row + 1) * high
            path = f"M{x:.1f} {y:.1f}h{wide + 0.1:.1f}v{high + 0.1:.1f}h{-wide - 0.1:.1f}z"
            paths[ceil(LEVELS * sqrt(share / most))].append(path)
    rows = tuple(_row(column) for column in heat.columns)
    return HeatMap(
        layers=tuple((level, "".join(paths[level])) for level in sorted(paths)),
        median=_median(rows, scale, wide),
        x_ticks=_x_ticks(heat, wide),
        y_ticks=_y_ticks(scale),
        rows=tuple(row for row in rows if row.count),
        step=span(heat.step),
        by_end=heat.by_end,
    )


def _scale(whole: HeatColumn | None) -> _Scale:
    """Without the most extreme two hundredths, which go into the outermost rows."""
    low, high = ((value or 0.0) for value in (whole.quantiles(0.01, 0.99) if whole else (None, None)))
    low = max(low, _LEAST)
    high = max(high, low)
    middle = sqrt(low * high)
    reach = max(log(high / low) / 2 + 0.15, log(2))
    return _Scale(middle / exp(reach), middle * exp(reach))


class _Buckets(dict[int, int]):
    """The row of each bucket of durations: what one column has, most of the others have as well."""

    def __init__(self, scale: _Scale) -> None:
        super().__init__()
        self._scale = scale

    def __missing__(self, bucket: int) -> int:
        self[bucket] = row = self._scale.row(lasting(bucket))
        return row


def _shares(column: HeatColumn, buckets: _Buckets, many: float) -> dict[int, float]:
    """Of the column's transactions, by row. Where there are few, less: they say less."""
    weight = min(1.0, column.count / many) if many else 1.0
    counts: Counter[int] = Counter()
    for bucket, count in column.durations.items():
        counts[buckets[bucket]] += count
    return {row: weight * count / column.count for row, count in counts.items()}


def _row(column: HeatColumn) -> HeatRow:
    p50, p95 = column.quantiles(0.5, 0.95)
    return HeatRow(column.at, column.count, p50, p95)


def _median(rows: Sequence[HeatRow], scale: _Scale, wide: float) -> str:
    """Level across each column, and broken where there is nothing."""
    path, pen = [], "M"
    for place, row in enumerate(rows):
        if row.p50 is None:
            pen = "M"
            continue
        path.append(f"{pen}{LEFT + place * wide:.1f} {scale.y(row.p50):.1f}h{wide:.1f}")
        pen = "L"
    return "".join(path)


def _x_ticks(heat: Heat, wide: float) -> tuple[Tick, ...]:
    every = max(1, ceil(len(heat.columns) / _LABELS))
    daily = heat.step >= timedelta(days=1)
    return tuple(
        Tick(LEFT + place * wide, f"{localtime(column.at):%b %d}" if daily else clock(column.at)[:5])
        for place, column in enumerate(heat.columns)
        if place % every == 0 and LEFT + place * wide < WIDTH - RIGHT - 20
    )


def _y_ticks(scale: _Scale) -> tuple[Tick, ...]:
    ticks: list[Tick] = []
    for mark in _MARKS:
        at = scale.y(mark)
        if scale.low <= mark <= scale.high and all(abs(at - tick.at) >= _APART for tick in ticks):
            ticks.append(Tick(at, span(timedelta(seconds=mark))))
    return tuple(ticks)
