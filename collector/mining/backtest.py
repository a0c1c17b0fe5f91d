"""What a rule, declared or proposed, would have raised: its triggers and answers in transactions that went before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

import msgspec

from collector.correlation.choreography import Choreography, Limits, Rule
from collector.correlation.lifecycle import believed_time
from collector.correlation.pairing import pair
from collector.correlation.passages import end_of
from collector.correlation.shape import Clocks, Course

EXAMPLES = 10


class Tried(NamedTuple):
    """A transaction to try a rule on; `through`: up to when all of it was read."""

    name: str
    course: Course
    through: datetime


class Raised(msgspec.Struct, frozen=True):
    """A transaction that would have become stuck: overdue from `since` until the answer, None where none came."""

    name: str
    since: datetime
    until: datetime | None

    @property
    def kind(self) -> Literal["late", "missed"]:
        return "missed" if self.until is None else "late"


class Backtest(msgspec.Struct, frozen=True):
    """`kept`, `late`, `missed` and `open` count triggered responses; `alerts`: how many alerts there would have been,
    since those that overlap are one. `examples`: the latest."""

    triggered: int
    kept: int
    late: int
    missed: int
    open: int
    transactions: int
    alerts: int
    first: datetime | None
    last: datetime | None
    examples: tuple[Raised, ...]


def backtest(rule: Rule, choreography: Choreography, tried: Iterable[Tried], limits: Limits) -> Backtest:
    """By the rule alone; what ends a transaction of the choreography voids what it awaits, as in the lifecycle."""
    counts = {"kept": 0, "late": 0, "missed": 0, "open": 0}
    raised: list[Raised] = []
    for one in tried:
        if not all(name in one.course.shape.types for name in rule.after):
            continue
        worst: Raised | None = None
        for kind, found in _outcomes(rule, choreography, one, limits):
            counts[kind] += 1
            if found and (worst is None or found.since < worst.since):
                worst = found
        if worst:
            raised.append(worst)
    raised.sort(key=lambda found: found.since)
    return Backtest(
        triggered=sum(counts.values()),
        transactions=len(raised),
        alerts=_episodes(raised),
        first=raised[0].since if raised else None,
        last=raised[-1].since if raised else None,
        examples=tuple(raised[: -EXAMPLES - 1 : -1]),
        **counts,
    )


def _outcomes(
    rule: Rule, choreography: Choreography, tried: Tried, limits: Limits
) -> Iterable[tuple[str, Raised | None]]:
    ordered, shape = tried.course
    end = None if rule.survives_end else end_of(shape.types, choreography)
    for obligation in pair(shape, (rule,), Clocks(ordered, limits.skew)).obligations:
        if obligation.missing:
            continue
        answer = None if obligation.answer is None else ordered[obligation.answer].time
        if rule.within is None:
            yield ("kept" if answer else "open"), None
            continue
        due = believed_time(ordered[obligation.base], limits.skew)[0] + rule.within
        ended = answer or (ordered[end].time if end is not None and end >= obligation.base else None)
        if ended is not None and ended <= due + limits.grace:
            yield "kept", None
        elif ended is not None:
            yield "late", Raised(tried.name, due, ended)
        elif tried.through >= due + limits.grace:
            yield "missed", Raised(tried.name, due, None)
        else:
            yield "open", None


def _episodes(raised: Sequence[Raised]) -> int:
    """How many stretches of time there are in which at least one was stuck; by when each began."""
    episodes, until, endless = 0, None, False
    for one in raised:
        if not endless and (until is None or one.since > until):
            episodes += 1
        endless = endless or one.until is None
        if one.until is not None:
            until = max(until or one.until, one.until)
    return episodes


def proposed(after: Sequence[str], expect: Sequence[str], within: timedelta | None, compensates: str = "") -> Rule:
    return Rule("proposed", tuple(after), tuple(expect), within=within, compensates=compensates or None)
