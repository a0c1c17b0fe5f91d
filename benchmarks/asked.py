"""What the benchmark of the pages asks for: every page and every list of the API, each with several parameters.

`{names}` stand for values that are found in the database: `Samples`. Where an address has several, each is filled with
what stands at the same place, so that an event is of the transaction that is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

Samples = Mapping[str, Sequence[str]]
"""Some values for each name."""

_LISTS = (
    "",
    "?status=stuck",
    "?status=running",
    "?status=failed",
    "?status=compensated",
    "?choreography={choreography}",
    "?choreography={choreography}&status=completed",
    "?service={service}",
    "?event_type={type}",
    "?event_type={rare}",
    "?waiting_for={awaited}",
    "?status=stuck&waiting_for={awaited}",
    "?awaited_from={service}",
    "?status=stuck&awaited_from={service}",
    "?min_duration=3s",
    "?min_duration=1h",
    "?since={ago}&until={before}",
    "?key={key}",
    "?key=order.number={key}",
    "?q={prefix}",
    "?q={done}",
    "?q={key}",
    "?q={customer}",
    "?q={event}",
    "?q=nothing-is-called-so",
    "?cursor={cursor}",
    "?cursor={cursor}&status=compensated",
    "?cursor={cursor}&service={service}",
)
_RANGES = ("", "?since=7d", "?since=2d&status=completed", "?since={ago}&until={before}")

PAGES: Mapping[str, Sequence[str]] = {
    "overview": ("/", "/?view=events", "/?choreography={choreography}&status=stuck", "/?status=failed"),
    "overview-fragment": ("/live/overview", "/live/overview?status=stuck"),
    "overview-drawings": ("/live/overview.json", "/live/overview.json?view=events&choreography={choreography}"),
    "changes-fragment": ("/live/changes",),
    "transactions": tuple(f"/transactions{query}" for query in _LISTS),
    "transactions-fragment": ("/live/transactions", "/live/transactions?status=stuck"),
    "transactions-shown": (
        "/live/transactions/shown?shown={shown}",
        "/live/transactions/shown?shown={shown}&status=stuck",
    ),
    "frame-fragment": ("/live/frame",),
    "transaction": (
        "/transactions/{done}",
        "/transactions/{old}",
        "/transactions/{stuck}",
        "/transactions/{running}?view=time",
        "/transactions/{compensated}?view=sequence",
        "/transactions/{done}?at={within}",
        "/transactions/nothing-is-called-so",
    ),
    "transaction-fragment": ("/live/transaction/{stuck}", "/live/transaction/{done}"),
    "transaction-drawing": tuple(f"/live/drawing/{{done}}?view={view}" for view in ("causal", "time", "sequence")),
    "transaction-then": ("/live/then/{done}?at={within}",),
    "transaction-event": ("/live/event/{done}?source={source}&event={event}",),
    "transaction-why": ("/live/why/{stuck}",),
    "choreographies": ("/choreographies", "/choreographies?since=7d"),
    "choreographies-fragment": ("/live/choreographies",),
    "choreography": (
        *(f"/choreographies/{name}{query}" for name in ("{choreography}", "_all") for query in _RANGES),
        "/choreographies/{choreography}?since=1d&against_since={ago}&against_until={before}",
        "/choreographies/{choreography}?ways=causal",
    ),
    "choreography-fragment": ("/live/choreography/{choreography}", "/live/choreography/_all?since=1d"),
    "choreography-drawing": ("/live/discovered/{choreography}", "/live/discovered/_all?overlay=duration&detail=100"),
    "choreography-ways": ("/live/ways/{choreography}", "/live/ways/_all?since=7d"),
    "choreography-rules": ("/live/rules/{choreography}",),
    "choreography-conformance": ("/live/conformance/{choreography}",),
    "choreography-adopt": ("/live/adopt/{choreography}",),
    "alerts": ("/alerts",),
    "alerts-fragment": ("/live/alerts",),
    "alert": ("/alerts/{alert}", "/alerts/{past_alert}"),
    "alert-fragment": ("/live/alert/{alert}",),
    "alert-drawings": ("/live/alert/{alert}/drawings.json",),
    "alert-common": ("/live/alert/{alert}/common",),
    "channels": ("/channels",),
    "channels-fragment": ("/live/channels",),
    "services": ("/services",),
    "services-fragment": ("/live/services",),
    "service": ("/services/{service}",),
    "service-fragment": ("/live/service/{service}",),
    "service-readers": ("/live/readers/{service}",),
    "search": tuple(
        f"/live/search?q={{{name}}}"
        for name in ("done", "prefix", "event", "key", "customer", "choreography", "service", "type")
    ),
    "ingestion": ("/ingestion", "/ingestion?list=uncorrelated", "/ingestion?cursor={undecodable_cursor}"),
    "ingestion-fragment": ("/live/ingestion",),
    "metrics": ("/metrics",),
    "login": ("/login",),
    "healthz": ("/healthz",),
    "readyz": ("/readyz",),
}
"""By the names of addresses in dashboard.urls."""

API: Mapping[str, Sequence[str]] = {
    "/api/transactions": tuple(f"/api/transactions{query}" for query in (*_LISTS, "?limit=200")),
    "/api/transactions/{transaction_id}": ("/api/transactions/{done}", "/api/transactions/{stuck}"),
    "/api/choreographies": ("/api/choreographies", "/api/choreographies?since=2d"),
    "/api/choreographies/{name}": tuple(
        f"/api/choreographies/{name}{query}" for name in ("{choreography}", "_all") for query in _RANGES
    ),
    **{
        f"/api/choreographies/{{name}}/{what}": (f"/api/choreographies/{{choreography}}/{what}",)
        for what in ("adopt", "backtest", "conformance")
    },
    "/api/choreographies/{name}/variants": tuple(
        f"/api/choreographies/{name}/variants{query}"
        for name in ("{choreography}", "_all")
        for query in (*_RANGES, "?causal=true", "?limit=200")
    ),
    "/api/choreographies/{name}/rules": ("/api/choreographies/{choreography}/rules",),
    "/api/services": ("/api/services",),
    "/api/alerts": (
        "/api/alerts",
        "/api/alerts?state=open",
        "/api/alerts?state=resolved",
        "/api/alerts?cursor={alert_cursor}",
    ),
    "/api/alerts/{alert_id}": ("/api/alerts/{alert}",),
    "/api/alerts/{alert_id}/common": ("/api/alerts/{alert}/common",),
    "/api/bus": ("/api/bus",),
    "/api/changes": ("/api/changes",),
    "/api/channels": ("/api/channels",),
    "/api/ingestion": ("/api/ingestion",),
    "/api/silences": ("/api/silences",),
}
"""By their paths in the API's description."""

