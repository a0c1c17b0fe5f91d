"""Settled transactions → lessons → rules, and the rules that transactions are judged by from then on.

One learner at a time, in one short database transaction for each choreography. A lesson is some transactions that began
one after the other; of each minute one at most is taken, so that this costs the same however much flows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Min
from django.utils import timezone

from collector import config
from collector.correlation.causality import links_of
from collector.correlation.choreography import RuleBook
from collector.correlation.shape import course_of
from collector.learning import keeping
from collector.miner.courses import announced
from collector.mining.contribution import without_echoes
from collector.mining.lessons import Settings, counting, packed, superfluous, taught, unpacked
from collector.mining.responses import Seen, seen
from collector.models import Lesson, Topic
from collector.queries.bounds import rows
from collector.queries.mined import mined_map
from collector.storage.judgement import skeletons
from collector.storage.sql import array, binary_cursor

SIZE, MOST_EVENTS = 30, 20_000
"""Transactions of a lesson; those with more events than that together have fewer."""
AT_ONCE = 20
"""Lessons that are taken of a choreography in one go."""
LOOK_BACK = 2_000
"""How many transactions back the first lesson begins."""
MOST_CHOREOGRAPHIES = 100
APART = timedelta(minutes=1)
SOONEST, MARGIN = timedelta(seconds=30), timedelta(seconds=10)
"""At least so long nothing has to have come of an open transaction for it to count as settled; and so much longer than
any learned deadline."""
PATIENCE = timedelta(minutes=5)
"""After that time a lesson is taken of fewer, if they are enough for a rule."""
STILL_MOVING = 20
"""Of so many lessons, the newest, it is asked whether their transactions have changed since."""

_NAMES = """
SELECT choreography FROM collector_minedcount WHERE hours = 0 AND kind = 'case'
GROUP BY choreography HAVING sum(count) >= %(least)s ORDER BY sum(count) DESC, choreography LIMIT %(most)s
"""
_WHERE = "choreography = %s AND NOT partial AND NOT oversized AND merged_into IS NULL"
_BACK = f"SELECT started_at FROM collector_transaction WHERE {_WHERE} ORDER BY started_at DESC OFFSET %s LIMIT 1"
_NEXT = f"""
SELECT id, transaction_id, day, started_at, event_count FROM collector_transaction
WHERE {_WHERE} AND started_at > %s AND started_at < %s AND (ended_at IS NOT NULL OR last_event_at < %s)
ORDER BY started_at, id LIMIT {SIZE}
"""
_THESE = """
SELECT id, transaction_id, day, started_at, event_count FROM collector_transaction
WHERE id = ANY(%s::bigint[]) AND merged_into IS NULL AND NOT oversized ORDER BY started_at, id
"""
_STUCK = """
SELECT DISTINCT transaction FROM collector_transition
WHERE transaction = ANY(%s::bigint[]) AND day = ANY(%s::date[]) AND kind = 'stuck'
"""
_CHANGED = """
SELECT l.id FROM (SELECT * FROM collector_lesson WHERE choreography = %s ORDER BY until DESC LIMIT %s) AS l
WHERE l.events <> (SELECT coalesce(sum(t.event_count), 0) FROM collector_transaction t
                   WHERE t.id = ANY(l.transactions) AND t.merged_into IS NULL)
