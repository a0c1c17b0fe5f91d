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
    def began(self) -> datetime | None:
        return None if self.since is None else moment_of(self.since)

    @property
    def ended(self) -> datetime | None:
        return None if self.until is None else moment_of(self.until)

    @property
    def parts(self) -> Parts:
        since, until = self
        first = None if since is None else since + -since % DAY
        last = None if until is None else until - until % DAY
        if since is not None and until is not None and first >= last:  # type: ignore[operator]
            return Parts(0, 0, tuple(range(since, until)))
        before = () if since is None or first is None else range(since, first)
        after = () if until is None or last is None else range(last, until)
        return Parts(first, last, (*before, *after))


class Parts(NamedTuple):
    """The days that are wholly within a range, from `first` up to before `last` (None: without that end), by their
    first hours since 1970; and the hours before and after them."""

    first: int | None
    last: int | None
    hours: tuple[int, ...]


def first_day_of_hours(now: datetime) -> int:
    """The first hour of the first day of which every hour is kept."""
    first = first_hourly(now)
    return first + -first % DAY


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
