"""The timezone that times of day are shown in: chosen by viewers for their browser, kept in a cookie; else UTC."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

COOKIE = "timezone"
_A_YEAR = 365 * 86_400


@lru_cache(1)
def _known() -> frozenset[str]:
    return frozenset(available_timezones())


def shown_in(name: str) -> AbstractContextManager[None]:
    """Within, times of day are those of this timezone; of UTC where it is none."""
    return timezone.override(ZoneInfo(name)) if name in _known() else nullcontext()


class TimeZone:
    """Middleware. What a page says of times while a request lasts is in the timezone of its cookie."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with shown_in(request.COOKIES.get(COOKIE, "")):
            return self.get_response(request)


def choose(request: HttpRequest) -> HttpResponse:
    """Keeps the timezone that ?zone= names, and leads back to ?next=. Nothing changes but the browser's own cookie."""
    name, back = request.GET.get("zone", "").strip(), request.GET.get("next", "/")
    if name not in _known():
        said = f"There is no timezone {name[:60]!r}. Names are such as Europe/Berlin or America/New_York."
        return HttpResponse(said, status=400, content_type="text/plain; charset=utf-8")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = "/"
    response = redirect(back)
    response.set_cookie(COOKIE, name, max_age=_A_YEAR, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE)
    return response
