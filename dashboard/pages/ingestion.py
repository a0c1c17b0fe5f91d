"""Whether Choreoscope itself is well: how far each partition was read, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from collector import queries
from collector.models import Progress, Topic
from dashboard.pages import frame
from dashboard.pages.shared import MOMENT, shared

LISTS = {"undecodable": queries.undecodable, "uncorrelated": queries.uncorrelated}


@dataclass(frozen=True)
class PartitionRow:
    progress: Progress
    lag: int | None

    @property
    def end(self) -> int | None:
        """The end at the last look, or what has been read beyond it since."""
        end = self.progress.end_offset
        return None if end is None else max(end, self.progress.next_offset)


@dataclass(frozen=True)
class TopicRow:
    topic: Topic
    partitions: tuple[PartitionRow, ...]

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


def _context(request: HttpRequest) -> dict[str, Any]:
    kind = request.GET.get("list", "")
    kind = kind if kind in LISTS else "undecodable"
    found = shared.get("ingestion", MOMENT, lambda: queries.ingestion(timezone.now()))
    context: dict[str, Any] = {"ingestion": found, "topics": _topics(found), "kind": kind, "complaint": ""}
    context["cursor"] = cursor = request.GET.get("cursor", "")
    try:
        return {**context, "records": LISTS[kind](cursor)}
    except queries.BadParameter as error:
        return {**context, "complaint": str(error), "records": queries.Keyset([], None)}


def _topics(found: queries.Ingestion) -> list[TopicRow]:
    by_topic: dict[int, list[PartitionRow]] = {topic.id: [] for topic in found.topics}
    for progress in found.partitions:
        by_topic.setdefault(progress.topic_id, []).append(PartitionRow(progress, queries.lag(progress)))
    return [TopicRow(topic, tuple(by_topic[topic.id])) for topic in found.topics]
