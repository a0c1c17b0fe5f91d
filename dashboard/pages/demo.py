"""The demo's switches: places orders and breaks services, through the control process of the demo services."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from dashboard.pages import frame

_PATIENCE = 3.0
MANY = 25
RATES = (0, 0.5, 1, 2, 5, 10, 20, 50)


class Refused(Exception):
    """What the control process said against it, or that it did not answer: a sentence."""


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    return frame.page(request, "demo.html", "demo", _context())


@require_POST
def orders(request: HttpRequest) -> HttpResponse:
    count = _number(request.POST.get("count", "1"), int)
    return _do(request, "POST", "/orders", {"count": count})


@require_POST
def rate(request: HttpRequest) -> HttpResponse:
    return _do(request, "PUT", "/rate", {"rate": _number(request.POST.get("rate", ""), float)})


@require_POST
def fault(request: HttpRequest) -> HttpResponse:
    name = request.POST.get("name", "")
    return _do(request, "PUT", f"/faults/{quote(name, safe='')}", {"on": request.POST.get("on") == "true"})


def _number(text: str, kind: type) -> Any:
    """What is no number goes on as text: the control process says what is wrong with it."""
    try:
        return kind(text)
    except ValueError:
        return text


def _do(request: HttpRequest, method: str, path: str, content: dict[str, Any]) -> HttpResponse:
    said, placed = "", []
    try:
        placed = _ask(method, path, content).get("order_ids", [])
    except Refused as refusal:
        said = str(refusal)
    if "HX-Request" not in request.headers and not said:
        return redirect("demo")
    context = {**_context(), "placed": placed, "placed_count": len(placed)}
    return render(request, "demo/content.html", {**context, "refusal": said or context["refusal"]})


def _context() -> dict[str, Any]:
    context: dict[str, Any] = {"state": None, "refusal": "", "many": MANY, "rates": RATES}
    try:
        state = _ask("GET", "/state")
    except Refused as refusal:
        return {**context, "refusal": str(refusal)}
    return {**context, "state": state, "switched_on": sum(fault["on"] for fault in state["faults"].values())}


def _ask(method: str, path: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
    body = json.dumps(content).encode() if content is not None else None
    request = urllib.request.Request(  # noqa: S310 - the address is the supervisor's, checked to be http
        settings.DEMO_CONTROL_URL + path, body, {"Content-Type": "application/json"}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        raise Refused(_complaint(error)) from error
    except (OSError, ValueError) as error:
        raise Refused("The demo services do not answer; start them with `make demo`.") from error


def _complaint(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        return f"The demo services refused with status {error.code}."
