"""The list of transactions, narrowed by what its address says."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from collector import queries
from collector.queries.filters import STATUSES
from dashboard.pages import frame
from dashboard.pages.rows import listed_rows
from dashboard.pages.shared import MOMENT, shared

FIELDS = ("q", "status", "choreography", "service", "event_type", "waiting_for", "since", "until", "min_duration")


def page(request: HttpRequest) -> HttpResponse:
    """Searching for a whole id leads straight to its transaction."""
    searched = request.GET.get("q", "").strip()
    if searched and len(request.GET) == 1 and queries.exists(searched):
        return redirect("transaction", transaction_id=searched)
    context = _context(request)
    return frame.page(request, "transactions.html", "transactions", context, 400 if context["complaint"] else 200)


def fragment(request: HttpRequest) -> HttpResponse:
    return frame.fragment(request, "transactions/content.html", _context(request))


def _context(request: HttpRequest) -> dict[str, Any]:
    asked = {name: value for name, value in request.GET.dict().items() if isinstance(value, str) and value.strip()}
    context: dict[str, Any] = {
        "asked": asked,
        "statuses": STATUSES,
        "narrowed": [name for name in FIELDS if name in asked],
        "query": urlencode(asked),
        "complaint": "",
    }
    try:
        wanted = queries.TransactionFilter.parse(asked, timezone.now())
        found = shared.get(("transactions", urlencode(sorted(asked.items()))), MOMENT, lambda: queries.page(wanted))
    except queries.BadParameter as error:
        return {**context, "complaint": str(error), "rows": []}
    return {
        **context,
        "rows": listed_rows(found.items),
        "looked_back_to": found.looked_back_to,
        "next": urlencode({**asked, "cursor": found.next}) if found.next else "",
        "first": urlencode({name: value for name, value in asked.items() if name != "cursor"}),
    }
