"""What a list of transactions can be narrowed by, parsed from the parameters of a URL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta, tzinfo

from collector.models import Phase
from collector.queries.bounds import decode_cursor

STUCK = "stuck"
STATUSES = (STUCK, *Phase.values)
MOST_ROWS = 200
_MOST_CHARACTERS = 500
_BACK = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class BadParameter(ValueError):
    """A parameter that cannot be used; the message is a sentence that names it and the remedy."""


@dataclass(frozen=True)
class TransactionFilter:
    """Empty or None: not narrowed by it. `status` is a phase of transactions that are not stuck, or "stuck".
    `awaited_from`: waiting for a service, where `waiting_for` is given too for that of it.
    `directly_after`: with an event of `event_type` directly after one of this type. `variant`: its number."""

    choreography: str = ""
    status: str = ""
    phase: str = ""
    service: str = ""
    event_type: str = ""
    waiting_for: str = ""
    awaited_from: str = ""
    directly_after: str = ""
    variant: int | None = None
    key: str = ""
    q: str = ""
    since: datetime | None = None
    until: datetime | None = None
    min_duration: timedelta | None = None
    limit: int = 50
    cursor: tuple[datetime, int] | None = None

    @classmethod
    def parse(cls, parameters: Mapping[str, str], now: datetime, zone: tzinfo = UTC) -> TransactionFilter:
        """BadParameter where a parameter is unknown or wrong."""
        values = {name: value.strip() for name, value in parameters.items() if value.strip()}
        known = {field.name for field in fields(cls)}
        for name, value in values.items():
            if name not in known:
                raise BadParameter(f"There is no parameter '{name[:50]}'; there are {', '.join(sorted(known))}.")
            if len(value) > _MOST_CHARACTERS or "\x00" in value:
                raise BadParameter(
                    f"'{name}' is longer than {_MOST_CHARACTERS} characters or has a NUL in it; give a shorter text."
                )
        return cls(
            choreography=values.get("choreography", ""),
            status=_one_of("status", values.get("status", ""), STATUSES),
            phase=_one_of("phase", values.get("phase", ""), tuple(Phase.values)),
            service=values.get("service", ""),
            event_type=values.get("event_type", ""),
            waiting_for=values.get("waiting_for", ""),
            awaited_from=values.get("awaited_from", ""),
            directly_after=_directly_after(values),
            variant=_number("variant", values.get("variant")),
            key=values.get("key", ""),
            q=values.get("q", ""),
            since=moment_of("since", values.get("since"), now, zone),
            until=moment_of("until", values.get("until"), now, zone),
            min_duration=_duration("min_duration", values.get("min_duration")),
            limit=_limit(values.get("limit")),
            cursor=_cursor(values.get("cursor")),
        )


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value and value not in allowed:
        raise BadParameter(f"'{name}' is {value!r}; it must be one of {', '.join(allowed)}.")
    return value


def moment_of(name: str, value: str | None, now: datetime, zone: tzinfo = UTC) -> datetime | None:
    """An ISO 8601 time (in `zone` where it names none), or how far back, such as 15m, 2h or 7d."""
    if value is None:
        return None
    try:
        if back := _BACK.fullmatch(value):
            return now - timedelta(**{_UNITS[back[2]]: int(back[1])})
        # A '+' that was not escaped arrives as a space.
        moment = datetime.fromisoformat(value.replace(" 0", "+0") if "T" in value else value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadParameter(
            f"'{name}' is {value!r}; it must be a time such as 2026-11-20T12:00:00Z, or how far back: 15m, 2h, 7d."
        ) from None


def _directly_after(values: Mapping[str, str]) -> str:
    if values.get("directly_after") and not values.get("event_type"):
        raise BadParameter("'directly_after' needs 'event_type' beside it: the type of the event that came then.")
    return values.get("directly_after", "")


def _number(name: str, value: str | None) -> int | None:
    if value is None:
        return None
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise BadParameter(f"'{name}' is {value[:50]!r}; it must be a whole number.")
    return int(value)


def _duration(name: str, value: str | None) -> timedelta | None:
    if value is None:
        return None
    match = _BACK.fullmatch(value)
    if not match:
        raise BadParameter(f"'{name}' is {value!r}; it must be a duration such as 30s, 5m or 2h.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _limit(value: str | None) -> int:
    if value is None:
        return TransactionFilter.limit
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= MOST_ROWS:
        raise BadParameter(f"'limit' is {value!r}; it must be a whole number from 1 to {MOST_ROWS}.")
    return int(value)


def _cursor(value: str | None) -> tuple[datetime, int] | None:
    if value is None:
        return None
    try:
        moment, (key,) = decode_cursor(value, keys=1)
    except (ValueError, OverflowError):
        raise BadParameter(
            "'cursor' was not given out by this list; leave it away to begin with the newest transaction."
        ) from None
    return moment, key
