"""Whether Choreoscope itself is well: how far each partition was read, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST

from collector import actions, config, queries
from collector.config.rules import registered
from collector.models import Topic
from dashboard.pages import frame, wording
from dashboard.pages.shared import MOMENT, shared
from dashboard.parts.addresses import PartMissing

_AT_ONCE = 500
_COVERED, _SUGGESTED = 5.0, 20.0
"""For so many seconds what was found of this is shown again."""
_READING = 6.0
"""Seconds that a suggestion may take to read."""
_UNASKED = 60
"""With more partitions than this in all, those of topics that are well are shown to whoever asks for them."""

LISTS = {"undecodable": queries.undecodable, "uncorrelated": queries.uncorrelated}


@dataclass(frozen=True)
class TopicRow:
    topic: Topic
    state: str
    partitions: tuple[queries.Partition, ...]

    @property
    def is_well(self) -> bool:
        """Read to its end, all of it."""
        return self.state == "read" and not any(one.unreadable_since or one.held for one in self.partitions)

    @property
    def lag(self) -> int | None:
        """Records not read yet, of all partitions; None where an end is not known."""
        known = [partition.lag for partition in self.partitions if partition.lag is not None]
        return sum(known) if len(known) == len(self.partitions) else None


def page(request: HttpRequest) -> HttpResponse:
    context = _context(request)
    return frame.page(request, "ingestion.html", "ingestion", context, 400 if context["complaint"] else 200)


def fragment(request: HttpRequest) -> HttpResponse:
    return frame.fragment(request, "ingestion/content.html", _context(request))


def suggestion(request: HttpRequest) -> HttpResponse:
    """What reading the topics themselves tells of where the transaction id is. Takes some seconds."""
    try:
        found = shared.get("suggestion", _SUGGESTED, lambda: queries.suggest(_READING))
    except (queries.KafkaFailure, PartMissing) as failure:
        return render(request, "ingestion/suggestion.html", {"failure": _without_kafka(failure)})
    records, topics = sum(topic.records for topic in found.topics), len(found.topics)
    looked_into = f"{wording.counted(records, 'record')} of {wording.counted(topics, 'topic')}"
    return render(request, "ingestion/suggestion.html", {"found": found, "looked_into": looked_into})


@require_POST
def again(request: HttpRequest) -> HttpResponse:
    """Decodes the newest rows of a list again, and says what came of it."""
    kind = request.POST.get("list", "")
    kind = kind if kind in LISTS else "undecodable"
    try:
        rulebook = registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook)
        said = _said(actions.decode_again(actions.Kind(kind), rulebook, most=_AT_ONCE))
    except (queries.KafkaFailure, PartMissing) as failure:
        said = f"{_without_kafka(failure)} Nothing was decoded again."
    shared.clear()
    if "HX-Request" not in request.headers:
        return frame.page(request, "ingestion.html", "ingestion", {**_context(request, kind), "said": said})
    return render(request, "ingestion/again.html", {"said": said})


def _without_kafka(failure: queries.KafkaFailure | PartMissing) -> str:
    return str(failure) if isinstance(failure, PartMissing) else f"{queries.explain(failure)}."


def _said(found: actions.Again) -> str:
    """ "500 looked at: 480 are understood now, 3 are no longer in Kafka." """
    if not found.examined:
        return "There is nothing to decode again."
    understood = "1 is understood now" if found.understood == 1 else f"{found.understood} are understood now"
    gone = f", {found.gone} no longer to be had" if found.gone else ""
    more = " There are more; `manage.py decode_again` goes through all." if found.more else ""
    return f"The newest {found.examined} were looked at: {understood}{gone}.{more}"


def _context(request: HttpRequest, kind: str = "") -> dict[str, Any]:
    kind = kind or request.GET.get("list", "")
    kind = kind if kind in LISTS else "undecodable"
    context: dict[str, Any] = {**shared.get("ingestion", MOMENT, _common), "kind": kind, "complaint": ""}
    context["cursor"] = cursor = request.GET.get("cursor", "")
    context["every_partition"] = request.GET.get("partitions") == "all" or not context["many"]
    try:
        return {**context, "records": LISTS[kind](cursor)}
    except queries.BadParameter as error:
        return {**context, "complaint": str(error), "records": queries.Keyset([], None)}


def _common() -> dict[str, Any]:
    """Six queries; two more while topics are not read to their ends."""
    found = queries.ingestion(timezone.now())
    rulebook = config.current(settings.CHOREOSCOPE_CONFIG).rulebook
    return {
        "ingestion": found,
        "topics": _topics(found),
        "many": len(found.partitions) > _UNASKED,
        "demo": bool(settings.DEMO_CONTROL_URL),
        "collectors": [collector for collector in found.collectors if collector.alive],
        "coverage": shared.get("coverage", _COVERED, lambda: queries.coverage(timezone.now())),
        "muted": queries.muted(found.liveness.standing_still, rulebook),
    }


def _topics(found: queries.Ingestion) -> list[TopicRow]:
    by_topic: dict[int, list[queries.Partition]] = {topic.id: [] for topic in found.topics}
    for partition in found.partitions:
        by_topic[partition.topic.id].append(partition)
    states = {reading.name: state for reading, state in found.liveness.topics}
    return [TopicRow(topic, states.get(topic.name, ""), tuple(by_topic[topic.id])) for topic in found.topics]
