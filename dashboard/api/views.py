"""The JSON API at /api, described at /api/docs."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import NinjaAPI, Query, Schema
from ninja.errors import HttpError, ValidationError
from ninja.openapi.docs import Swagger
from pydantic import Field

from collector import actions, config, queries
from collector.config.rules import registered
from dashboard import addresses  # noqa: F401 - registers {id:…}
from dashboard.alerts.models import Alert
from dashboard.api import alerts as alert_deeds
from dashboard.api import build, channels, discovered, learned, services
from dashboard.api.deeds import Abandonment, BusOut, ChoreographyOut, ComparisonOut, Release
from dashboard.api.schemas import (
    AlertOut,
    IngestionOut,
    Listing,
    Problem,
    TransactionDetail,
    TransactionSummary,
)
from dashboard.pages.alert import compared


class Docs(Swagger):
    """With a way back, and in the colours that were chosen."""

    template = "api/docs.html"


api = NinjaAPI(
    docs=Docs(),
    title="Choreoscope",
    version="1",
    urls_namespace="api",
    description="What Choreoscope knows of transactions, alerts and its own reading. Lists are"
    ' `{"items": […], "next": cursor or null}`, newest first; errors `{"error": "a sentence"}`.',
)
_MOST_ALERTS = 200


class TransactionParameters(Schema):
    """All are texts here: `TransactionFilter` reads them, and says in a sentence what is wrong with one."""

    status: str = Field("", description="`stuck`, or a phase of those that are not stuck")
    phase: str = Field("", description="running, compensating, completed, failed, compensated or abandoned")
    choreography: str = ""
    service: str = Field("", description="with an event from this service")
    event_type: str = Field("", description="with an event of this type")
    waiting_for: str = Field("", description="the awaited event type; several as shown: `A or B`")
    awaited_from: str = Field("", description="the service that owes what is awaited")
    directly_after: str = Field("", description="with one of `event_type` directly after an event of this type")
    variant: str = Field("", description="that went this way: an `id` of a choreography's variants")
    key: str = Field("", description="a business key: its value, or its name and value, `order.number=4711`")
    q: str = Field("", description="an id, how ids begin, or the value of a business key")
    since: str = Field("", description="started then or later: 2026-11-20T12:00:00Z, or how far back: 15m, 2h, 7d")
    until: str = Field("", description="started before then")
    min_duration: str = Field("", description="ended, and took at least so long: 30s, 5m, 2h")
    cursor: str = Field("", description="`next` of the page before")
    limit: str = Field("", description="1 to 200; 50 where not given")


@api.get(
    "/transactions",
    response={200: Listing[TransactionSummary], 400: Problem},
    by_alias=True,
    summary="Transactions, newest first",
    tags=["transactions"],
)
def list_transactions(
    request: HttpRequest,
    parameters: Query[TransactionParameters],
) -> dict[str, Any]:
    """`service`, `event_type`, `min_duration`, `waiting_for` and `awaited_from` look into 5,000 transactions a page: a
    page may hold fewer than `limit` and still have a `next`."""
    now = timezone.now()
    found = queries.page(queries.TransactionFilter.parse(request.GET.dict(), now))
    return {"items": [build.summary(row.transaction, row.pending, now) for row in found.items], "next": found.next}


@api.post(
    "/transactions/{id:transaction_id}/abandon",
    response={200: TransactionDetail, 404: Problem, 409: Problem, 415: Problem},
    by_alias=True,
    summary="Close a transaction that will never progress",
    tags=["transactions"],
)
def abandon(request: HttpRequest, transaction_id: str, given: Abandonment) -> dict[str, Any]:
    """Should its events end it after all, that end counts."""
    _only_json(request)
    who = request.user.get_username() or given.by or "somebody through the API"
    rulebook = registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook)
    closed = actions.abandon([transaction_id], who, given.reason, rulebook) if queries.exists(transaction_id) else []
    found = _found(transaction_id)
    if not closed:
        raise HttpError(HTTPStatus.CONFLICT, f"It is {found.transaction.phase} already; only open ones can be closed.")
    return build.detail(found, timezone.now())


@api.get(
    "/transactions/{id:transaction_id}/abandon",
    response={200: TransactionDetail, 404: Problem},
    by_alias=True,
    include_in_schema=False,
)
def one_named_so(request: HttpRequest, transaction_id: str) -> dict[str, Any]:
    """An id may hold anything, and so may end like this."""
    return build.detail(_found(f"{transaction_id}/abandon"), timezone.now())


@api.get(
    "/transactions/{id:transaction_id}",
    response={200: TransactionDetail, 404: Problem},
    by_alias=True,
    summary="One transaction with its events",
    tags=["transactions"],
)
def one_transaction(request: HttpRequest, transaction_id: str) -> dict[str, Any]:
    """Of an oversized transaction the first 2,000 events."""
    found = _found(transaction_id)
    return build.detail(found, timezone.now(), queries.consumers(found))


def _only_json(request: HttpRequest) -> None:
    """What other sites' pages can send in a browser without asking is never JSON by its content type."""
    if request.content_type != "application/json":
        raise HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send it as Content-Type: application/json.")


