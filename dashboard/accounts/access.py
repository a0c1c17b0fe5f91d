"""What everybody may do, decided in one place: whatever is not named here needs a login, and to change, an operator."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any
from urllib.parse import urlencode

from channels.auth import get_user
from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.db import Error
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from dashboard.accounts.roles import may_operate, may_read

OPEN = frozenset({"login", "logout", "healthz", "readyz", "metrics"})
"""For everybody: signs of life tell machines no more than that something is wrong; guard /metrics at the proxy."""
PANEL = frozenset({"demo-orders", "demo-rate", "demo-faults"})
"""The demo's own switches: whoever may see the demo may break its services."""
_SAFE = ("GET", "HEAD", "OPTIONS")
_MUST_LOG_IN, _MAY_NOT = 401, 403
REFUSED = 4401
"""The code that a socket is closed with."""
AGAIN = 10.0
"""Seconds until a socket that is open is asked for its viewer's rights again."""


class Access:
    """Middleware. Decides when it is known which view is meant, and before that is called."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, _view: Callable[..., Any], _args: Sequence[Any], _kwargs: Mapping[str, Any]
    ) -> HttpResponse | None:
        name = request.resolver_match.url_name if request.resolver_match else ""
        if name in OPEN:
            return None
        if not may_read(request.user):
            return _refuse(request, _MAY_NOT if request.user.is_authenticated else _MUST_LOG_IN)
        if request.method in _SAFE or name in PANEL or may_operate(request.user):
            return None
        return _refuse(request, _MAY_NOT if request.user.is_authenticated else _MUST_LOG_IN)


def _refuse(request: HttpRequest, status: int) -> HttpResponse:
    """In the form that was asked for: people are shown where to log in, programs are told."""
    said = "Log in first." if status == _MUST_LOG_IN else "Your role does not allow that: it needs an operator."
    if request.path.startswith("/api/"):
        return JsonResponse({"error": said}, status=status)
    login = reverse("login")
    if status == _MUST_LOG_IN and request.method in _SAFE and "HX-Request" not in request.headers:
        return redirect(f"{login}?{urlencode({'next': request.get_full_path()})}")
    part = "HX-Request" in request.headers
    context = {"said": said, "login": login, "who": request.user.get_username() if status == _MAY_NOT else ""}
    return render(request, f"accounts/{'refused' if part else 'no_permission'}.html", context, status=status)


Scope = MutableMapping[str, Any]


class SocketAccess:
    """The same for sockets, asked again and again while they last: whoever has logged out is told nothing more."""

    def __init__(self, application: Callable[..., Any]) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        if not await _may_listen(scope):
            await receive()
            await send({"type": "websocket.close", "code": REFUSED})
            return
        serving = asyncio.create_task(self.application(scope, receive, send))
        try:
            while not (await asyncio.wait({serving}, timeout=AGAIN))[0]:
                if not await _may_listen(scope):
                    await send({"type": "websocket.close", "code": REFUSED})
                    return
            serving.result()
        finally:
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving


async def _may_listen(scope: Scope) -> bool:
    if settings.ACCESS == "read":
        return True
    session = SessionStore(scope["session"].session_key)  # as it is now, not as it was when the socket was opened
    try:
        return await database_sync_to_async(may_read)(await get_user({"session": session}))
    except Error:
        return True  # without the database there is nothing to be told


def context(request: HttpRequest) -> dict[str, Any]:
    """For templates: whether to offer what changes anything; asked of the database only where a page wants to know."""
    return {"may_operate": functools.cache(lambda: may_operate(request.user))}
