"""Pages for what is not there and for what broke."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith("/api/"):
        return JsonResponse({"error": "There is nothing at this address; /api/docs lists what there is."}, status=404)
    return render(request, "404.html", status=404)


def broken(request: HttpRequest) -> HttpResponse:
    """Needs neither database nor configuration: either may be what broke."""
    if request.path.startswith("/api/"):
        return JsonResponse({"error": "Choreoscope could not answer; its log says why."}, status=500)
    return HttpResponse(render_to_string("500.html"), status=500)