def _found(transaction_id: str) -> queries.Found:
    found = queries.find(transaction_id)
    if found is None:
        raise HttpError(
            HTTPStatus.NOT_FOUND,
            f"There is no transaction {transaction_id[:200]!r}; /api/transactions?q= finds ids by how they begin.",
        )
    return found


@api.get(
    "/choreographies",
    response={200: Listing[ChoreographyOut], 400: Problem},
    summary="Choreographies, and how their transactions fare",
    tags=["choreographies"],
)
def list_choreographies(request: HttpRequest, since: str = "1d") -> dict[str, Any]:
    """`since`: a time, or how far back, such as 15m, 2h or 7d."""
    now = timezone.now()
    moment = queries.TransactionFilter.parse({"since": since}, now).since
    rulebook = config.current(settings.CHOREOSCOPE_CONFIG).rulebook
    found = queries.choreographies(moment or now, rulebook)
    return {"items": [build.choreography(entry) for entry in found], "next": None}


api.add_router("/choreographies", learned.router)
api.add_router("/choreographies", discovered.router)
api.add_router("", alert_deeds.router)
api.add_router("/channels", channels.router)
api.add_router("", services.router)


@api.get("/alerts", response={200: Listing[AlertOut], 400: Problem}, summary="Alerts, one per cause", tags=["alerts"])
def list_alerts(request: HttpRequest, state: str = "", cursor: str = "") -> dict[str, Any]:
    """`state`: open, acknowledged, snoozed or resolved; all where not given."""
    if state and state not in Alert.State.values:
        raise queries.BadParameter(f"'state' is {state[:50]!r}; it must be one of {', '.join(Alert.State.values)}.")
    found = Alert.objects.filter(state=state) if state else Alert.objects.all()
    items, following = queries.keyset(found, ("opened_at", "id"), cursor, _MOST_ALERTS)
    return {"items": [build.alert(entry) for entry in items], "next": following}


@api.get(
    "/alerts/{int:alert_id}/common",
    response={200: ComparisonOut, 404: Problem},
    summary="What the stuck ones of an alert have in common",
    tags=["alerts"],
)
def what_is_common(request: HttpRequest, alert_id: int) -> dict[str, Any]:
    """Topic partitions, event types and who sent them, header and business-key values."""
    alert = Alert.objects.filter(id=alert_id, kind__in=Alert.WAITING).first()
    if alert is None:
        raise HttpError(HTTPStatus.NOT_FOUND, f"There is no alert {alert_id} about stuck transactions.")
    return build.comparison(compared(alert))


@api.get("/bus", response=BusOut, summary="Events for the bus", tags=["bus"])
def show_bus(request: HttpRequest) -> dict[str, Any]:
    return build.bus(config.current(settings.CHOREOSCOPE_CONFIG).bus, queries.breaking())


@api.post("/bus/release", response={200: BusOut, 415: Problem}, summary="Close the breaker", tags=["bus"])
def release(request: HttpRequest, given: Release) -> dict[str, Any]:
    """What waits goes out after all, whatever the rate; or never, with `discard`."""
    _only_json(request)
    actions.release_announcements(discard=given.discard)
    return show_bus(request)


@api.get("/ingestion", response=IngestionOut, summary="How far reading has come", tags=["ingestion"])
def show_ingestion(request: HttpRequest) -> dict[str, Any]:
    now = timezone.now()
    found = queries.ingestion(now)
    rulebook = config.current(settings.CHOREOSCOPE_CONFIG).rulebook
    muted = queries.muted(found.liveness.standing_still, rulebook)
    return build.ingestion(found, muted, queries.coverage(now), now)


@api.exception_handler(queries.BadParameter)
def bad_parameter(request: HttpRequest, error: queries.BadParameter) -> HttpResponse:
    return api.create_response(request, {"error": str(error)}, status=HTTPStatus.BAD_REQUEST)


@api.exception_handler(ValidationError)
def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    said = "; ".join(f"'{entry['loc'][-1]}': {entry['msg']}" for entry in error.errors)
    return api.create_response(request, {"error": f"{said}."}, status=HTTPStatus.BAD_REQUEST)


@api.exception_handler(HttpError)
def refused(request: HttpRequest, error: HttpError) -> HttpResponse:
    return api.create_response(request, {"error": str(error)}, status=error.status_code)
