"""One transaction: where it stands and why, its graph, its events, and what was known when."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast, get_args

import msgspec
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString

from collector import config, queries
from collector.config.rules import registered
from collector.correlation.events import EventKey
from collector.models import OPEN_PHASES, Clock, Transaction
from collector.publish import digest
from dashboard import graphs
from dashboard.pages import frame, payloads, replay, sentences, story, usual, wording
from dashboard.pages.overview import flow_map
from dashboard.pages.shared import MOMENT, shared
from dashboard.pages.statement import Statement, Text

EVENTS_ON_A_PAGE = 100
_RARELY = 60.0
"""Seconds that what is usual may be old."""
_STILL = 300.0
"""Seconds that a drawing of this version is kept on which no time goes on: the page wants its height, and then asks for
it; and people come back."""
_RUNNING = 5.0
"""The same of one on which something is awaited, at least: its clocks run on in the browser."""
_SHARE = 1 / 100
"""Or for so much of the time that is drawn: who looks does not see that much of it pass."""
VIEWS: tuple[str, ...] = get_args(graphs.View)


def page(request: HttpRequest, transaction_id: str) -> HttpResponse:
    found = _found(transaction_id)
    if found is None:
        missing = {"transaction_id": transaction_id, "prefix": transaction_id[:500]}
        return frame.page(request, "transaction/missing.html", "transactions", missing, status=404)
    view, at = _view(request), replay.asked_moment(request)
    context = {**_context(request, found), "graph_room": _drawing(found, view, at)}
    if at:
        context |= {"then": _then(found, at), "at": at}
    selected = _selected(request, found)
    if selected is not None:
        context |= {"selected": selected, **_event(found, selected, context["every_row"])}
    return frame.page(request, "transaction.html", "transactions", context)


def fragment(request: HttpRequest, transaction_id: str) -> HttpResponse:
    return frame.fragment(request, "transaction/content.html", _context(request, _there(transaction_id)))


def drawing(request: HttpRequest, transaction_id: str) -> HttpResponse:
    """The graph for static/js/transaction.js: ?view= says which, ?at= as it was known when."""
    found = _there(transaction_id, request.GET.get("version", ""))
    content = msgspec.json.encode(_drawing(found, _view(request), replay.asked_moment(request)))
    return HttpResponse(content, content_type="application/json", headers={"Cache-Control": "no-store"})


def then(request: HttpRequest, transaction_id: str) -> HttpResponse:
    """Where it stood at ?at=."""
    found, at = _there(transaction_id, request.GET.get("version", "")), replay.asked_moment(request)
    if at is None:
        raise Http404("There is no such moment.")
    response = render(request, "transaction/then.html", {"then": _then(found, at), "at": at})
    response.headers["Cache-Control"] = "no-store"
    return response


def event(request: HttpRequest, transaction_id: str) -> HttpResponse:
    """The inspector's content for the event that ?source= and ?event= name."""
    found = _there(transaction_id, request.GET.get("version", ""))
    key = (request.GET.get("source", ""), request.GET.get("event", ""))
    if found.event(key) is None:
        raise Http404("There is no such event in this transaction.")
    inspected = {"found": found, **_event(found, key, _rows(found))}
    return frame.fragment(request, "transaction/event.html", inspected)


def why(request: HttpRequest, transaction_id: str) -> HttpResponse:
    """Whether the services that owe what is overdue have read what asks for it. Apart from the page, since Kafka is
    asked, which may take its time."""
    found = _there(transaction_id)
    told = zip(found.state.pending, queries.consumers(found), strict=True)
    said = [verdict.sentence for entry, verdict in told if entry.overdue and verdict is not None]
    response = render(request, "transaction/why.html", {"sentences": list(dict.fromkeys(said))})
    response.headers["Cache-Control"] = "no-store"
    return response


def _found(transaction_id: str, version: str = "") -> queries.Found | None:
    """As it is now; as it was at this version, if that is still at hand, so that all of a page shows the same."""
    key = ("transaction", hashlib.sha256(transaction_id.encode(errors="replace")).digest())
    kept: queries.Found | None = shared.kept(key)
    if kept is not None and str(kept.transaction.version) == version:
        return kept
    return shared.get(key, MOMENT, lambda: queries.find(transaction_id, kept))


def _there(transaction_id: str, version: str = "") -> queries.Found:
    found = _found(transaction_id, version)
    if found is None:
        raise Http404("There is no such transaction.")
    return found


def _view(request: HttpRequest) -> graphs.View:
    asked = request.GET.get("view", "")
    return cast(graphs.View, asked) if asked in VIEWS else "causal"


def _then(found: queries.Found, at: datetime) -> Statement:
    return replay.statement(found, registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook), at)


def _drawing(found: queries.Found, view: graphs.View, at: datetime | None) -> graphs.Drawing:
    version = (found.transaction.id, found.transaction.version, found.choreography.digest)
    key = ("drawing", version, view, at, timezone.get_current_timezone_name())
    return shared.get(key, _hold(found.transaction), lambda: _drawn(found, view, at))


def _hold(transaction: Transaction) -> float:
    """Seconds that a drawing of it is kept."""
    if transaction.phase not in OPEN_PHASES:
        return _STILL
    drawn = timezone.now() - transaction.started_at
    return min(_STILL, max(_RUNNING, drawn.total_seconds() * _SHARE))


def _drawn(found: queries.Found, view: graphs.View, at: datetime | None) -> graphs.Drawing:
    zone = timezone.get_current_timezone()
    return graphs.transaction_figure(
        [msgspec.structs.replace(event, time=event.time.astimezone(zone)) for event in found.skeletons],
        found.causality,
        found.state,
        found.choreography,
        ended=found.transaction.phase not in OPEN_PHASES,
        now=timezone.now(),
        view=view,
        known_at=at,
    )


