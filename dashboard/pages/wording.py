"""How numbers and times read. Times of day are in the timezone that the viewer has chosen (dashboard.times)."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.timezone import localtime

NARROW_SPACE = "\u202f"


def duration(seconds: float) -> str:
    """ "38 ms", "5.2 s", "48 s", "4 min 31 s", "2 h 5 min", "3 d 4 h"."""
    if seconds < 0:
        return f"−{duration(-seconds)}"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    return whole(seconds)


def whole(seconds: float) -> str:
    """A duration that counts on while it is read: whole seconds. static/js/clock.js says it in the same words."""
    total = max(0, int(seconds))
    for size, unit, below, below_unit in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if total >= size:
            rest = total % size // below
            return f"{total // size} {unit}" + (f" {rest} {below_unit}" if rest else "")
    return f"{total} s"


def lag(seconds: float) -> str:
    """How far behind: a tenth of a second is as fine as anybody cares for: "0.2 s", "14 s"."""
    return f"{max(0.0, seconds):.1f} s" if seconds < 9.95 else whole(seconds)


def between(start: datetime, end: datetime) -> str:
    return duration((end - start).total_seconds())


def span(length: timedelta) -> str:
    """A length that somebody chose: without decimals that it does not have ("5 s", not "5.0 s")."""
    seconds = length.total_seconds()
    return whole(seconds) if seconds >= 1 and seconds.is_integer() else duration(seconds)


def clock(moment: datetime) -> str:
    """Time of day: "12:01:46"."""
    return localtime(moment).isoformat(timespec="seconds")[11:19]  # strftime takes four times as long


def precise(moment: datetime) -> str:
    """ "12:01:46.920"."""
    return localtime(moment).isoformat(timespec="milliseconds")[11:23]


def full(moment: datetime) -> str:
    """ "2026-11-20 12:01:46.920 UTC"."""
    local = localtime(moment)
    return f"{local.isoformat(' ', 'milliseconds')[:23]} {local.tzname()}"


def day_and_clock(moment: datetime, beside: datetime | None = None) -> str:
    """ "20 Nov 02:40"; beside a moment of the same day only "02:40"."""
    moment = localtime(moment)
    if beside is not None and localtime(beside).date() == moment.date():
        return f"{moment:%H:%M}"
    return f"{moment.day} {moment:%b %H:%M}"


def dated(moment: datetime, now: datetime) -> str:
    """The time of day, with its date where that is not today's."""
    moment = localtime(moment)
    return f"{moment:%H:%M:%S}" if moment.date() == localtime(now).date() else f"{moment:%Y-%m-%d %H:%M:%S}"


def number(value: int) -> str:
    """Thousands apart: "18 204", with a narrow space that does not break."""
    return f"{value:,}".replace(",", NARROW_SPACE)


def amount(value: float) -> str:
    """An amount as configured, of whatever it is: thousands apart, and at most two digits after the point."""
    return f"{value:,.2f}".removesuffix(".00").replace(",", NARROW_SPACE)


def rate(per_second: float) -> str:
    """Always per second, so that figures beside each other compare, with as many digits as matter: "61.8 /s"."""
    if per_second >= 99.95:
        return f"{number(round(per_second))} /s"
    if per_second >= 0.095 or per_second == 0:
        return f"{per_second:.1f} /s"
    return f"{per_second:.2f} /s" if per_second >= 0.005 else "< 0.01 /s"


def size(count: int) -> str:
    """Bytes: "912 B", "4.1 KB", "1.0 MB"."""
    if count < 1_000:
        return f"{count} B"
    if count < 999_950:
        return f"{count / 1_000:.1f} KB"
    return f"{count / 1_000_000:.1f} MB"


def listed(names: list[str] | tuple[str, ...], word: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"


def counted(count: int, singular: str, plural: str = "") -> str:
    return f"{number(count)} {singular if count == 1 else plural or singular + 's'}"
