"""Pages for what is not there and for what broke."""

from __future__ import annotations

from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import is_valid_path

_SAID = "Choreoscope could not answer; its log says why."
_PART = """<p class="nothing" role="alert">Choreoscope could not make this part of the page: its log says why, and
<a href="/readyz">/readyz</a> whether the database and the other parts are well.</p>"""


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Where only a slash at the end is too much, leads to what is there without it. None of our addresses ends in one,
    but ids may: an address is taken as it is first."""
    without = request.path_info.rstrip("/")
    if request.method in ("GET", "HEAD") and without not in ("", request.path_info) and is_valid_path(without):
        asked = request.META.get("QUERY_STRING", "")
        return redirect(quote(without) + (f"?{asked}" if asked else ""))
    if request.path.startswith("/api/"):
        return JsonResponse({"error": "There is nothing at this address; /api/docs lists what there is."}, status=404)
    return render(request, "404.html", status=404)


def broken(request: HttpRequest) -> HttpResponse:
    """Needs neither database nor configuration, and no static files for the worst: any of them may be what broke."""
    if request.path.startswith("/api/"):
        return JsonResponse({"error": _SAID}, status=500)
    if "HX-Request" in request.headers:
        return HttpResponse(_PART, status=500)
    try:
        page: str = render_to_string("500.html")
    except ValueError:
        page = f"<!doctype html><title>Broken</title><p>{_SAID}"
    return HttpResponse(page, status=500)
