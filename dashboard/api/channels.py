"""The API of channels: where people are told, what came of it last, and trying one out. Addresses never leave."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest
from ninja import Field, Router, Schema
from ninja.errors import HttpError

from dashboard.api.schemas import Listing, Problem
from dashboard.notifying import channels
from dashboard.notifying.models import Channel, Delivery

router = Router(tags=["alerts"])


class DeliveryOut(Schema):
    id: str = Field(description="The same however often it is sent: `Choreoscope-Delivery` of a webhook.")
    kind: str = Field(description="raised, escalated, updated, recovered, digest or test")
    state: str = Field(description="waiting, sent or failed")
    attempts: int
    created_at: datetime
    sent_at: datetime | None
    error: str


class ChannelOut(Schema):
    id: int
    name: str
    kind: str
    leads_to: str = Field(description="What of its address may be seen.")
    enabled: bool
    trouble: str = Field(description="Why it was disabled, or what went wrong last.")
    last_delivery: DeliveryOut | None


@router.get("", response=Listing[ChannelOut], summary="Where people are told")
def show(request: HttpRequest) -> dict[str, Any]:
    return {"items": [_channel(channel, delivery) for channel, delivery in channels.listed()], "next": None}


@router.post("/{int:channel_id}/test", response={200: ChannelOut, 404: Problem, 415: Problem}, summary="Try one out")
def test(request: HttpRequest, channel_id: int) -> dict[str, Any]:
    """What comes of it is said by its last delivery a little later."""
    if request.content_type != "application/json":
        raise HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send it as Content-Type: application/json.")
    channel = Channel.objects.filter(pk=channel_id).first()
    if channel is None:
        raise HttpError(HTTPStatus.NOT_FOUND, f"There is no channel {channel_id}.")
    return _channel(channel, channels.test(channel, request.user.get_username()))


def _channel(channel: Channel, last: Delivery | None) -> dict[str, Any]:
    delivery = last and {
        "id": str(last.uid),
        "kind": last.kind,
        "state": last.state,
        "attempts": last.attempts,
        "created_at": last.created_at,
        "sent_at": last.sent_at,
        "error": last.error,
    }
    return {
        "id": channel.pk,
        "name": channel.name,
        "kind": channel.kind,
        "leads_to": channel.shown,
        "enabled": channel.enabled,
        "trouble": channel.trouble,
        "last_delivery": delivery,
    }
