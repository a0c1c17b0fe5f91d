"""Parts of a choreography's page that look into its latest transactions: rules, what deviates, what can be adopted.

Apart from the page, since that takes its time."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from collector import config, queries
from collector.config.rules import registered
from collector.correlation.choreography import RuleBook
from collector.queries.answered import answers
from dashboard import ahead
from dashboard.pages.choreography import known
from dashboard.pages.shared import shared

_RARELY = 60.0
"""Seconds that what was found in thousands of transactions may be old."""
_MOST = 12


def rules(request: HttpRequest, name: str) -> HttpResponse:
    """Those declared and those learned, tried on the last days, with what was found of them; and what was found
    besides."""
    known(name)
    rulebook = registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook)
    return _apart(request, "choreographies/rules.html", _rules(name, looked_at(name, rulebook)))


def looked_at(name: str, rulebook: RuleBook) -> ahead.Rules:
    """As a worker found them, or anew. Other rules are tried at once."""
    key = ("rules", name, rulebook.version)
    here: ahead.Rules | None = shared.kept(key)
    if here and here.holds(timezone.now()):
        return here
    return ahead.kept_rules(name, rulebook.version) or shared.get(
        key, _RARELY, lambda: ahead.look_at_rules(name, rulebook)
    )


def conformance(request: HttpRequest, name: str) -> HttpResponse:
    """Which share deviates, how, and since when."""
    known(name)
    context = shared.get(("conformance", name), _RARELY, lambda: _conformance(name))
    return _apart(request, "choreographies/conformance.html", context)


def adopt(request: HttpRequest, name: str) -> HttpResponse:
    """What was learned, as YAML for the configuration."""
    known(name)
    context = shared.get(("adopt", name), _RARELY, lambda: _adoption(name))
    return _apart(request, "choreographies/adopt.html", context)


def _apart(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    response = render(request, template, {"now": timezone.now(), **context})
    response.headers["Cache-Control"] = "no-store"
    return response


def _adoption(name: str) -> dict[str, Any]:
    learning = config.current(settings.CHOREOSCOPE_CONFIG).learning
    written = queries.adoption(name, learning)
    return {"name": name, "written": written, "why": "" if written else queries.unlearned(name, learning)}


def _rules(name: str, looked: ahead.Rules) -> dict[str, Any]:
    found, tried = looked.found, looked.tried
    return {
        "name": name,
        "at": looked.at,
        "rows": answers(tried.rules, found.rules),
        "transactions": found.transactions,
        "tried": tried,
        "ends": sorted(found.ends.items()),
    }


def _conformance(name: str) -> dict[str, Any]:
    now = timezone.now()
    found = queries.conformance(name, now - ahead.LATELY, now)
    unusual = [(one, urlencode({"choreography": name, "variant": one.variant})) for one in found.unusual[:_MOST]]
    return {
        "name": name,
        "found": found,
        "share": 1 - found.deviating / found.ended if found.ended else None,
        "deviations": found.deviations[:_MOST],
        "unusual": unusual,
        "unusual_share": sum(one.count for one in found.unusual) / found.ways if found.ways else None,
        "more": max(0, len(found.unusual) - _MOST) + max(0, len(found.deviations) - _MOST),
    }