def _context(request: HttpRequest, found: queries.Found) -> dict[str, Any]:
    now = timezone.now()
    transaction = found.transaction
    rows = _rows(found)
    number = _page_number(request, len(rows))
    pending, unjudged = found.state.pending, frame.frame().readiness.unjudged
    return {
        "found": found,
        "transaction": transaction,
        "digest": digest(transaction.transaction_id),
        "statement": sentences.state(transaction, pending, found.skeletons, found.choreography, now, unjudged),
        "hints": _hints(found),
        "contact": _contact(found),
        "clocks": _clocks(found),
        "every_row": rows,
        "events": _table(found, number),
        "page_number": number,
        "pages": range(1, -(-len(rows) // EVENTS_ON_A_PAGE) + 1),
        "transitions": story.transition_lines(found.transitions),
        "open": transaction.phase in OPEN_PHASES,
        "view": _view(request),
        "views": VIEWS,
        "moments": shared.of(found, ("moments", transaction.id), lambda: replay.moments(found)),
        "whole": _whole(found),
    }


def _rows(found: queries.Found) -> list[story.EventRow]:
    return shared.of(found, ("event-rows", found.transaction.id), lambda: story.event_rows(found))


def _table(found: queries.Found, number: int) -> SafeString:
    """A page of its events, written once for all who look: nothing in it is about them, or about now."""

    def written() -> SafeString:
        rows, first = _rows(found), (number - 1) * EVENTS_ON_A_PAGE
        shown = {"rows": rows[first : first + EVENTS_ON_A_PAGE], "any_marks": any(row.marks for row in rows)}
        return render_to_string("transaction/events.html", shown)

    key = ("events-table", found.transaction.id, number, timezone.get_current_timezone_name())
    return shared.of(found, key, written)


def _page_number(request: HttpRequest, count: int) -> int:
    asked = request.GET.get("page", "1")
    number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 6 else 1
    return max(1, min(number, -(-count // EVENTS_ON_A_PAGE)))


def _hints(found: queries.Found) -> list[Text]:
    """What is known around a stuck one: how long it usually takes, when the service was last heard, who else waits."""
    overdue = story.worst_overdue(found)
    if overdue is None or overdue.kind == "timeout":
        return []
    likewise = shared.get(
        ("likewise", found.transaction.id),
        1.0,
        lambda: queries.waiting_likewise(found.transaction, overdue.awaited, overdue.service),
    )
    return sentences.hints(overdue, flow_map(), likewise)


def _usual(found: queries.Found) -> queries.MinedMap:
    """How long transactions of its choreography take, and each of their steps; of all times."""
    name = found.transaction.choreography
    return shared.get(("usual", name), _RARELY, lambda: queries.mined_map(name, None, None, "", timezone.now()))


def _contact(found: queries.Found) -> dict[str, Any] | None:
    """Whom to call about the service that owes what is overdue."""
    overdue = story.worst_overdue(found)
    if overdue is None:
        return None
    service = config.current(settings.CHOREOSCOPE_CONFIG).services.get(overdue.service)
    if service is None:
        return None
    return {"name": overdue.service, "service": service.about(found.transaction.transaction_id, overdue.service)}


def _whole(found: queries.Found) -> usual.Band | None:
    """How long it took, beside what is usual. While it goes on, what passed from its first event to its last so far is
    no time that it took."""
    if found.cut or found.transaction.phase in OPEN_PHASES:
        return None
    return usual.whole(found.events, _usual(found))


def _clocks(found: queries.Found) -> list[Clock]:
    """Of its services, those whose clocks are off: their events' times are not to be trusted."""
    names = {event.service for event in found.events if event.service}
    key = ("clocks", found.transaction.id, len(names))
    return shared.get(key, _RARELY, lambda: queries.clocks(names, timezone.now()))


def _selected(request: HttpRequest, found: queries.Found) -> EventKey | None:
    """The event that the address names, else the one that is waited on, else the last."""
    asked = (request.GET.get("source", ""), request.GET.get("event", ""))
    if found.event(asked):
        return asked
    overdue = story.worst_overdue(found)
    waited_on = next((key for key in overdue.triggers if found.event(key)), None) if overdue else None
    return waited_on or (found.skeletons[-1].key if found.skeletons else None)


def _event(found: queries.Found, key: EventKey, rows: Sequence[story.EventRow]) -> dict[str, Any]:
    chosen = found.event(key)
    if chosen is None:
        return {}
    place = next(place for place, row in enumerate(rows) if row.event is chosen)
    kept = queries.payload(chosen)
    written = queries.written(kept) if kept else None
    content = written.content if written else _bytes(kept.value) if kept else None
    return {
        "event": chosen,
        "row": rows[place],
        "open": found.transaction.phase in OPEN_PHASES,
        "led_to": story.led_to(found, key),
        "band": usual.steps(found.events[max(0, place - 1) : place + 1], _usual(found)).get(key),
        "ingest_delay": wording.between(chosen.record_time, chosen.received_at),
        "payload": kept,
        "withheld": not config.current(settings.CHOREOSCOPE_CONFIG).policy.of(chosen.topic.name).payloads,
        "shown": payloads.value(content, len(content or b"") if written else kept.size) if kept else None,
        "written": written,
        "headers": payloads.headers(queries.headers(kept)) if kept else [],
        "key_text": payloads.value(_bytes(kept.key), len(kept.key or b"")).text if kept else "",
    }


def _bytes(content: bytes | memoryview | None) -> bytes | None:
    return None if content is None else bytes(content)
