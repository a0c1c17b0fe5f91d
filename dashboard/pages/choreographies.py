"""The list of choreographies: how many transactions of each, how they fare, how long they take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from collector import config, queries
from collector.queries import behaviour
from dashboard.pages import asking, frame
from dashboard.pages.shared import shared
from dashboard.pages.wording import counted

_SLOWLY = 2.0
_LATELY = "1d"


@dataclass(frozen=True)
class ListedChoreography:
    """`figures` are those of the last day, by when it became known; `trend` is the path of a line, 100 wide and 24
    high."""

    fare: behaviour.Fare
    figures: queries.ChoreographyFigures | None
    trend: str

    @property
    def trend_said(self) -> str:
        return f"{counted(sum(self.fare.trend), 'transaction')} began in the last {behaviour.TREND_HOURS} hours"


def page(request: HttpRequest) -> HttpResponse:
    context = _context(request)
    status = 400 if context["complaint"] else 200
    return frame.page(request, "choreographies.html", "choreographies", context, status)


def fragment(request: HttpRequest) -> HttpResponse:
    return frame.fragment(request, "choreographies/content.html", _context(request))


def _context(request: HttpRequest) -> dict[str, Any]:
    parameters = {name: value for name in ("since", "until") if (value := request.GET.get(name, "").strip())}
    context = {"ranges": asking.RANGES, "texts": parameters, "complaint": "", "listed": []}
    try:
        wanted = asking.asked(parameters, timezone.now())
    except queries.BadParameter as error:
        return {**context, "complaint": str(error)}
    return {**context, "listed": shared.get(("choreographies", wanted.key), _SLOWLY, lambda: _listed(wanted))}


def _listed(wanted: asking.Asked) -> list[ListedChoreography]:
    """Four queries. The declared ones are there even when nothing is known of them; the busiest come first."""
    now = timezone.now()
    rulebook = config.current(settings.CHOREOSCOPE_CONFIG).rulebook
    since = queries.TransactionFilter.parse({"since": _LATELY}, now).since or now
    figures = {one.name: one for one in queries.choreographies(since, rulebook)}
    found = {one.name: one for one in behaviour.fares(wanted.since, wanted.until, now)}
    for name in rulebook.by_name:
        found.setdefault(name, behaviour.Fare(name, {}, queries.Taken(), (0,) * behaviour.TREND_HOURS))
    rows = [ListedChoreography(fare, figures.get(name), _line(fare.trend)) for name, fare in found.items()]
    return sorted(rows, key=lambda row: (-row.fare.transactions, row.fare.name))


def _line(trend: tuple[int, ...]) -> str:
    """From the oldest hour to the latest; empty where nothing began."""
    most = max(trend)
    if not most:
        return ""
    step = 100 / (len(trend) - 1)
    return "M" + "L".join(f"{place * step:.1f} {22 - 20 * count / most:.1f}" for place, count in enumerate(trend))