"""
_ALONE = "SELECT pg_try_advisory_xact_lock(%s)"
_LOCK = 0x6C6561726E


class Case(NamedTuple):
    """A settled transaction."""

    id: int
    transaction_id: str
    day: date
    started_at: datetime
    event_count: int


def learn_now() -> bool:
    """With the configuration; whether there are other rules now."""
    found = config.current(settings.CHOREOSCOPE_CONFIG)
    return learn(found.rulebook, found.learning)


def learn(rulebook: RuleBook, how: Settings) -> bool:
    """Takes the lessons that there are to be taken, and alters the rules by them; whether any was altered. What was
    learned stays where nothing more is learned, and is given up where that is switched off."""
    names = [name for (name,) in rows(_NAMES, {"least": how.support, "most": MOST_CHOREOGRAPHIES})]
    wanted = [name for name in names if how.acts and name not in how.except_for]
    altered = keeping.give_up(how.except_for if how.acts else keeping.known())
    return any([altered, *[_learn(name, rulebook, how) for name in wanted]])


def _learn(name: str, rulebook: RuleBook, how: Settings) -> bool:
    with transaction.atomic(), binary_cursor() as cursor:
        cursor.execute(_ALONE, [_LOCK])
        if not cursor.fetchall()[0][0]:
            return False
        kept = keeping.in_force(name)
        if not (_take_again(cursor, name, rulebook) | _take_new(cursor, name, rulebook, how, kept)):
            return False
        taken = keeping.lessons(name)
        gone = set(superfluous(taken))
        Lesson.objects.filter(id__in=gone).delete()
        counted = counting([one for one in taken if one.id not in gone], how.adopt)
        bodies = (
            Lesson.objects.filter(id__in=[one.id for one in counted]).order_by("until").values_list("body", flat=True)
        )
        found = taught([unpacked(bytes(body)) for body in bodies], how, [row.said for row in kept])
        return keeping.alter(name, found, kept, timezone.now())


def _take_new(cursor: Any, name: str, rulebook: RuleBook, how: Settings, kept: Iterable[keeping.Kept]) -> bool:
    """Takes lessons of what has settled since the last; whether there were any."""
    quiet = _quiet(name, kept)
    reached = _reached(cursor, name)
    if quiet is None or reached is None:
        return False
    found: list[Lesson] = []
    while len(found) < AT_ONCE:
        cursor.execute(_NEXT, [name, reached, quiet, quiet])
        cases = _within_bounds([Case(*row) for row in cursor.fetchall()])
        late = bool(cases) and quiet - cases[0].started_at > PATIENCE
        if not cases or (len(cases) < SIZE and not (len(cases) >= how.support and late)):
            break
        lesson = Lesson(choreography=name, since=cases[0].started_at)
        reached = lesson.until = max(cases[-1].started_at, cases[0].started_at + APART)
        _fill(cursor, lesson, cases, rulebook)
        found.append(lesson)
    Lesson.objects.bulk_create(found)
    return bool(found)


def _take_again(cursor: Any, name: str, rulebook: RuleBook) -> bool:
    """Takes those lessons anew of which more has come since: what looked settled was not."""
    cursor.execute(_CHANGED, [name, STILL_MOVING])
    changed = list(Lesson.objects.filter(id__in=[row for (row,) in cursor.fetchall()]))
    for lesson in changed:
        cursor.execute(_THESE, [array(lesson.transactions)])
        _fill(cursor, lesson, [Case(*row) for row in cursor.fetchall()], rulebook)
        lesson.save()
    return bool(changed)


def _fill(cursor: Any, lesson: Lesson, cases: Sequence[Case], rulebook: RuleBook) -> None:
    ids, days = array(case.id for case in cases), array(sorted({case.day for case in cases}))
    cursor.execute(_STUCK, [ids, days])
    lesson.disturbed = bool(cursor.fetchall())
    lesson.transactions = [case.id for case in cases]
    lesson.events = sum(case.event_count for case in cases)
    lesson.body = packed(looked_at(cursor, cases, {case.id: lesson.choreography for case in cases}, rulebook))


def looked_at(cursor: Any, cases: Sequence[Any], names: Mapping[int, str], rulebook: RuleBook) -> list[Seen]:
    """These transactions as learning sees them. Two queries, and one for the topics."""
    topics = dict(Topic.objects.values_list("id", "name"))
    events = skeletons(cursor, cases, topics)
    ours = announced(cursor, cases)
    found = []
    for case in cases:
        if counted := without_echoes(events[case.id], ours.get(case.id, ())):
            course = course_of(counted)
            found.append(seen(course, links_of(course, rulebook.named(names[case.id]))))
    return found


def _within_bounds(cases: list[Case]) -> list[Case]:
    events = 0
    for place, case in enumerate(cases):
        events += case.event_count
        if place and events > MOST_EVENTS:
            return cases[:place]
    return cases


def _reached(cursor: Any, name: str) -> datetime | None:
    """Up to when those that began are represented; None where there are none at all."""
    last = Lesson.objects.filter(choreography=name).order_by("-until").values_list("until", flat=True).first()
    if last is not None:
        return last
    for offset in (LOOK_BACK, 0):
        cursor.execute(_BACK, [name, offset])
        if found := cursor.fetchall():
            return found[0][0] if offset else datetime.min.replace(tzinfo=found[0][0].tzinfo)
    return None


def _quiet(name: str, kept: Iterable[keeping.Kept]) -> datetime | None:
    """What nothing has come of since then is settled: for longer than 99% of the transactions take as a whole, and than
    anything is waited for."""
    watermark = Topic.objects.filter(vanished_at=None).aggregate(least=Min("watermark"))["least"]
    if watermark is None:
        return None
    usual = timedelta(seconds=mined_map(name, None, None, "", watermark).took.p99 or 0)
    longest = max((row.within + MARGIN for row in kept if row.within), default=SOONEST)
    quiet: datetime = watermark - max(SOONEST, usual, longest)
    return quiet
