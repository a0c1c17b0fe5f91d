"""Text in figures: made safe, made short, and measured without a browser."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

FAMILY = '"Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif'
"""Metric-compatible fonts, so that the widths below hold on every desktop; graph.js shrinks text where they don't."""

REMEMBERED = 8_192
"""Results by name: a choreography has few names, and each stands in its figures many times."""

NAME_BOUND = 400
"""Characters of a name that are looked at at all; hostile names have ten thousand."""

# Advance widths of U+0020–U+007E in thousandths of an em, of Arial and of Arial Bold (Liberation Sans has the same).
_PLAIN = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 278 278 "
    "584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 611 722 667 944 "
    "667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 556 556 333 500 "
    "278 556 500 722 500 500 500 334 260 334 584"
)
_BOLD = (
    "278 333 474 556 556 889 722 238 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 333 333 "
    "584 584 584 611 975 722 722 722 722 667 611 778 722 278 556 722 611 833 722 778 667 778 722 667 611 722 667 944 "
    "667 667 611 333 278 333 584 556 333 556 611 556 611 556 333 611 611 278 278 556 278 889 611 611 611 611 389 556 "
    "333 611 556 778 556 556 500 389 280 389 584"
)
_WIDTHS = {bold: (0,) * 32 + tuple(map(int, table.split())) + (0,) for bold, table in ((False, _PLAIN), (True, _BOLD))}
_UNUSUAL = re.compile("[^ -~\u00a1-\u00ac\u00ae-\u02ff…·→←−×]")
_LATIN, _OTHER, _HUGE = 1.05, 1.4, 14.0
"""Widest of Latin-1 and punctuation, of nearly everything else, and of the few signs that spell whole phrases."""


@lru_cache(REMEMBERED)
def width(text: str, size: float, bold: bool = False) -> float:
    """Pixels that `text` takes at most, with a hair to spare."""
    if text.isascii():
        table = _WIDTHS[bold]
        return sum(map(table.__getitem__, text.encode())) * size * 0.001 + 1
    return sum(_em(char, bold) for char in text) * size + 1


def _em(char: str, bold: bool) -> float:
    code = ord(char)
    if code < 127:
        return _WIDTHS[bold][code] / 1000
    if code < 0x250 or 0x2010 <= code <= 0x2027 or 0x2190 <= code <= 0x2193:
        return 0.35 if char == "·" else _LATIN
    if 0xFDF0 <= code <= 0xFDFF or 0x12000 <= code <= 0x1254F or code in (0x2E3A, 0x2E3B):
        return _HUGE
    return 0.2 if unicodedata.combining(char) else _OTHER


def clean(text: str, bound: int = NAME_BOUND) -> str:
    """One line of printable text: no control, zero-width or bidirectional-override characters, no towers of marks.

    Never empty, at most `bound` characters and an ellipsis. Not escaped.
    """
    return _clean(text[: bound + 2], bound)


@lru_cache(REMEMBERED)
def _clean(text: str, bound: int) -> str:
    cut = text[: bound + 1]
    if _UNUSUAL.search(cut):
        cut = _printable(cut)
    cut = " ".join(cut.split())
    if len(cut) > bound or len(text) > bound + 1:
        cut = cut[:bound] + "…"
    return cut or "(no name)"


