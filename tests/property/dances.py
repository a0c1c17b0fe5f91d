"""Random choreographies, and random things that happen in them."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from hypothesis import strategies as st

from collector.correlation.choreography import Choreography, Limits, Rule, RuleBook

TYPES = ("A", "B", "C", "D", "E", "F")
SERVICES = ("one", "two")
moments = st.integers(0, 240).map(lambda quarters: quarters / 4)
"""Seconds from the beginning; few different ones, so that many are the same."""


class Happening(msgspec.Struct, frozen=True):
    """A record to be: an event of a transaction at a time, on a topic with a timestamp. Those of one transaction,
    source and name are copies of one another."""

    transaction: str
    kind: str
    name: str
    source: str
    time: float
    stamped: float
    topic: int
    causes: tuple[str, ...] = ()


def some_types(least: int, most: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(TYPES), min_size=least, max_size=most, unique=True).map(tuple)


@st.composite
def rules(draw: st.DrawFn, key: str) -> Rule:
    after = draw(some_types(1, 2))
    others = [name for name in TYPES if name not in after]
    expect = draw(st.lists(st.sampled_from(others), min_size=1, max_size=2, unique=True))
    return Rule(
        key=key,
        after=after,
        expect=tuple(expect),
        service=draw(st.sampled_from(("", *SERVICES))),
        within=draw(st.none() | st.integers(0, 40).map(lambda seconds: timedelta(seconds=seconds))),
        compensates=draw(st.none() | st.sampled_from(TYPES)),
        even_after_end=draw(st.booleans()),
        optional=draw(st.integers(0, 4)) == 0,
    )


bounds = st.dictionaries(st.sampled_from(TYPES), some_types(1, 2), max_size=1)


@st.composite
def choreographies(draw: st.DrawFn, name: str = "dance") -> Choreography:
    starts, ends = draw(some_types(1, 2)), draw(some_types(0, 3))
    failing = draw(st.integers(0, len(ends)))
    spans = st.none() | st.integers(0, 90).map(lambda seconds: timedelta(seconds=seconds))
    return Choreography(
        name=name,
        starts=frozenset(starts),
        completes=frozenset(ends[failing:]),
        fails=frozenset(ends[:failing]),
        timeout=draw(spans),
        idle_timeout=draw(spans),
        rules=tuple(draw(rules(str(i))) for i in range(draw(st.integers(0, 5)))),
        completes_all=draw(st.booleans()),
        never_after=draw(bounds),
        only_after=draw(bounds),
    )


@st.composite
def rule_books(draw: st.DrawFn) -> RuleBook:
    limits = Limits(skew=timedelta(seconds=draw(st.integers(0, 5))), grace=timedelta(seconds=draw(st.integers(0, 2))))
    return RuleBook(tuple(draw(choreographies(f"dance-{i}")) for i in range(draw(st.integers(0, 2)))), limits)


@st.composite
def books_with_parts(draw: st.DrawFn) -> RuleBook:
    """One choreography that passes through another, which has rules and an end; mostly the part comes to its end."""
    part = msgspec.structs.replace(
        draw(choreographies("part")),
        starts=frozenset("A"),
        completes=frozenset("B"),
        fails=frozenset("C"),
        completes_all=False,
        rules=tuple(draw(rules(str(i))) for i in range(draw(st.integers(1, 3)))),
    )
    whole = msgspec.structs.replace(draw(choreographies("whole")), starts=frozenset("AD"))
    if draw(st.booleans()):
        whole = msgspec.structs.replace(whole, completes=frozenset(), fails=frozenset())
    return RuleBook((_passing_through(whole, part), part))


def _passing_through(whole: Choreography, part: Choreography) -> Choreography:
    rules = [msgspec.structs.replace(rule, key=f"{part.name}.{rule.key}", part=part.name) for rule in part.rules]
    return msgspec.structs.replace(whole, parts=(part,), rules=(*whole.rules, *rules))


@st.composite
def happenings(
    draw: st.DrawFn, transactions: tuple[str, ...] = ("tx",), most: int = 12, topics: int = 3, copies: int = 4
) -> list[Happening]:
    """Events with some copies: of those, anything may differ but what makes them the same event."""
    found: list[Happening] = []
    for number in range(draw(st.integers(1, most))):
        time = draw(moments)
        earlier = [event.name for event in found]
        found.append(
            Happening(
                transaction=draw(st.sampled_from(transactions)),
                kind=draw(st.sampled_from(TYPES)),
                name=f"e{number}",
                source=draw(st.sampled_from(SERVICES)),
                time=time,
                stamped=draw(st.just(time) | moments),
                topic=draw(st.integers(0, topics - 1)),
                causes=tuple(draw(st.lists(st.sampled_from([*earlier, f"e{number}", "nowhere"]), max_size=2))),
            )
        )
    for event in draw(st.lists(st.sampled_from(found), max_size=copies)):
        changes = {"stamped": draw(moments), "topic": draw(st.integers(0, topics - 1))}
        if draw(st.booleans()):
            changes |= {"kind": draw(st.sampled_from(TYPES)), "time": draw(moments)}
        found.append(msgspec.structs.replace(event, **changes))
    return found
