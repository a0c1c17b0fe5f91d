"""One choreography as it was discovered: its map, its rules, its variants, and how long it takes over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString

from collector import config, queries
from collector.correlation.choreography import Choreography
from collector.queries import behaviour
from collector.queries.filters import STATUSES
from collector.queries.mined import EVERY
from collector.queries.mined import times as mined_times
from dashboard.graphs.discovered import Shown, shown
from dashboard.graphs.discovered_map import discovered_figure
from dashboard.graphs.discovered_scene import percent
from dashboard.graphs.graph import Drawing
from dashboard.pages import asking, frame
from dashboard.pages.comparing import changes
from dashboard.pages.flowing import failure_types
from dashboard.pages.heatmap import heat_map
from dashboard.pages.shared import shared
from dashboard.pages.strips import emitters, occurring, strip
from dashboard.pages.tracing import graph_of, timed

EXPORTS = (("xes", "XES"), ("ocel", "OCEL 2.0 (JSON)"), ("csv", "CSV"))
_MINED = 2.0
"""Seconds that what was mined may be old; miners run every five."""
_RANGE = 10.0
"""The same of a range of time, for which many hours are added up; up to three minutes, where it is long."""
_SHARE, _LONGEST = 1 / 300, 180.0
_TIMED = 60
"""Of how many steps, the most frequent, times are gathered, whether they are drawn or not."""
_VARIANTS = 8
_ALL_VARIANTS = 100
_MOST_CHANGES = 30


def page(request: HttpRequest, name: str) -> HttpResponse:
    context = _context(request, name)
    if not context["complaint"]:
        context["written"] = _written(context, _drawing(name, context["wanted"])[0])
    status = 400 if context["complaint"] else 200
    return frame.page(request, "choreography.html", "choreographies", context, status)


def fragment(request: HttpRequest, name: str) -> HttpResponse:
    context = _context(request, name)
    if context["complaint"]:
        raise Http404(context["complaint"])
    return frame.fragment(request, "choreographies/written.html", {"written": _written(context)})


def ways(request: HttpRequest, name: str) -> HttpResponse:
    """The variants that are not among the first, for whoever wants to see them: they are ten times as many."""
    context = _context(request, name)
    if context["complaint"]:
        raise Http404(context["complaint"])
    response = render(request, "choreographies/strips.html", {"strips": context["found"]["rest"]})
    response.headers["Cache-Control"] = "no-store"
    return response


def _written(context: Mapping[str, Any], room: Drawing | None = None) -> SafeString:
    """What is found of it, written once for all who look: nothing in it is about them. `room`: for its map."""
    wanted: asking.Asked = context["wanted"]
    size = room and (room.width, room.height)
    key = ("choreography-written", context["name"], wanted.key, wanted.overlay, wanted.detail, size)

    def written() -> SafeString:
        said = {**context, **context["found"], "map_room": room, "now": timezone.now()}
        return render_to_string("choreographies/one.html", said)

    return shared.of(context["found"], key, written)


def drawing(request: HttpRequest, name: str) -> HttpResponse:
    """The map for static/js/choreography.js, and how much of it that is."""
    known(name)
    try:
        wanted = asking.asked(request.GET, timezone.now())
    except queries.BadParameter as error:
        raise Http404(str(error)) from error
    drawn, part = _drawing(name, wanted)
    content = msgspec.json.encode({"drawing": drawn, "detail": part.detail, "said": _said(part)})
    return HttpResponse(content, content_type="application/json", headers={"Cache-Control": "no-store"})


def known(name: str) -> None:
    known = name in _rulebook().by_name or shared.get(("mined", name), _MINED, lambda: queries.is_mined(name))
    if not known:
        raise Http404("There is no such choreography.")


def _rulebook() -> Any:
    return config.current(settings.CHOREOSCOPE_CONFIG).rulebook


def _choreography(name: str) -> Choreography:
    found: Choreography = _rulebook().named(name)
    return found


def _context(request: HttpRequest, name: str) -> dict[str, Any]:
    known(name)
    now = timezone.now()
    context: dict[str, Any] = {
        "name": name,
        "every": name == EVERY,
        "title": "All choreographies" if name == EVERY else name,
        "declared": name in _rulebook().by_name,
        "complaint": "",
        "ranges": asking.RANGES,
        "all_statuses": STATUSES,
    }
    try:
        wanted = asking.asked(request.GET, now)
    except queries.BadParameter as error:
        return {**context, "complaint": str(error), "texts": request.GET.dict()}
    found = shared.get(("choreography", name, wanted.key), _fresh(wanted), lambda: _found(name, wanted))
    _, part = _drawing(name, wanted)
    return {
        **context,
        "found": found,
        "wanted": wanted,
        "texts": wanted.texts,
        "query": wanted.but(),
        "detail": part.detail,
        "said": _said(part),
        "earlier": [
            (words, wanted.but(**texts))
            for words, texts in asking.earlier(found["mined"].since, found["mined"].until, now)
        ],
        "overlays": [(one, wanted.but(overlay=one)) for one in asking.OVERLAYS],
        "range_links": [(text, words, wanted.but(since=text, until="")) for text, words in asking.RANGES],
        "ways_links": [
            ("In order", wanted.but(ways=""), not wanted.causal),
            ("Causal", wanted.but(ways="causal"), wanted.causal),
        ],
        "alone": wanted.but(against_since="", against_until=""),
    }


def _maps(name: str, wanted: asking.Asked) -> tuple[queries.MinedMap, queries.MinedMap | None, dict[str, str]]:
    """What was mined of the range, what of the range to compare with, and who emits what: two or three queries."""

    def made() -> tuple[queries.MinedMap, queries.MinedMap | None, dict[str, str]]:
        now = timezone.now()
        mined = queries.mined_map(name, wanted.since, wanted.until, wanted.status, now, timed=_TIMED)
        before = None
        if wanted.against:
            before = queries.mined_map(
                name, wanted.against_since, wanted.against_until, wanted.status, now, timed=_TIMED
            )
        types = {node.type for one in (mined, before) if one for node in one.nodes}
        return mined, before, behaviour.emitters(types)

    return shared.get(("mined-map", name, wanted.key), _fresh(wanted), made)


def _drawing(name: str, wanted: asking.Asked) -> tuple[Drawing, Shown]:
    key = ("discovered", name, wanted.key, wanted.overlay, wanted.detail)
    return shared.get(key, _fresh(wanted), lambda: _drawn(name, wanted))


def _fresh(wanted: asking.Asked) -> float:
    if wanted.since is None:
        return _RANGE if wanted.until or wanted.against else _MINED
    length = (wanted.until or timezone.now()) - wanted.since
    return min(max(_RANGE, length.total_seconds() * _SHARE), _LONGEST)


def _drawn(name: str, wanted: asking.Asked) -> tuple[Drawing, Shown]:
    """One query, where rare steps are drawn whose times are not known yet."""
    mined, before, services = _maps(name, wanted)
    graph = graph_of(mined, services, failure_types(_choreography(name)), before)
    part = shown(graph, wanted.detail)
    untimed = [(step.source, step.target) for step in part.steps if step.count and step.p50 is None]
    if untimed:
        now = timezone.now()
        took = mined_times(name, wanted.since, wanted.until, wanted.status, now, untimed)
        part = timed(part, took)
    return discovered_figure(part, wanted.overlay, compared=before is not None), part


def _said(part: Shown) -> str:
    """How much of the map is drawn."""
    if len(part.steps) == part.of_steps and len(part.kinds) == part.of_kinds:
        return "all of it"
    return f"{percent(part.share)} of all steps taken: {len(part.steps)} of {part.of_steps} kinds of step"


def _found(name: str, wanted: asking.Asked) -> dict[str, Any]:
    """Seven queries; two more where ranges are compared."""
    now = timezone.now()
    mined, before, services = _maps(name, wanted)
    ways = queries.variants(
        name, wanted.since, wanted.until, wanted.status, now, causal=wanted.causal, limit=_ALL_VARIANTS
    )
    numbers = [item.id for item in ways.items]
    stand = behaviour.statuses(name, wanted.since, wanted.until, now, numbers, causal=wanted.causal)
    legend = emitters([*services.values(), *([""] if len(services) < len(mined.nodes) else [])])
    stood = _stood(name, wanted, numbers, before)
    shares = _shares(wanted, numbers, before, stood)
    narrowed = _narrowed(name, wanted, mined)
    strips = [
        strip(
            item,
            services,
            legend,
            stand.variants.get(item.id, {}),
            link=urlencode({**narrowed, "variant": item.id}),
            share_before=shares.get(item.id),
        )
        for item in ways.items
    ]
    return {
        "mined": mined,
        "before": before,
        "changes": changes(mined, before)[:_MOST_CHANGES] if before else [],
        "strips": strips[:_VARIANTS],
        "rest": strips[_VARIANTS:],
        "more_variants": ways.next is not None,
        "legend": occurring(strips[:_VARIANTS]),
        "fare": behaviour.Fare(name, stand.every, _took(wanted, mined, stand), ()),
        "took_before": _took(wanted, before, stood),
        "heat": heat_map(behaviour.heat(name, wanted.since, wanted.until, wanted.status, now)),
        "narrowed": urlencode(narrowed),
        "exports": EXPORTS,
        "export_query": urlencode({key: value for key, value in narrowed.items() if key != "choreography"}),
    }


def _stood(
    name: str, wanted: asking.Asked, numbers: list[int], before: queries.MinedMap | None
) -> behaviour.Standing | None:
    """In the range to compare with, if there was anything."""
    if before is None or not before.transactions:
        return None
    since, until = wanted.against_since, wanted.against_until
    return behaviour.statuses(name, since, until, timezone.now(), numbers, causal=wanted.causal)


def _shares(
    wanted: asking.Asked, numbers: list[int], before: queries.MinedMap | None, stood: behaviour.Standing | None
) -> dict[int, float]:
    """Of these variants in the range to compare with."""
    if before is None or stood is None:
        return {}
    counted = {number: stood.variants.get(number, {}) for number in numbers}
    if wanted.status:
        counted = {number: {wanted.status: found.get(wanted.status, 0)} for number, found in counted.items()}
    return {number: sum(found.values()) / before.transactions for number, found in counted.items()}


def _took(wanted: asking.Asked, mined: queries.MinedMap | None, standing: behaviour.Standing | None) -> queries.Taken:
    """Of those that completed, as in the list of choreographies; of those that stand as was asked for."""
    if mined is None or standing is None:
        return queries.Taken()
    return mined.took if wanted.status else standing.took


def _narrowed(name: str, wanted: asking.Asked, mined: queries.MinedMap) -> dict[str, str]:
    """What narrows a list of transactions to those that are counted here."""
    found = {"choreography": "" if name == EVERY else name, "status": wanted.status}
    found |= {"since": mined.since.isoformat() if mined.since else ""}
    found |= {"until": mined.until.isoformat() if mined.until else ""}
    return {key: value for key, value in found.items() if value}
