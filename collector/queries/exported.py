"""Whole transactions with their events, a page at a time: what goes into other tools."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.db.models import Q, QuerySet

from collector.correlation.events import Skeleton, in_order
from collector.mining.ranges import rounded
from collector.models import Topic, Transaction
from collector.queries.filters import STUCK
from collector.queries.mined import EVERY
from collector.storage.judgement import skeletons
from collector.storage.sql import binary_cursor

PAGE = 100
Place = tuple[datetime, int]


@dataclass(frozen=True)
class Exported:
    """A transaction with its events in event order."""

    id: int
    day: date
    started_at: datetime
    transaction_id: str
    choreography: str
    status: str
    events: tuple[Skeleton, ...] = ()

    @property
    def place(self) -> Place:
        return (self.started_at, self.id)


@dataclass(frozen=True)
class Wanted:
    """Those that the map counts: neither partial nor oversized ones."""

    choreography: str
    since: datetime | None
    until: datetime | None
    status: str
    now: datetime

    @property
    def rows(self) -> QuerySet[Transaction]:
        within = rounded(self.since, self.until, self.now)
        found = Transaction.objects.filter(partial=False, oversized=False)
        if self.choreography != EVERY:
            found = found.filter(choreography=self.choreography)
        if within.began:
            found = found.filter(started_at__gte=within.began)
        if within.ended:
            found = found.filter(started_at__lt=within.ended)
        if self.status == STUCK:
            return found.exclude(overdue_since=None)
        return found.filter(phase=self.status, overdue_since=None) if self.status else found


def exported(wanted: Wanted, after: Place | None) -> list[Exported]:
    """The page after this place, the latest first; none after the last one. Three queries."""
    found = wanted.rows
    if after:
        started_at, number = after
        found = found.filter(Q(started_at__lt=started_at) | Q(started_at=started_at, id__lt=number))
    columns = ("id", "day", "started_at", "transaction_id", "choreography", "phase", "overdue_since")
    page = [
        Exported(number, day, at, name, choreography, STUCK if overdue else phase)
        for number, day, at, name, choreography, phase, overdue in found.order_by("-started_at", "-id").values_list(
            *columns
        )[:PAGE]
    ]
    return _with_events(page)


def _with_events(page: Iterable[Exported]) -> list[Exported]:
    page = list(page)
    topics = dict(Topic.objects.values_list("id", "name"))
    with binary_cursor() as cursor:
        events = skeletons(cursor, page, topics)
    return [replace(entry, events=tuple(in_order(events[entry.id]))) for entry in page]
