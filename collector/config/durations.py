"""Durations as people write them in configuration: 500ms, 30s, 5m, 2h, 7d, P1DT12H."""

from __future__ import annotations

import re
from datetime import timedelta

LONGEST = timedelta(days=3650)
"""Ten years: a moment that is so much later than any event's can still be said."""

_SHORT = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", re.ASCII)
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_ISO = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", re.ASCII)


def parse(text: str) -> timedelta:
    """The duration that `text` names: a number with a unit, or ISO 8601 without years and months.

    Raises ValueError with a sentence that says what would be right.
    """
    try:
        found = _read(text.strip())
    except OverflowError:
        found = timedelta.max
    if found is None:
        raise ValueError(f"{text!r} is not a duration; write for example 500ms, 30s, 5m, 2h, 7d or P1D")
    if found > LONGEST:
        raise ValueError(f"{text!r} is too long; {LONGEST.days}d is the longest")
    return found


def _read(text: str) -> timedelta | None:
    if short := _SHORT.fullmatch(text):
        return float(short[1]) * _UNITS[short[2]]
    iso = _ISO.fullmatch(text.upper())
    if iso and any(iso.groups()):
        weeks, days, hours, minutes, seconds = (float(part or 0) for part in iso.groups())
        return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return None
