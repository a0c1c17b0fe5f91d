"""Closing a transaction that will never progress: by a person, who says why."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from collector import actions, config, queries
from collector.config.rules import registered
from dashboard.pages.shared import shared

_LONGEST_REASON = 500


@require_POST
def close(request: HttpRequest, transaction_id: str) -> HttpResponse:
    """Leads back to its page, which says what became of it; without a reason nothing is done."""
    if not queries.exists(transaction_id):
        raise Http404("There is no such transaction.")
    reason = _line(request.POST.get("reason", ""))[:_LONGEST_REASON]
    who = request.user.get_username() or "somebody"
    if reason:
        rulebook = registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook)
        actions.abandon([transaction_id], who, reason, rulebook)
        shared.clear()
    return redirect("transaction", transaction_id=transaction_id)


def _line(text: str) -> str:
    return " ".join(text.replace("\x00", "").split())
