"""The list of transactions, narrowed by what its address says."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from collector import queries
from collector.queries.filters import MOST_ROWS, STATUSES
from dashboard.pages import frame, search
from dashboard.pages.rows import listed_rows
from dashboard.pages.shared import MOMENT, shared

FIELDS = (
    "q",
    "key",
    "status",
    "choreography",
    "service",
    "event_type",
    "waiting_for",
    "awaited_from",
    "since",
    "until",
    "min_duration",
)
WAYS = ("directly_after", "variant")
"""What pages of choreographies lead here with; nobody types it."""
_ID = re.compile(r"[0-9]{1,18}")


def page(request: HttpRequest) -> HttpResponse:
    """Searching for what means one thing only leads straight there: a whole id, a business key that only one has."""
    searched = request.GET.get("q", "").strip()
    if searched and len(request.GET) == 1:
        only = search.address_of(searched)
        if only:
            return redirect(only)
    context = _context(request)
    return frame.page(request, "transactions.html", "transactions", context, 400 if context["complaint"] else 200)


def fragment(request: HttpRequest) -> HttpResponse:
    return frame.fragment(request, "transactions/content.html", _context(request))


def shown(request: HttpRequest) -> HttpResponse:
    """The rows that ?shown= names as they are now, in their place, and how many others the list would have by now."""
    asked = _asked(request)
    ids = _ids(asked.pop("shown", ""))
    rows = shared.get(("shown", ids), MOMENT, lambda: queries.listed(ids))
    context = {"rows": listed_rows(rows), "newer": _newer(asked, frozenset(ids))}
    return frame.fragment(request, "transactions/shown.html", context)


def _ids(text: str) -> tuple[int, ...]:
    """Anything that is no id counts as not there."""
    return tuple(int(part) for part in text.split(",")[:MOST_ROWS] if _ID.fullmatch(part))


def _newer(asked: dict[str, str], ids: frozenset[int]) -> int:
    """An older page stays what it is: nothing is announced on it."""
    if "cursor" in asked:
        return 0
    try:
        found = _page(asked)
    except queries.BadParameter:
        return 0
    return sum(row.transaction.id not in ids for row in found.items)


def _asked(request: HttpRequest) -> dict[str, str]:
    return {name: value for name, value in request.GET.dict().items() if isinstance(value, str) and value.strip()}


def _page(asked: dict[str, str]) -> queries.Page:
    wanted = queries.TransactionFilter.parse(asked, timezone.now(), timezone.get_current_timezone())
    key = ("transactions", urlencode(sorted(asked.items())), timezone.get_current_timezone_name())
    return shared.get(key, MOMENT, lambda: queries.page(wanted))


def _context(request: HttpRequest) -> dict[str, Any]:
    asked = _asked(request)
    context: dict[str, Any] = {
        "asked": asked,
        "statuses": STATUSES,
        "narrowed": [name for name in FIELDS if name in asked],
        "ways": [(name, asked[name]) for name in WAYS if name in asked],
        "any_way": urlencode({name: value for name, value in asked.items() if name not in (*WAYS, "cursor")}),
        "query": urlencode(asked),
        "complaint": "",
    }
    try:
        found = _page(asked)
    except queries.BadParameter as error:
        return {**context, "complaint": str(error), "rows": []}
    return {
        **context,
        "rows": listed_rows(found.items),
        "looked_back_to": found.looked_back_to,
        "next": urlencode({**asked, "cursor": found.next}) if found.next else "",
        "first": urlencode({name: value for name, value in asked.items() if name != "cursor"}),
    }