def _printable(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        if category[0] == "M":
            marks += 1
            if marks <= 2:
                kept.append(char)
            continue
        marks = 0
        if category[0] == "Z" or char in "\t\r\n":
            kept.append(" ")
        elif category[0] != "C":
            kept.append(char)
    return "".join(kept)


@lru_cache(REMEMBERED)
def escape(text: str) -> str:
    """For Plotly, which reads text as a subset of HTML, and between dollar signs as TeX. For `clean` text."""
    return html.escape(text, quote=False).replace("$", "&#36;")


def short(text: str, room: float, size: float, bold: bool = False) -> str:
    """`text` with its middle cut out until it fits into `room` pixels: names differ at their ends."""
    text = clean(text)
    if width(text, size, bold) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        kept = (low + high + 1) // 2
        if width(_without_middle(text, kept), size, bold) <= room:
            low = kept
        else:
            high = kept - 1
    return _without_middle(text, low)


def _without_middle(text: str, kept: int) -> str:
    tail = kept // 2
    return text[: kept - tail] + "…" + (text[-tail:] if tail else "")


def duration(seconds: float) -> str:
    """38 ms, 500 ms, 1.4 s, 48 s, 2 min 48 s, 1 h 03 min, 3 d 4 h; negative with a minus sign."""
    if seconds < 0:
        return "−" + duration(-seconds)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    return whole_seconds(round(seconds))


def apart(lengths: Sequence[float]) -> list[str]:
    """Durations as exact as it takes for different ones to be told apart: 3 min 24.6 s, 3 min 25.0 s. `lengths` in
    order; a thousandth of a second is not looked into."""
    found = [duration(one) for one in lengths]
    for digits in range(4):
        pairs = zip(pairwise(lengths), pairwise(found), strict=True)
        if not any(said == other and after - before >= 0.001 for (before, after), (said, other) in pairs):
            break
        found = [_exact(one, digits) for one in lengths]
    return found


def _exact(seconds: float, digits: int) -> str:
    """Down to the second, with so many digits of it."""
    if seconds < 0.9995:
        return duration(seconds)
    minutes, rest = divmod(round(seconds, digits), 60)
    if not minutes:
        return f"{rest:.{digits}f} s"
    said = f"{rest:0{digits + 3 if digits else 2}.{digits}f} s"
    if minutes < 60:
        return f"{minutes:.0f} min {said}"
    days, minutes = divmod(minutes, 1440)
    whole = f"{minutes // 60:.0f} h {minutes % 60:02.0f} min {said}"
    return f"{days:.0f} d {whole}" if days else whole


_BREAKS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[ ._/-])(?=[A-Za-z0-9])")


def halves(name: str) -> tuple[str, ...]:
    """A name in two lines, broken between its words nearest to its middle; in one where it is one word."""
    places = [found.start() for found in _BREAKS.finditer(name)]
    if not places:
        return (name,)
    at = min(places, key=lambda place: abs(place - len(name) / 2))
    return name[:at].rstrip(), name[at:]


def about(seconds: float) -> str:
    """A duration out of counts by length, two digits of which are known: 38 ms, 1.0 s, 48 s, 4.5 min, 3 h."""
    if seconds < 0.995:
        return f"{float(f'{seconds * 1000:.2g}') if seconds >= 0.0095 else seconds * 1000:.0f} ms"
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    unit, size = ("min", 60) if seconds < 3570 else ("h", 3600) if seconds < 84_600 else ("d", 86_400)
    value = seconds / size
    return f"{value:.0f} {unit}" if value >= 9.95 else f"{value:.1f} {unit}".replace(".0 ", " ")


def whole_seconds(seconds: int) -> str:
    """As `duration`, in steps of a second: what a running clock shows."""
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02} s"
    if seconds < 86_400:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02} min"
    return f"{seconds // 86_400} d {seconds % 86_400 // 3600} h"


class Pace(NamedTuple):
    """The unit that all rates of one drawing are in, so that they compare."""

    unit: str
    word: str
    seconds: float


PACES = (Pace("s", "second", 1), Pace("min", "minute", 60), Pace("h", "hour", 3600))


def pace(most: float, seconds: float) -> Pace:
    """By the greatest count in so many seconds: the first unit in which that is ten or more."""
    per_second = most / seconds if seconds > 0 else 0.0
    if not per_second:
        return PACES[0]
    return next((pace for pace in PACES if per_second * pace.seconds >= 10), PACES[-1])


def rate(count: float, seconds: float, pace: Pace) -> str:
    """12.4/s, 3.2/min, 0.04/h."""
    value = count / seconds * pace.seconds if seconds > 0 else 0.0
    if value >= 99.5 or value == 0:
        return f"{value:.0f}/{pace.unit}"
    if value >= 0.095:
        return f"{value:.1f}/{pace.unit}"
    return f"{value:.2f}/{pace.unit}" if value >= 0.005 else f"<0.01/{pace.unit}"


def number(count: int) -> str:
    """Short enough for a badge: 999, 1.2k, 12k, 3M."""
    if count < 1000:
        return str(count)
    for factor, unit in ((1_000, "k"), (1_000_000, "M"), (1_000_000_000, "G")):
        if count < factor * 999.5 or unit == "G":
            value = count / factor
            return f"{value:.1f}{unit}" if value < 9.95 else f"{value:.0f}{unit}"
    raise AssertionError("unreachable: the last unit always answers")


def moment(at: datetime) -> str:
    """In the timezone that it comes in: "2026-11-20 12:01:46.920 UTC"."""
    return f"{at.isoformat(' ', 'milliseconds')[:23]} {at.tzname() or ''}"  # strftime takes four times as long


def span(length: timedelta) -> str:
    return duration(length.total_seconds())
