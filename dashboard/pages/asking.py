"""What the address of a choreography's page asks for, and addresses that ask for something else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlencode

from django.utils import timezone

from collector import queries

FIELDS = ("since", "until", "status", "against_since", "against_until", "overlay", "detail", "ways")
OVERLAYS: tuple[Literal["frequency", "duration"], ...] = ("frequency", "duration")
RANGES = (("", "All"), ("1h", "1 h"), ("6h", "6 h"), ("1d", "24 h"), ("7d", "7 d"), ("30d", "30 d"))
_DAY = timedelta(days=1)
_LONGEST = 50


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
        zone = ("zone", timezone.get_current_timezone_name())
        return zone, *sorted((name, value) for name, value in self.texts.items() if name not in ("overlay", "detail"))


def asked(parameters: Mapping[str, str], now: datetime) -> Asked:
    """Moments without a zone are in the one that is shown. BadParameter where a moment cannot be read or a status is
    not one; how it is drawn has a usual way for anything else."""
    texts = {name: parameters.get(name, "").strip()[:_LONGEST] for name in FIELDS}
    texts = {name: value for name, value in texts.items() if value}
    since, until = _moments(texts, "since", "until", now)
    against_since, against_until = _moments(texts, "against_since", "against_until", now)
    overlay, detail = texts.get("overlay", ""), texts.get("detail", "")
    whole = detail.isascii() and detail.isdigit() and len(detail) <= 3
    return Asked(
        texts=texts,
        since=since,
        until=until,
        status=queries.TransactionFilter.parse({"status": texts.get("status", "")}, now).status,
        against_since=against_since,
        against_until=against_until,
        overlay="duration" if overlay == "duration" else "frequency",
        detail=min(int(detail), 100) if whole else None,
        causal=texts.get("ways") == "causal",
    )


def _moments(texts: Mapping[str, str], first: str, last: str, now: datetime) -> tuple[datetime | None, datetime | None]:
    zone = timezone.get_current_timezone()
    since, until = (queries.moment_of(name, texts.get(name), now, zone) for name in (first, last))
    if since and until and since >= until:
        raise queries.BadParameter(f"'{first}' is not before '{last}'; exchange them.")
    return since, until


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
