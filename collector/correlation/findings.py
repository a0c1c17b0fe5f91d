"""A deviation before its event is known by more than its position."""

from __future__ import annotations

from typing import NamedTuple

from collector.correlation.state import DeviationKind

MOST = 50
"""Deviations kept for one transaction: the first ones tell the story, and a row has to stay small."""


class Finding(NamedTuple):
    """A deviation, with the position of the event that it is about."""

    kind: DeviationKind
    sentence: str
    position: int
