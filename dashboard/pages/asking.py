"""What the address of a choreography's page asks for, and addresses that ask for something else. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlencode

from collector import queries

FIELDS = ("since", "until", "status", "against_since", "against_until", "overlay", "detail", "ways")
OVERLAYS: tuple[Literal["frequency", "duration"], ...] = ("frequency", "duration")
RANGES = (("", "All"), ("1h", "1 h"), ("6h", "6 h"), ("1d", "24 h"), ("7d", "7 d"), ("30d", "30 d"))
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Asked:
    """`texts` are the address's parameters as they stand there; `against`: whether two ranges are compared."""

    texts: Mapping[str, str]
    since: datetime | None
    until: datetime | None
    status: str
    against_since: datetime | None
    against_until: datetime | None
    overlay: Literal["frequency", "duration"]
    detail: int | None
    causal: bool

    @property
    def against(self) -> bool:
        return bool(self.against_since or self.against_until)

    def but(self, **others: str) -> str:
        """The query of an address that asks for the same but for these; empty ones are left out."""
        return urlencode({name: value for name, value in {**self.texts, **others}.items() if value})

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """What is found depends on, not how it is drawn."""
        return tuple(sorted((name, value) for name, value in self.texts.items() if name not in ("overlay", "detail")))


def asked(parameters: Mapping[str, str], now: datetime) -> Asked:
    """BadParameter where a moment cannot be read or a status is not one; how it is drawn has a usual way for anything
    else."""
    texts = {name: parameters.get(name, "").strip() for name in FIELDS}
    texts = {name: value for name, value in texts.items() if value}
    wanted = _moments(texts, "since", "until", now, texts.get("status", ""))
    against = _moments(texts, "against_since", "against_until", now)
    overlay, detail = texts.get("overlay", ""), texts.get("detail", "")
    whole = detail.isascii() and detail.isdigit() and len(detail) <= 3
    return Asked(
        texts=texts,
        since=wanted.since,
        until=wanted.until,
        status=wanted.status,
        against_since=against.since,
        against_until=against.until,
        overlay="duration" if overlay == "duration" else "frequency",
        detail=min(int(detail), 100) if whole else None,
        causal=texts.get("ways") == "causal",
    )


def _moments(
    texts: Mapping[str, str], since: str, until: str, now: datetime, status: str = ""
) -> queries.TransactionFilter:
    given = {"since": texts.get(since, ""), "until": texts.get(until, ""), "status": status}
    found = queries.TransactionFilter.parse(given, now)
    if found.since and found.until and found.since >= found.until:
        raise queries.BadParameter(f"'{since}' is not before '{until}'; exchange them.")
    return found


def earlier(since: datetime | None, until: datetime | None, now: datetime) -> list[tuple[str, dict[str, str]]]:
    """What a range, as it was rounded, is usually compared with: just as long right before it, a day and a week before.
    None for all times, which nothing is before."""
    if since is None:
        return []
    until = until or now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    found = []
    for words, by in (("the time before", until - since), ("a day before", _DAY), ("a week before", 7 * _DAY)):
        if words == "the time before" or by > until - since:
            found.append((words, {"against_since": _text(since - by), "against_until": _text(until - by)}))
    return found


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%MZ}"