LONG = (
    "/transactions/{long}",
    "/transactions/{long}?view=time",
    "/live/transaction/{long}",
    "/transactions/{oversized}",
)
"""Transactions of a thousand events and more."""

NOT_ASKED = {
    "logout": "does something",
    "transaction-close": "does something",
    "alerts-act": "does something",
    "channel-add": "does something",
    "channel-change": "does something",
    "silence-add": "does something",
    "silence-end": "does something",
    "ingestion-again": "does something",
    "ingestion-suggestion": "reads records from Kafka, when somebody asks it to",
    "take": "writes a file of everything, page by page",
    "timezone": "does something",
    "/api/choreographies/{name}/export": "writes a file of everything, page by page",
}


MAY_SAY_NO = ("/readyz",)
"""Nobody works for the worker and beat that it misses here."""


def forgotten(names: Iterable[str]) -> list[str]:
    """Of these names of addresses and paths of the API, those that nothing here asks for."""
    return sorted(set(names) - {*PAGES, *API, *NOT_ASKED})


def kind_of(name: str) -> str:
    """The page, part of a page or answer of the API that this is an example of, whatever its parameters."""
    if name in LONG:
        return "transactions of 1,000 events and more"
    return next((kind for table in (PAGES, API) for kind, listed in table.items() if name in listed), name)


def addresses(samples: Samples, most: int = 20) -> dict[str, list[str]]:
    """By what they are an example of: up to `most` addresses, with other samples each."""
    templates = [template for table in (PAGES, API) for listed in table.values() for template in listed]
    return {template: _filled(template, samples, most) for template in (*templates, *LONG)}


def _filled(template: str, samples: Samples, most: int) -> list[str]:
    filled = []
    for turn in range(most):
        values = {name: quote(found[turn % len(found)], safe="") for name, found in samples.items()}
        filled.append(template.format_map(values))
    return list(dict.fromkeys(filled))
