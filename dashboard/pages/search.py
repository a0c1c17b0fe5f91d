"""What the search field offers while one types."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from collector import config, queries
from dashboard.pages.overview import flow_map
from dashboard.pages.shared import shared

_KEPT = 1.0
_LONGEST = 500
_MOST_CHOREOGRAPHIES = 6


@dataclass(frozen=True)
class Offer:
    """`kind` says what it is, `name` what it is called, `about` what tells it from others."""

    kind: str
    name: str
    about: str
    address: str


def results(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()[:_LONGEST]
    offers = shared.get(("search", text), _KEPT, lambda: _offers(text))
    response = render(request, "frame/found.html", {"offers": offers, "text": text, "short": len(text) < 2})
    response.headers["Cache-Control"] = "no-store"
    return response


def address_of(text: str) -> str | None:
    """Where a text leads that means one thing only; None where it is to be looked for in the list."""
    if queries.exists(text):
        return reverse("transaction", args=[text])
    only = queries.only_with_key(text)
    if only:
        return reverse("transaction", args=[only])
    event = queries.only_with_event(text)
    if event:
        return _event_address(event)
    offers = [offer for offer in _offers(text) if offer.name == text and offer.kind in ("Service", "Choreography")]
    return offers[0].address if len(offers) == 1 else None


def _offers(text: str) -> list[Offer]:
    hits = queries.search(text)
    found = [
        Offer("Transaction", one.transaction_id, f"{one.status} · {one.choreography}", _transaction(one.transaction_id))
        for one in hits.transactions
    ]
    found += [
        Offer("Event", event.event_id, f"{event.type} from {event.service}", _event_address(event))
        for event in hits.events
    ]
    found += [
        Offer("Key", key.value, f"{key.name} of {key.transaction_id}", _transaction(key.transaction_id))
        for key in hits.keys
    ]
    found += [Offer("Service", name, "", reverse("service", args=[name])) for name in hits.services]
    found += [Offer("Choreography", name, "", reverse("choreography", args=[name])) for name in _choreographies(text)]
    return found + [Offer("Event type", name, "transactions with it", _list(event_type=name)) for name in hits.types]


def _choreographies(text: str) -> list[str]:
    if len(text) < queries.SHORTEST_SEARCH:
        return []
    declared = config.current(settings.CHOREOSCOPE_CONFIG).rulebook.choreographies
    names = {*(one.name for one in declared), *flow_map().choreographies}
    return sorted(name for name in names if text.lower() in name.lower())[:_MOST_CHOREOGRAPHIES]


def _transaction(transaction_id: str) -> str:
    return reverse("transaction", args=[transaction_id])


def _event_address(event: queries.EventHit) -> str:
    return f"{_transaction(event.transaction_id)}?{urlencode({'source': event.source, 'event': event.event_id})}"


def _list(**wanted: str) -> str:
    return f"{reverse('transactions')}?{urlencode(wanted)}"
