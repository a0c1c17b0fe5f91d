"""How many events there were in each hour, as bars of an SVG and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboard.pages.bars import Tick, ticks

WIDTH, HEIGHT = 480, 64
_HOUR = timedelta(hours=1)
_EDGE = 6
"""Per cent of the width at either end where no time is written: on a phone it would be cut off."""


@dataclass(frozen=True)
class Rhythm:
    """`path` draws a bar for each hour, `most` is what the highest one stands for. `hours`: when each began, and how
    many, the newest first. `ticks`: times below them, in per cent of the width."""

    path: str
    most: int
    ticks: tuple[Tick, ...]
    hours: tuple[tuple[datetime, int], ...]
    width: int = WIDTH
    height: int = HEIGHT


def rhythm(counts: Sequence[int], now: datetime) -> Rhythm | None:
    """Of the hours up to this one, the oldest first; None where there was nothing."""
    most = max(counts, default=0)
    if not most:
        return None
    step = WIDTH / len(counts)
    bars = [
        f"M{place * step + 1:.1f} {HEIGHT}v{-count * HEIGHT / most:.1f}h{step - 2:.1f}V{HEIGHT}z" if count else ""
        for place, count in enumerate(counts)
    ]
    this = now.replace(minute=0, second=0, microsecond=0)
    hours = tuple((this - back * _HOUR, count) for back, count in enumerate(reversed(counts)))
    times = [Tick(100 * place / len(counts), words) for place, words in ticks([at for at, _ in hours[::-1]], _HOUR)]
    inner = tuple(tick for tick in times if _EDGE < tick.at < 100 - _EDGE)
    return Rhythm("".join(bars), most, inner, hours)
