"""Rules tried on the transactions of the last days, and what was discovered as configuration."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf

import msgspec
from django.db.models import Min

from collector.config.yaml_reader import meant
from collector.correlation.choreography import Rule, RuleBook
from collector.correlation.shape import Course, course_of
from collector.learning import keeping
from collector.miner.courses import Found
from collector.mining.adoption import adopted
from collector.mining.backtest import Backtest, Tried, backtest
from collector.mining.contribution import ALWAYS
from collector.mining.lessons import Settings, counting, taught, unpacked
from collector.models import LearnedRule, Lesson, MinedCount, Topic, Transaction
from collector.storage.judgement import skeletons
from collector.storage.sql import binary_cursor

_OFTEN = 0.9
"""The share of its triggers that what is to be proposed as a rule has answered; it need not be sure enough to act."""
MOST, MOST_EVENTS = 2_000, 40_000
"""Transactions that a rule is tried on, the latest; fewer, where they have so many events together."""
PIECE = 250
"""How many transactions are read at a time: whoever has no patience gets what was read until then."""
TRIALS = 100_000
"""Rules times transactions: many rules are tried on fewer."""
FEWEST = 200
_SHOWN = 20
_KNOWN = MinedCount.objects.filter(kind="case", hours=ALWAYS, count__gt=0)


@dataclass(frozen=True)
class Trial:
    """What each rule would have raised. `since`: when the first of the `transactions` began that were looked at;
    `more`: there were others in that time."""

    transactions: int
    since: datetime | None
    more: bool
    rules: tuple[tuple[Rule, Backtest], ...]


def trial(name: str, since: datetime, rulebook: RuleBook, proposal: Rule | None = None, patience: float = inf) -> Trial:
    """Of a proposed rule, or of all that are in force, declared and learned. Three queries, and one for each PIECE;
    after `patience` seconds no other piece is begun."""
    choreography = rulebook.named(name)
    rules = [proposal] if proposal else [*choreography.rules, *choreography.learned]
    found, more = _latest(name, since, min(MOST, max(FEWEST, TRIALS // max(1, len(rules)))))
    through = Topic.objects.filter(vanished_at=None).aggregate(least=Min("watermark"))["least"]
    courses, all_read = _courses(found, patience)
    tried = [Tried(known, course, through or course.ordered[-1].time) for known, course in courses]
    return Trial(
        len(tried),
        min((one.course.ordered[0].time for one in tried), default=None),
        more or not all_read,
        tuple((rule, backtest(rule, choreography, tried, rulebook.limits)) for rule in rules),
    )


def _latest(name: str, since: datetime, most: int) -> tuple[list[Found], bool]:
    """The latest of a choreography's transactions, and whether there are more."""
    columns = ("id", "transaction_id", "day", "choreography", "phase", "event_count")
    wanted = Transaction.objects.filter(choreography=name, partial=False, oversized=False, started_at__gte=since)
    found: list[Found] = []
    events = 0
    for number, transaction_id, day, kind, phase, count in wanted.order_by("-started_at", "-id").values_list(*columns)[
        : most + 1
    ]:
        events += count
        if len(found) == most or events > MOST_EVENTS:
            return found, True
        found.append(Found(number, transaction_id, day, kind, phase, countable=True))
    return found, False


def _courses(found: Sequence[Found], patience: float) -> tuple[list[tuple[str, Course]], bool]:
    """Their events, by name; and whether there was time for all of them."""
    began, topics = time.monotonic(), dict(Topic.objects.values_list("id", "name"))
    courses: list[tuple[str, Course]] = []
    for start in range(0, len(found), PIECE):
        if courses and time.monotonic() - began > patience:
            return courses, False
        piece = found[start : start + PIECE]
        with binary_cursor() as cursor:
            stored = skeletons(cursor, piece, topics)
        courses += [(one.transaction_id, course_of(stored[one.id])) for one in piece if stored[one.id]]
    return courses, True


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


def unlearned(name: str, how: Settings) -> str:
    """Why there is nothing to adopt of a choreography yet, and what helps. Two queries at most."""
    seen = sum(len(found) for found in Lesson.objects.filter(choreography=name).values_list("transactions", flat=True))
    if not seen:
        known = list(_KNOWN.values_list("choreography", flat=True).distinct()[:MOST])
        if name not in known:
            return f"No transaction of a choreography {name[:200]!r} has been counted yet. {_which(name, known)}"
    said = (
        f"Too little has been learned yet: it takes {how.support:,} settled transactions, and {seen:,} of"
        f" {name[:200]!r} have been looked at."
    )
    if not how.acts:
        return f"{said} Learning is off: write `learning: on` into the configuration."
    if name in how.except_for:
        return f"{said} It is named under learning.except in the configuration: take it out there."
    return f"{said} Come back in some minutes."


def _which(name: str, known: Sequence[str]) -> str:
    if not known:
        return "Nothing has been counted at all: is the collector running, and a worker?"
    hint = meant(name, known)
    return f"{hint[:1].upper()}{hint[1:]}There are: {', '.join(sorted(known)[:_SHOWN])}."
