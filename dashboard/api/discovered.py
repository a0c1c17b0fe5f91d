"""What was mined, under /api/choreographies/{name}: the map, the variants, and logs for other tools."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from http import HTTPStatus
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from ninja import Field, Query, Router, Schema
from ninja.errors import HttpError

from collector import config, queries
from collector.config.rules import registered
from collector.correlation.choreography import RuleBook
from dashboard.api.formats import FORMATS
from dashboard.api.schemas import Problem
from dashboard.pages import lessons
from dashboard.pages.shared import shared

router = Router(tags=["choreographies"])
_MINED = 5.0
"""Mining is done every five seconds."""


class RangeParameters(Schema):
    """All are texts here: `TransactionFilter` reads them, and says in a sentence what is wrong with one."""

    since: str = Field("", description="began then or later: 2026-11-20T12:00:00Z, or how far back: 15m, 2h, 7d")
    until: str = Field("", description="began before then")
    status: str = Field("", description="`stuck`, or a phase of those that are not stuck")


class VariantParameters(RangeParameters):
    causal: bool = Field(False, description="what led to what, whatever came first")
    cursor: str = Field("", description="`next` of the page before")
    limit: str = Field("", description="1 to 200; 50 where not given")


class ExportParameters(RangeParameters):
    format: str = Field(description="xes, ocel (2.0, JSON) or csv")


class TakenOut(Schema):
    """In milliseconds; percentiles are right to 1%. Null where nothing was timed."""

    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None


class NodeOut(Schema):
    type: str
    count: int = Field(description="Events of this type.")
    starts: int = Field(description="Transactions whose first event is one.")
    ends: int = Field(description="Transactions whose last event is one, ended or not.")
    in_flight: int = Field(description="Those of them that have not ended.")


class EdgeOut(TakenOut):
    source: str
    target: str
    count: int = Field(description="How often an event of type `target` came directly after one of type `source`.")


class MapOut(Schema):
    """Counts of the transactions that began in the range; partial and oversized ones are left out."""

    name: str
    since: datetime | None = Field(description="As rounded to hours, or to days where it is longer ago than 48 hours.")
    until: datetime | None
    transactions: int
    events: int
    in_flight: int
    duration: TakenOut = Field(description="From a transaction's first event to its last.")
    nodes: list[NodeOut]
    edges: list[EdgeOut]
    starts: dict[str, int]
    ends: dict[str, int]
    more: bool = Field(description="There are more event types or edges than the 2,000 most frequent.")


class VariantOut(TakenOut):
    id: int = Field(description="0: the others, which were too many to be told apart.")
    count: int
    share: float
    types: list[str]
    causes: list[list[int]] | None = Field(
        description="Of a causal variant, the places in `types` of what led to each."
    )


class VariantsOut(Schema):
    transactions: int
    since: datetime | None
    until: datetime | None
    items: list[VariantOut]
    next: str | None = Field(description="Give it as `cursor` to continue; null: that was all.")


class ResponseOut(Schema):
    after: list[str] = Field(description="Event types; several: a join, all of them are needed.")
    expect: list[str] = Field(description="Event types one of which comes.")
    services: list[str] = Field(description="Who emitted them.")
    support: int = Field(description="How often the triggers happened.")
    confidence: float = Field(description="The share of these that was answered.")
    p50_ms: float
    p95_ms: float
    p99_ms: float
    deadline_ms: float = Field(description="What a deadline would be by what was seen.")
    basis: str = Field(description="`causes`, or `order` where it is not known what led to what")


class KeptOut(Schema):
    after: list[str]
    expect: list[str]
    services: list[str]
    within_ms: float = Field(description="Its learned deadline.")
    since: datetime = Field(description="Since when it is in force.")
    support: int
    confidence: float


class ResponsesOut(Schema):
    at: datetime = Field(description="When they were looked for: some minutes ago at most.")
    transactions: int = Field(description="How many were looked at: the latest settled ones, 1,000 at most.")
    rules: list[ResponseOut]
    ends: dict[str, float] = Field(description="Event types that were the last of nearly all their transactions.")
    learned: list[KeptOut] = Field(description="Those kept: what is not declared is judged by them.")
    learned_ends: list[str] = Field(description="Event types that end a transaction, where nothing is declared.")


@router.get("/{id:name}/rules", response={200: ResponsesOut, 404: Problem}, summary="The rules that it follows")
def list_rules(request: HttpRequest, name: str) -> dict[str, Any]:
    """Found in the transactions themselves, whether anything was declared or not."""
    looked = lessons.looked_at(name, registered(_rulebook(name)))
    found = looked.found
    rules = [
        {
            "after": rule.after,
            "expect": rule.expect,
            "services": rule.services,
            "support": rule.support,
            "confidence": rule.confidence,
            "p50_ms": rule.p50 * 1000,
            "p95_ms": rule.p95 * 1000,
            "p99_ms": rule.p99 * 1000,
            "deadline_ms": rule.deadline * 1000,
            "basis": rule.basis,
        }
        for rule in found.rules
    ]
    kept, last = queries.kept(name)
    learned = [
        {
            "after": rule.after,
            "expect": rule.expect,
            "services": rule.services,
            "within_ms": rule.within.total_seconds() * 1000,
            "since": rule.since,
            "support": rule.evidence["support"],
            "confidence": rule.evidence["confidence"],
        }
        for rule in kept
        if rule.within is not None
    ]
    return {
        "at": looked.at,
        "transactions": found.transactions,
        "rules": rules,
        "ends": found.ends,
        "learned": learned,
        "learned_ends": last,
    }


@router.get("/{id:name}/variants", response={200: VariantsOut, 400: Problem, 404: Problem}, summary="The ways it goes")
def list_variants(request: HttpRequest, name: str, parameters: Query[VariantParameters]) -> dict[str, Any]:
    """The most frequent first. `_all`: of every choreography."""
    wanted = _wanted(name, parameters, cursor="", limit=parameters.limit)
    found = queries.variants(
        name,
        wanted.since,
        wanted.until,
        wanted.status,
        timezone.now(),
        causal=parameters.causal,
        cursor=parameters.cursor,
        limit=wanted.limit,
    )
    return {
        "transactions": found.transactions,
        "since": found.since,
        "until": found.until,
        "items": [
            {
                "id": item.id,
                "count": item.count,
                "share": item.share,
                "types": item.types,
                "causes": item.causes,
                **_taken(item.took),
            }
            for item in found.items
        ],
        "next": found.next,
    }


@router.get("/{id:name}/export", response={400: Problem, 404: Problem}, summary="Its transactions, for other tools")
def export(request: HttpRequest, name: str, parameters: Query[ExportParameters]) -> StreamingHttpResponse:
    """The transactions that the map counts, the latest first, as they are when it is written; each with its events in
    event order."""
    kind = parameters.format
    if kind not in FORMATS:
        raise queries.BadParameter(f"'format' is {kind[:50]!r}; it must be one of {', '.join(FORMATS)}.")
    narrowed = _wanted(name, parameters)
    wanted = queries.Wanted(name, narrowed.since, narrowed.until, narrowed.status, timezone.now())

    async def pages() -> AsyncIterator[list[queries.Exported]]:
        after = None
        while page := await sync_to_async(queries.exported)(wanted, after):
            yield page
            after = page[-1].place

    written, media_type = FORMATS[kind]
    ending = "json" if kind == "ocel" else kind
    answer = StreamingHttpResponse(written(pages), content_type=f"{media_type}; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="choreoscope.{ending}"'
    return answer


@router.get("/{id:name}", response={200: MapOut, 400: Problem, 404: Problem}, summary="What comes after what")
def one_choreography(request: HttpRequest, name: str, parameters: Query[RangeParameters]) -> dict[str, Any]:
    """The directly-follows graph in event order. `_all`: of every choreography."""
    wanted = _wanted(name, parameters)
    key = ("mined-map-of", name, parameters.since, parameters.until, parameters.status)
    found = shared.get(
        key,
        _MINED,
        lambda: queries.mined_map(name, wanted.since, wanted.until, wanted.status, timezone.now()),
    )
    return {
        "name": found.name,
        "since": found.since,
        "until": found.until,
        "transactions": found.transactions,
        "events": found.events,
        "in_flight": found.in_flight,
        "duration": _taken(found.took),
        "nodes": [
            {"type": n.type, "count": n.count, "starts": n.starts, "ends": n.ends, "in_flight": n.in_flight}
            for n in found.nodes
        ],
        "edges": [{"source": e.source, "target": e.target, "count": e.count, **_taken(e.took)} for e in found.edges],
        "starts": {node.type: node.starts for node in found.nodes if node.starts},
        "ends": {node.type: node.ends for node in found.nodes if node.ends},
        "more": found.more,
    }


def _wanted(name: str, parameters: RangeParameters, **more: str) -> queries.TransactionFilter:
    """What is asked for."""
    given = {"since": parameters.since, "until": parameters.until, "status": parameters.status, **more}
    wanted = queries.TransactionFilter.parse(given, timezone.now())
    _rulebook(name)
    return wanted


def _rulebook(name: str) -> RuleBook:
    """The configured rules; 404 where nothing is known of a choreography of that name."""
    rulebook = config.current(settings.CHOREOSCOPE_CONFIG).rulebook
    if name not in rulebook.by_name and not queries.is_mined(name):
        raise HttpError(
            HTTPStatus.NOT_FOUND, f"Nothing is known of a choreography {name[:200]!r}; /api/choreographies lists them."
        )
    return rulebook


def _taken(took: queries.Taken) -> dict[str, float | None]:
    found = {"mean": took.mean, "p50": took.p50, "p95": took.p95, "p99": took.p99}
    return {name: None if value is None else round(value * 1000, 9) for name, value in found.items()}
