"""The range of time that a page is about: now, the time up to now, or any in the past. Its address holds it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils import timezone

from collector import queries
from dashboard.pages import wording

USUAL = (("15m", "15 min"), ("1h", "1 h"), ("6h", "6 h"), ("24h", "24 h"), ("7d", "7 d"))
AROUND = timedelta(minutes=15)
"""How long a range is of which only the end is asked for."""
_BACK = re.compile(r"\d{1,6}[smhd]")
_LONGEST = 50


@dataclass(frozen=True)
class Period:
    """`since` None: now, as it is. `until` None: up to now. `back`: the length that was asked for, such as "1h"."""

    now: datetime
    since: datetime | None = None
    until: datetime | None = None
    back: str = ""
    complaint: str = ""

    @property
    def live(self) -> bool:
        return self.until is None

    @property
    def end(self) -> datetime:
        return self.until or self.now

    @property
    def length(self) -> timedelta:
        return self.end - self.since if self.since else AROUND

    @property
    def words(self) -> str:
        if self.since is None:
            return "now"
        if self.until is None:
            return f"last {wording.span(self.length)}" if self.back else f"since {wording.day_and_clock(self.since)}"
        return f"{wording.day_and_clock(self.since)} to {wording.day_and_clock(self.until, self.since)}"

    @property
    def query(self) -> str:
        """As an address holds it; empty for now."""
        return urlencode(self.parameters)

    @property
    def parameters(self) -> dict[str, str]:
        if self.since is None:
            return {}
        since = {"since": self.back or _written(self.since)}
        return since | ({"until": _written(self.until)} if self.until else {})

    @property
    def bounds(self) -> dict[str, datetime]:
        """What a list of transactions is narrowed by."""
        return {name: moment for name, moment in (("since", self.since), ("until", self.until)) if moment is not None}

    @property
    def earlier(self) -> Period:
        end = (self.since or self.now - AROUND) if self.since else self.now - AROUND
        return Period(self.now, end - self.length, end)

    @property
    def later(self) -> Period | None:
        """The one after this; None where this reaches up to now."""
        if self.until is None:
            return None
        end = self.until + self.length
        return Period(self.now, self.until, end) if end < self.now else Period(self.now)

    @property
    def fields(self) -> tuple[str, str]:
        """What the two fields of the form hold: the time of day where people are."""
        return _field(self.since), _field(self.until)


def asked(request: HttpRequest, now: datetime | None = None) -> Period:
    """What ?since= and ?until= say: how far back, or moments; without a zone they are in the timezone that is shown."""
    now = now or timezone.now()
    texts = {name: request.GET.get(name, "").strip()[:_LONGEST] or None for name in ("since", "until")}
    try:
        since, until = (
            queries.moment_of(name, text, now, timezone.get_current_timezone()) for name, text in texts.items()
        )
    except queries.BadParameter as error:
        return Period(now, complaint=str(error))
    if until is not None and until >= now:
        until = None
    if until is not None and since is None:
        since = until - AROUND
    if since is not None and since >= (until or now):
        return Period(now, complaint="The range has to begin before it ends, and in the past.")
    relative = texts["since"] if until is None and _BACK.fullmatch(texts["since"] or "") else None
    return Period(now, since, until, relative or "")


def to_be_rewritten(request: HttpRequest, period: Period) -> str | None:
    """The address that says the same to everybody, where this one has moments without a zone or empty fields."""
    given = {name: request.GET[name] for name in ("since", "until") if name in request.GET}
    if period.complaint or all(text and (_BACK.fullmatch(text) or _zoned(text)) for text in given.values()):
        return None
    rest = {name: value for name, value in request.GET.items() if name not in given and isinstance(value, str)}
    return f"{request.path}?{urlencode({**rest, **period.parameters})}"


def _field(at: datetime | None) -> str:
    return f"{timezone.localtime(at):%Y-%m-%dT%H:%M}" if at else ""


def _zoned(text: str) -> bool:
    try:
        return datetime.fromisoformat(text.replace(" 0", "+0")).tzinfo is not None
    except ValueError:
        return False


def _written(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
