"""Who is told, and of what not: channels with a test, and silences."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from collector import config
from dashboard.alerts import lifecycle
from dashboard.alerts.models import Alert, Silence
from dashboard.notifying import channels, sending
from dashboard.notifying.models import Channel, Delivery
from dashboard.pages import frame

_MOST = 100
LENGTHS = ((60, "1 hour"), (240, "4 hours"), (1440, "1 day"), (10080, "1 week"))


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    return frame.page(request, "channels.html", "alerts", _context())


@require_safe
def fragment(request: HttpRequest) -> HttpResponse:
    return frame.fragment(request, "channels/content.html", _context())


@require_POST
def add(request: HttpRequest) -> HttpResponse:
    """Answers with the page: a webhook's secret is shown on it, this once."""
    name, kind, address = (request.POST.get(part, "") for part in ("name", "kind", "address"))
    try:
        channel, secret = channels.create(name, kind, address)
    except channels.Unusable as error:
        return frame.page(request, "channels.html", "alerts", {**_context(), "refusal": str(error)}, status=400)
    response = frame.page(request, "channels.html", "alerts", {**_context(), "made": channel, "secret": secret})
    response.headers["Cache-Control"] = "no-store"
    return response


@require_POST
def change(request: HttpRequest, channel_id: int) -> HttpResponse:
    channel = get_object_or_404(Channel, pk=channel_id)
    match request.POST.get("deed"):
        case "test":
            channels.test(channel, request.user.get_username())
            messages.success(request, f"A test is on its way to {channel.name}; below is said what comes of it.")
        case "again":
            _again(channel)
        case "enable":
            channels.enable(channel)
        case "disable":
            channels.disable(channel, f"Disabled by {request.user.get_username()}.")
        case "remove":
            channel.delete()
            messages.success(request, f"{channel.name} is gone, and what it was told of with it.")
    return redirect("channels")


def _again(channel: Channel) -> None:
    """What it was told last, if that failed; a refusal disabled it, so it is enabled first."""
    last = channel.deliveries.order_by("-id").first()
    if last and last.state == Delivery.State.FAILED:
        sending.try_again(last)
        channels.enable(channel)


@require_POST
def silence(request: HttpRequest) -> HttpResponse:
    known = {str(minutes): minutes for minutes, _ in LENGTHS}
    ends_at = timezone.now() + timedelta(minutes=known.get(request.POST.get("minutes", ""), 60))
    matcher = {name: request.POST.get(name, "")[:200] for name in Silence.PARTS}
    try:
        lifecycle.silence(matcher, request.user.get_username(), request.POST.get("reason", ""), ends_at)
    except lifecycle.Impossible as error:
        return frame.page(request, "channels.html", "alerts", {**_context(), "refusal": str(error)}, status=400)
    return redirect("channels")


@require_POST
def end_silence(request: HttpRequest, silence_id: int) -> HttpResponse:
    lifecycle.end_silence(silence_id, request.user.get_username())
    return redirect("channels")


def _context() -> dict[str, Any]:
    """Three queries."""
    found = channels.listed()
    routes = config.current(settings.CHOREOSCOPE_CONFIG).alerts.routes
    names = {channel.name for channel, _ in found}
    return {
        "channels": found,
        "unknown": sorted({name for route in routes for name in route.to} - names),
        "routed": bool(routes),
        "kinds": Channel.Kind.choices,
        "silences": list(Silence.in_force(timezone.now()).order_by("ends_at", "id")[:_MOST]),
        "alert_kinds": Alert.Kind.choices,
        "lengths": LENGTHS,
    }
