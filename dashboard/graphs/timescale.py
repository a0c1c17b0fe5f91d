"""From moments to pixels: true to scale, except that a very long silence is broken and says how long it is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec

from dashboard.graphs import text
from dashboard.graphs.timeline_names import SMALL

LONGEST, NARROWEST = 860.0, 420.0
BROKEN = 96.0
"""Pixels of a silence that is not drawn to scale."""
MOST_BROKEN = 3
OUTWEIGHS = 2.0
"""A silence is broken if it is so many times as long as everything else together."""
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)
BETWEEN_TICKS = 86.0


class Piece(msgspec.Struct, frozen=True):
    """Seconds from `start` to `end` lie between the pixels `left` and `right`."""

    start: float
    end: float
    left: float
    right: float
    broken: bool


class Scale(msgspec.Struct, frozen=True):
    pieces: tuple[Piece, ...]

    def x(self, seconds: float) -> float:
        found = bisect_right(self.pieces, seconds, key=lambda piece: piece.start) - 1
        piece = self.pieces[max(found, 0)]
        share = (seconds - piece.start) / (piece.end - piece.start) if piece.end > piece.start else 0.0
        return piece.left + share * (piece.right - piece.left)

    @property
    def right(self) -> float:
        return self.pieces[-1].right

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Round durations since the start, as far apart as their words need."""
        known = [piece for piece in self.pieces if not piece.broken and piece.end > piece.start]
        per_second = min(((p.right - p.left) / (p.end - p.start) for p in known), default=0.0)
        found: list[tuple[float, str]] = []
        between, wide = 0.0, BETWEEN_TICKS
        while per_second and between < wide:  # the more exact their words, the fewer have room
            between = wide
            moments = self._moments(known, _round_step(between / per_second), between * 0.9)
            words = text.apart(moments)
            found = [(self.x(at), f"+{said}" if at else "start") for at, said in zip(moments, words, strict=True)]
            wide = max((text.width(said, SMALL) + 16 for _, said in found), default=0.0)
        yield from found

    def _moments(self, known: Sequence[Piece], step: float, between: float) -> list[float]:
        found: list[float] = []
        for piece in known:
            at = -(-piece.start // step) * step
            while at <= piece.end:
                if not found or self.x(at) - self.x(found[-1]) >= between:
                    found.append(at)
                at += step
        return found


def _round_step(seconds: float) -> float:
    if seconds < 1:
        power = 0.001
        while power < 1:
            for digit in (1, 2, 5):
                if digit * power >= seconds:
                    return digit * power
            power *= 10
    return next((float(step) for step in _STEPS if step >= seconds), -(-seconds // 86_400) * 86_400.0)


def scale(moments: Sequence[float], left: float) -> Scale:
    """`moments` in seconds since the start, at least one."""
    times = sorted(set(moments))
    gaps = [end - start for start, end in pairwise(times)]
    broken = _broken(gaps)
    drawn = sum(gap for index, gap in enumerate(gaps) if index not in broken)
    wide = min(LONGEST, max(NARROWEST, len(times) * 88.0)) - BROKEN * len(broken)
    pieces, x = [], left
    start = times[0]
    for index, gap in enumerate(gaps):
        if index in broken:
            if start < times[index]:
                end_x = x + (times[index] - start) / drawn * wide
                pieces.append(Piece(start, times[index], x, end_x, False))
                x = end_x
            pieces.append(Piece(times[index], times[index + 1], x, x + BROKEN, True))
            x += BROKEN
            start = times[index + 1]
        elif gap and index == len(gaps) - 1:
            pieces.append(Piece(start, times[-1], x, x + (times[-1] - start) / drawn * wide, False))
    return Scale(tuple(pieces) or (Piece(times[0], times[0], left, left, False),))


def _broken(gaps: list[float]) -> frozenset[int]:
    """Which silences outweigh all the rest: with one of them to scale, everything else would be a dot."""
    found: set[int] = set()
    for index in sorted(range(len(gaps)), key=lambda index: -gaps[index])[:MOST_BROKEN]:
        rest = sum(gap for other, gap in enumerate(gaps) if other != index and other not in found)
        if not rest or gaps[index] <= OUTWEIGHS * rest:
            break
        found.add(index)
    return frozenset(found)
