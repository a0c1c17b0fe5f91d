"""The API of alerts: one in full, what people do with it, and silences."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Router, Schema
from ninja.errors import HttpError

from dashboard.alerts import lifecycle
from dashboard.alerts.models import Alert, Silence
from dashboard.api import build
from dashboard.api.schemas import AlertOut, Listing, Problem
from dashboard.notifying.explaining import examples_of

router = Router()
_MOST_ENTRIES = 200


class Reasoned(Schema):
    reason: str = Field("", max_length=lifecycle.LONGEST_REASON)


class Snoozing(Reasoned):
    minutes: int = Field(60, ge=1, le=30 * 24 * 60)


class EntryOut(Schema):
    at: datetime
    kind: str = Field(description="raised, reopened, escalated, eased, acknowledged, snoozed, woken, resolved …")
    who: str
    detail: dict[str, Any]


class NoticeOut(Schema):
    at: datetime
    kind: str = Field(description="raised, escalated, updated or recovered")
    channel: str
    state: str = Field(description="waiting, sent, failed, or passed over for a later one")
    error: str


class AlertDetail(AlertOut):
    trend: str
    verdict: str = Field(description="Whether the service has read what asks for it; empty where that is not known.")
    explains: list[int]
    snoozed_until: datetime | None
    examples: list[str] = Field(description="Ids of transactions that it is about, those first that wait longest.")
    log: list[EntryOut]
    notices: list[NoticeOut]


class Silencing(Schema):
    kind: str = Field("", max_length=200, description="As the other parts: empty for all; `*` stands for anything.")
    choreography: str = Field("", max_length=200)
    service: str = Field("", max_length=200)
    event_type: str = Field("", max_length=200)
    reason: str = Field(min_length=1, max_length=lifecycle.LONGEST_REASON)
    minutes: int = Field(ge=1, le=30 * 24 * 60)


class SilenceOut(Schema):
    id: int
    kind: str
    choreography: str
    service: str
    event_type: str
    reason: str
    who: str
    created_at: datetime
    ends_at: datetime


@router.get("/alerts/{int:alert_id}", response={200: AlertDetail, 404: Problem}, summary="One alert", tags=["alerts"])
def one(request: HttpRequest, alert_id: int) -> dict[str, Any]:
    found = Alert.objects.filter(pk=alert_id).first()
    if found is None:
        raise HttpError(HTTPStatus.NOT_FOUND, f"There is no alert {alert_id}.")
    notices = found.notices.select_related("channel", "delivery").order_by("id")[:_MOST_ENTRIES]
    return {
        **build.alert(found),
        "trend": found.trend,
        "verdict": found.verdict,
        "explains": list(found.explains.order_by("id").values_list("id", flat=True)),
        "snoozed_until": found.snoozed_until,
        "examples": examples_of(found, 20),
        "log": [
            {"at": entry.at, "kind": entry.kind, "who": entry.who, "detail": entry.detail}
            for entry in found.entries.all()[:_MOST_ENTRIES]
        ],
        "notices": [
            {
                "at": entry.at,
                "kind": entry.kind,
                "channel": entry.channel.name,
                "state": "passed over" if entry.passed_over else entry.delivery.state if entry.delivery else "waiting",
                "error": entry.delivery.error if entry.delivery else "",
            }
            for entry in notices
        ],
    }


def _must_be_json(request: HttpRequest) -> None:
    """No form of another site can send that, so that nothing is done in the name of who happens to be logged in."""
    if request.content_type != "application/json":
        raise HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send it as Content-Type: application/json.")


def _deed(request: HttpRequest, alert_id: int, step: Callable[[Collection[int], str], list[int]]) -> dict[str, Any]:
    _must_be_json(request)
    if not step([alert_id], request.user.get_username()):
        one(request, alert_id)
        raise HttpError(HTTPStatus.CONFLICT, "It is resolved already.")
    return one(request, alert_id)


_ANSWERS = {200: AlertDetail, 404: Problem, 409: Problem, 415: Problem}


@router.post("/alerts/{int:alert_id}/acknowledge", response=_ANSWERS, summary="Say that you see to it", tags=["alerts"])
def acknowledge(request: HttpRequest, alert_id: int, given: Reasoned) -> dict[str, Any]:
    """Nobody hears of it any more but that it grew grave, or is over."""
    return _deed(request, alert_id, lambda ids, who: lifecycle.acknowledge(ids, who, given.reason))


@router.post("/alerts/{int:alert_id}/snooze", response=_ANSWERS, summary="Hear nothing for a while", tags=["alerts"])
def snooze(request: HttpRequest, alert_id: int, given: Snoozing) -> dict[str, Any]:
    until = timezone.now() + timedelta(minutes=given.minutes)
    return _deed(request, alert_id, lambda ids, who: lifecycle.snooze(ids, who, until, given.reason))


@router.post("/alerts/{int:alert_id}/resolve", response=_ANSWERS, summary="Call it resolved", tags=["alerts"])
def resolve(request: HttpRequest, alert_id: int, given: Reasoned) -> dict[str, Any]:
    """Where its cause is still there, it opens again at once."""
    return _deed(request, alert_id, lambda ids, who: lifecycle.close(ids, who, given.reason))


@router.post("/alerts/{int:alert_id}/reopen", response=_ANSWERS, summary="Take that back", tags=["alerts"])
def reopen(request: HttpRequest, alert_id: int, given: Reasoned) -> dict[str, Any]:
    return _deed(request, alert_id, lambda ids, who: lifecycle.reopen(ids, who, given.reason))


@router.get("/silences", response=Listing[SilenceOut], summary="Silences in force", tags=["alerts"])
def silences(request: HttpRequest) -> dict[str, Any]:
    return {"items": list(Silence.in_force(timezone.now()).order_by("ends_at", "id")[:_MOST_ENTRIES]), "next": None}


@router.post(
    "/silences", response={200: SilenceOut, 400: Problem, 415: Problem}, summary="Silence what matches", tags=["alerts"]
)
def silence(request: HttpRequest, given: Silencing) -> Silence:
    _must_be_json(request)
    matcher = {name: getattr(given, name) for name in Silence.PARTS}
    ends_at = timezone.now() + timedelta(minutes=given.minutes)
    try:
        return lifecycle.silence(matcher, request.user.get_username(), given.reason, ends_at)
    except lifecycle.Impossible as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, str(error)) from error


@router.post(
    "/silences/{int:silence_id}/end",
    response={200: None, 404: Problem, 415: Problem},
    summary="End one",
    tags=["alerts"],
)
def end_silence(request: HttpRequest, silence_id: int) -> None:
    _must_be_json(request)
    if not lifecycle.end_silence(silence_id, request.user.get_username()):
        raise HttpError(HTTPStatus.NOT_FOUND, f"There is no silence {silence_id} in force.")
