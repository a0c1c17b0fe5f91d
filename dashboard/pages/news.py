"""What changed lately, in a sentence each, with where to look."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from collector.queries import Change
from collector.queries.feed import LOOKED_FOR, parts
from dashboard import ahead
from dashboard.pages.shared import shared

_SELDOM = 60.0
"""Seconds that what takes a while to find may be old."""
_MOST = 8


@dataclass(frozen=True)
class Told:
    """`bad`: somebody should look."""

    at: datetime
    before: str
    name: str
    after: str
    address: str
    bad: bool


def told(changes: Iterable[Change]) -> list[Told]:
    return [Told(one.at, *parts(one), _address(one), one.kind in ("silent", "vanished")) for one in changes]


def looked_for(request: HttpRequest) -> HttpResponse:
    """What was found by looking far back: apart from the page, since that takes its time."""
    changes = told([one for one in found() if one.kind in LOOKED_FOR][:_MOST])
    response = render(request, "overview/changes.html", {"changes": changes, "now": timezone.now()})
    response.headers["Cache-Control"] = "no-store"
    return response


def found() -> list[Change]:
    """As a worker found it, or anew."""
    fed = ahead.kept_feed() or shared.get("feed", _SELDOM, ahead.look_for_changes)
    return fed.changes


def _address(change: Change) -> str:
    match change.kind:
        case "service" | "silent" | "vanished":
            return reverse("service", args=[change.name])
        case "type":
            return f"{reverse('transactions')}?{urlencode({'event_type': change.name})}"
        case "rules":
            return reverse("choreographies")
        case "edge":
            return reverse("choreography", args=[change.about])
        case _:
            return reverse("choreography", args=[change.name])
