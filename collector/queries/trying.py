"""Rules tried on the transactions of the last days, and what was discovered as configuration."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec
from django.db.models import Min

from collector.correlation.choreography import Rule, RuleBook
from collector.correlation.shape import course_of
from collector.learning import keeping
from collector.mined_courses import Found
from collector.mining.adoption import adopted
from collector.mining.backtest import Backtest, Tried, backtest
from collector.mining.lessons import Settings, counting, taught, unpacked
from collector.models import LearnedRule, Lesson, Topic, Transaction
from collector.storage.judgement import skeletons
from collector.storage.sql import binary_cursor

_OFTEN = 0.9
"""The share of its triggers that what is to be proposed as a rule has answered; it need not be sure enough to act."""
MOST, MOST_EVENTS = 2_000, 40_000
"""Transactions that a rule is tried on, the latest; fewer, where they have so many events together."""


@dataclass(frozen=True)
class Trial:
    """What each rule would have raised. `since`: when the first of the `transactions` began that were looked at;
    `more`: there were others in that time."""

    transactions: int
    since: datetime | None
    more: bool
    rules: tuple[tuple[Rule, Backtest], ...]


def trial(name: str, since: datetime, rulebook: RuleBook, proposal: Rule | None = None) -> Trial:
    """Of a proposed rule, or of all that are in force, declared and learned. Four queries."""
    columns = ("id", "transaction_id", "day", "choreography", "phase", "event_count")
    wanted = Transaction.objects.filter(choreography=name, partial=False, oversized=False, started_at__gte=since)
    found: list[Found] = []
    events, more = 0, False
    for number, transaction_id, day, kind, phase, count in wanted.order_by("-started_at", "-id").values_list(*columns)[
        : MOST + 1
    ]:
        events += count
        if len(found) == MOST or events > MOST_EVENTS:
            more = True
            break
        found.append(Found(number, transaction_id, day, kind, phase, countable=True))
    through = Topic.objects.filter(vanished_at=None).aggregate(least=Min("watermark"))["least"]
    with binary_cursor() as cursor:
        stored = skeletons(cursor, found, dict(Topic.objects.values_list("id", "name")))
    courses = [(one.transaction_id, course_of(stored[one.id])) for one in found if stored[one.id]]
    tried = [Tried(known, course, through or course.ordered[-1].time) for known, course in courses]
    choreography = rulebook.named(name)
    rules = [proposal] if proposal else [*choreography.rules, *choreography.learned]
    return Trial(
        len(tried),
        min((one.course.ordered[0].time for one in tried), default=None),
        more,
        tuple((rule, backtest(rule, choreography, tried, rulebook.limits)) for rule in rules),
    )


def kept(name: str) -> tuple[list[LearnedRule], list[str]]:
    """The learned rules in force, and the event types that end transactions. One query."""
    found = list(LearnedRule.objects.filter(until=None, choreography=name).order_by("after", "expect"))
    ends = [kind for row in found if row.kind == LearnedRule.Kind.ENDS for kind in row.expect]
    return [row for row in found if row.kind == LearnedRule.Kind.RESPONSE], ends


def adoption(name: str, how: Settings) -> str | None:
    """The choreography as it was learned, as configuration; None where too little was seen of it. Two queries."""
    taken = counting(keeping.lessons(name), how.adopt)
    bodies = Lesson.objects.filter(id__in=[one.id for one in taken]).order_by("until").values_list("body", flat=True)
    lessons = [unpacked(bytes(body)) for body in bodies]
    seen = [one for lesson in lessons for one in lesson]
    if len(seen) < how.support:
        return None
    return adopted(name, taught(lessons, msgspec.structs.replace(how, confidence=_OFTEN)), seen)
