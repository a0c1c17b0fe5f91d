"""Reading hostile bytes: text that any page and any database can take, ids of bounded length, times within bounds."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

ID_BYTES = 200
SURELY_SHORT = ID_BYTES // 4
"""So many characters have at most that many bytes in UTF-8."""
_PREFIX_BYTES = 160
MASK = "***"
"""What stands for a value that must not be known. It is no id and no name: as if nothing were there."""
LONGEST_NONE = 4
"""So many characters has the longest text that stands for none, "null"."""
FIRST_YEAR, LAST_YEAR = 1970, 2199
EARLIEST = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
LATEST = datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def clean(text: str) -> str:
    """Text without what PostgreSQL cannot store (NUL, lone surrogates) and other control characters, each as U+FFFD."""
    return text if text.isprintable() else _CONTROL.sub("\ufffd", text)


def bounded(name: str) -> str:
    """A name of at most 200 bytes: longer ones keep their beginning and end in a digest, so that they stay distinct."""
    if len(name) <= SURELY_SHORT:
        return name
    raw = name.encode()
    if len(raw) <= ID_BYTES:
        return name
    digest = hashlib.sha256(raw).hexdigest()[:32]
    return f"{raw[:_PREFIX_BYTES].decode(errors='ignore')}…{digest}"


def is_none(identifier: str) -> bool:
    """Empty and "null" are what serialisers write for an id that is not there; a masked one is none either."""
    if len(identifier) > LONGEST_NONE and identifier[0] > " " and identifier[-1] > " ":
        return False  # the usual case: too long, and without blanks around it
    return identifier.strip().lower() in {"", "null", MASK}


def moment(rfc3339: str) -> datetime | None:
    """An aware time in UTC from RFC 3339 text with 0 to 9 fractional digits, or None where it is none.

    Digits beyond microseconds are cut. A time without an offset is read as UTC, as most writers mean it.
    """
    try:
        parsed = datetime.fromisoformat(rfc3339 if rfc3339[-1:] == "Z" else rfc3339.strip().upper())
        if parsed.tzinfo is UTC:
            return parsed
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def within_bounds(time: datetime) -> bool:
    return EARLIEST <= time < LATEST


@lru_cache(maxsize=4096)
def service_of(source: str) -> str:
    """The service that a CloudEvents source names: the last segment of its path or URN ("/services/payment")."""
    trimmed = source.rstrip("/:")
    return re.split(r"[/:]", trimmed)[-1] or source


def steps(path: str) -> tuple[str, ...]:
    """The names of the members that a dotted path leads through."""
    return tuple(path.split("."))


def member(document: Any, path: tuple[str, ...]) -> Any:
    """What lies at this path of a document; None where there is nothing."""
    for name in path:
        if not isinstance(document, Mapping):
            return None
        document = document.get(name)
    return document
