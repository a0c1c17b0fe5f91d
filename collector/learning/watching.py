"""Looks, now and then, what services answered lately and what consumer groups have read; keeps what follows.

What is looked at is a sample: the newest transactions, those that ended last, and those that wait for long. Kafka is
asked, never joined.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple

import msgspec
from django.conf import settings
from django.utils import timezone

from collector import config
from collector.correlation.causality import Link, links_of
from collector.correlation.choreography import RuleBook
from collector.correlation.shape import Course, course_of
from collector.correlation.state import StoredState
from collector.kafka import Groups, Place
from collector.learning import keeping
from collector.learning.groups import KEPT, Asked, Evidence, Record, judged
from collector.models import Heartbeat, LearnedGroup, Topic
from collector.queries.readiness import COLLECTOR
from collector.queries.why import kafka_groups
from collector.storage.judgement import skeletons
from collector.storage.sql import binary_cursor

NEWEST, ENDED, WAITING = 300, 200, 300
MOST_EVENTS = 20_000
MOST_GROUPS = 1_000
"""Of more nothing is learned: the one that was not looked at could be the service's."""
LATELY = timedelta(hours=1)
"""What is owed for longer says nothing of groups: they went on without it."""

_SAMPLE = f"""
WITH looked_at AS (
    (SELECT id FROM collector_transaction WHERE merged_into IS NULL ORDER BY started_at DESC, id DESC LIMIT {NEWEST})
    UNION
    (SELECT id FROM collector_transaction WHERE phase = 'completed' AND ended_at IS NOT NULL
     ORDER BY ended_at DESC LIMIT {ENDED})
    UNION
    (SELECT transaction FROM collector_overdue WHERE since > %s AND service <> '' ORDER BY since LIMIT {WAITING})
)
SELECT id, day, choreography, event_count, CASE WHEN overdue_since IS NOT NULL THEN state::text END
FROM collector_transaction JOIN looked_at USING (id) WHERE NOT oversized AND merged_into IS NULL
ORDER BY overdue_since, id DESC
"""

AskedOf = dict[tuple[str, str], dict[int, Asked]]
"""By service and topic, and then by partition."""


class _Case(NamedTuple):
    id: int
    day: date
    choreography: str
    events: int
    state: str | None


def watch_now() -> None:
    """With the configuration; KafkaFailure where Kafka does not answer."""
    watch(config.current(settings.CHOREOSCOPE_CONFIG).rulebook, kafka_groups(), timezone.now())


def watch(rulebook: RuleBook, groups: Groups, now: datetime) -> None:
    """A handful of queries, and one question to Kafka for each group."""
    asked = _asked(rulebook, now)
    names = sorted(set(groups.names()) - _ours())
    places = {(topic, number) for (_, topic), partitions in asked.items() for number in partitions}
    if not names or not places or len(names) > MOST_GROUPS:
        return
    committed = groups.committed(names, places)
    if len(committed) < len(names):
        return  # one of them did not answer, and could be the one
    known = {(row.service, row.topic, row.name): row for row in LearnedGroup.objects.all()}
    found = [
        _row(known.get((service, topic, name)), service, topic, name, partitions, committed[name], now)
        for (service, topic), partitions in sorted(asked.items())
        for name in names
        if any(place[0] == topic for place in committed[name])
    ]
    LearnedGroup.objects.bulk_create(
        found,
        update_conflicts=True,
        unique_fields=["service", "topic", "name"],
        update_fields=["seen_at", "passed_at", "stopped_at", "against_at", "watched"],
    )
    LearnedGroup.objects.filter(seen_at__lt=now - KEPT).delete()


def _ours() -> set[str]:
    """The groups by which Choreoscope reads."""
    details = Heartbeat.objects.filter(name__startswith=COLLECTOR).values_list("detail", flat=True)
    return {detail["group"] for detail in details if "group" in detail}


def _row(
    known: LearnedGroup | None,
    service: str,
    topic: str,
    name: str,
    asked: Mapping[int, Asked],
    committed: Mapping[Place, int],
    now: datetime,
) -> LearnedGroup:
    before = keeping.evidence(known) if known is not None else Evidence(name)
    found = judged(before, asked, {number: at for (where, number), at in committed.items() if where == topic}, now)
    return LearnedGroup(
        service=service,
        topic=topic,
        name=name,
        seen_at=now,
        passed_at=found.passed_at,
        stopped_at=found.stopped_at,
        against_at=found.against_at,
        watched=msgspec.to_builtins(found.watched),
    )


def _asked(rulebook: RuleBook, now: datetime) -> AskedOf:
    with binary_cursor() as cursor:
        cursor.execute(_SAMPLE, [now - LATELY])
        cases = _within_bounds(map(_Case._make, cursor.fetchall()))
        stored = skeletons(cursor, cases, dict(Topic.objects.values_list("id", "name")))
    found: AskedOf = defaultdict(lambda: defaultdict(Asked))
    for case in cases:
        if events := stored[case.id]:
            course = course_of(events)
            links = links_of(course, rulebook.named(case.choreography)).links
            _answered(found, course, links)
            _owed(found, course, case.state, now)
    return found


def _within_bounds(cases: Iterable[_Case]) -> list[_Case]:
    """What waits comes first."""
    kept: list[_Case] = []
    events = 0
    for case in cases:
        events += case.events
        if kept and events > MOST_EVENTS:
            break
        kept.append(case)
    return kept


def _answered(found: AskedOf, course: Course, links: Iterable[Link]) -> None:
    """What a service makes of its own events, it need not have read."""
    for link in links:
        asking, answer = course.ordered[link.parent], course.ordered[link.child]
        if answer.service and answer.service != asking.service:
            place = found[answer.service, asking.topic][asking.partition]
            place.answered.append(Record(asking.offset, answer.received_at))


def _owed(found: AskedOf, course: Course, state: str | None, now: datetime) -> None:
    pending = StoredState.from_json(state).pending if state else ()
    for entry in pending:
        since = entry.deadline
        if entry.overdue and entry.service and since and since > now - LATELY:
            triggers = set(entry.triggers[: len(entry.after)])
            for event in course.ordered:
                if event.key in triggers and event.service != entry.service:
                    place = found[entry.service, event.topic][event.partition]
                    place.owed.append(Record(event.offset, event.received_at))
