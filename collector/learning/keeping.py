"""What was learned, as rows: the rules in force, and how they change; and of consumer groups whose they may be."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from django.db import transaction
from django.utils import timezone

from collector.learning.groups import Evidence, Watched
from collector.mining.lessons import Said, Taken, Taught, drifted, rounded
from collector.mining.responses import Response
from collector.models import LearnedGroup, LearnedRule, Lesson

Kind = LearnedRule.Kind


class Kept(NamedTuple):
    """A row in force."""

    id: int
    kind: str
    after: tuple[str, ...]
    expect: tuple[str, ...]
    services: tuple[str, ...]
    within: timedelta | None

    @property
    def said(self) -> Said:
        return self.after, self.expect


def known() -> set[str]:
    """The choreographies of which something was learned."""
    return set(LearnedRule.objects.filter(until=None).values_list("choreography", flat=True).distinct())


def in_force(name: str) -> list[Kept]:
    found = LearnedRule.objects.filter(until=None, choreography=name).order_by("id")
    return [
        Kept(row.pk, row.kind, tuple(row.after), tuple(row.expect), tuple(row.services), row.within) for row in found
    ]


def lessons(name: str) -> list[Taken]:
    found = Lesson.objects.filter(choreography=name).order_by("until")
    return [Taken(*row) for row in found.values_list("id", "since", "until", "disturbed")]


def groups(services: Collection[str]) -> dict[str, dict[str, list[Evidence]]]:
    """What is known of the groups that may be these services', by service and topic. One query."""
    found: dict[str, dict[str, list[Evidence]]] = {}
    for row in LearnedGroup.objects.filter(service__in=services) if services else ():
        found.setdefault(row.service, {}).setdefault(row.topic, []).append(evidence(row))
    return found


def evidence(row: LearnedGroup) -> Evidence:
    watched = msgspec.convert(row.watched, dict[int, Watched], strict=False)
    return Evidence(row.name, row.passed_at, row.stopped_at, row.against_at, watched)


def give_up(names: Collection[str]) -> bool:
    """Ends all that was learned of these choreographies; whether there was anything."""
    if not names:
        return False
    return bool(LearnedRule.objects.filter(until=None, choreography__in=names).update(until=timezone.now()))


def alter(name: str, found: Taught, kept: Sequence[Kept], now: datetime) -> bool:
    """Ends the rules that hold no longer, and writes those that are new or have another deadline; whether there were
    any."""
    before = {(row.kind, *row.said): row for row in kept}
    after = {(one.kind, tuple(one.after), tuple(one.expect)): one for one in _rows(name, found, now)}
    same = {key for key, row in before.items() if key in after and _stays(row, after[key])}
    gone = [row.id for key, row in before.items() if key not in same]
    new = [one for key, one in after.items() if key not in same]
    with transaction.atomic():
        LearnedRule.objects.filter(id__in=gone).update(until=now)
        LearnedRule.objects.bulk_create(new)
    return bool(gone or new)


def _stays(row: Kept, found: LearnedRule) -> bool:
    moved = row.within and found.within and drifted(row.within, found.within)
    return row.services == tuple(found.services) and not moved


def _rows(name: str, found: Taught, now: datetime) -> Iterable[LearnedRule]:
    for rule in found.responses:
        yield LearnedRule(
            choreography=name,
            kind=Kind.RESPONSE,
            after=rule.after,
            expect=rule.expect,
            services=rule.services,
            within=rounded(rule.deadline),
            evidence=_evidence(rule),
            since=now,
        )
    for kind, types in ((Kind.ENDS, found.ends), (Kind.TYPES, found.types)):
        if types:
            yield LearnedRule(choreography=name, kind=kind, after=(), expect=types, services=(), since=now)


def _evidence(rule: Response) -> dict[str, Any]:
    return {
        "support": rule.support,
        "confidence": rule.confidence,
        "p50": rule.p50,
        "p95": rule.p95,
        "p99": rule.p99,
        "basis": rule.basis,
    }
