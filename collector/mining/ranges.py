"""Ranges of time, rounded to the buckets that transactions are counted in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from collector.mining.contribution import DAY, first_hourly, hour_of, moment_of


class Range(NamedTuple):
    """From one hour since 1970 up to before another; None: without an end."""

    since: int | None = None
    until: int | None = None

    @property
    def whole(self) -> bool:
        return self.since is None and self.until is None

    @property
    def began(self) -> datetime | None:
        return None if self.since is None else moment_of(self.since)

    @property
    def ended(self) -> datetime | None:
        return None if self.until is None else moment_of(self.until)


def rounded(since: datetime | None, until: datetime | None, now: datetime) -> Range:
    """The least range of whole buckets that holds this one: hours, and days where they are kept no longer."""
    first = first_hourly(now)
    start = None if since is None else _down(hour_of(since), first)
    if until is None:
        return Range(start)
    last = hour_of(until - timedelta(microseconds=1))
    return Range(start, last + 1 if last >= first else last - last % DAY + DAY)


def _down(hour: int, first: int) -> int:
    return hour if hour >= first else hour - hour % DAY
