"""Response rules found in transactions: after A one of {B, C} comes, how surely, and within what time.

Two passes over settled transactions: what leads to what, and so which triggers there are; then, for each time that a
trigger happened, what came of it. Unanswered triggers lower the confidence, so nothing is learned from the silence of
transactions that may yet go on: the caller hands over settled ones only.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from statistics import median

import msgspec

from collector.correlation.causality import Links
from collector.correlation.shape import Course
from collector.mining.contribution import EPOCH, hour_of
from collector.mining.durations import bucket, percentiles

Trigger = tuple[str, ...]
"""The types of a rule's triggers, several for a join; sorted."""

_MICROSECOND = timedelta(microseconds=1)
_NEARLY_ALWAYS = 0.95
_HARDLY_EVER = 0.01
_FEW = 5
"""Below so many expected coincidences, that there are none says nothing."""
_GROUP = 20
"""Hours in which fewer answers came are taken together until there are as many: less has no 99th percentile."""
_UNSURE = 5
"""Of fewer groups the slowest counts, and not the one in the middle."""


class Seen(msgspec.Struct, frozen=True):
    """A settled transaction: its events in event order, and for each the places of those that led to it.

    `hour`: the one since 1970 in which it began. `named`: it is known what led to what; else the event before stands
    for it."""

    types: tuple[str, ...]
    services: tuple[str, ...]
    times: tuple[int, ...]
    parents: tuple[tuple[int, ...], ...]
    hour: int
    named: bool


class Learning(msgspec.Struct, frozen=True):
    """What a rule has to show to be one, and how its deadline follows from what was seen: not below `floor`, else
    `factor` times the median of the hours' 99th percentiles. Hours that were disturbed are left out, unless the last
    `adopt` of them all were: then that is how things are now. An hour stands for any stretch of time here."""

    support: int = 20
    confidence: float = 0.9
    floor: timedelta = timedelta(seconds=1)
    factor: float = 3.0
    adopt: int = 24


class Response(msgspec.Struct, frozen=True):
    """After `after`, one of `expect` comes.

    `support`: how often the triggers happened; `confidence`: the share of these that was answered. Percentiles and the
    deadline in seconds. `basis`: "causes" or, where not always was known what led to what, "order"."""

    after: Trigger
    expect: tuple[str, ...]
    services: tuple[str, ...]
    support: int
    confidence: float
    p50: float
    p95: float
    p99: float
    deadline: float
    basis: str


def seen(course: Course, links: Links) -> Seen:
    """Of a transaction with these events (at least one) and what led to what of them."""
    ordered = course.ordered
    parents: list[tuple[int, ...]] = [()] * len(ordered)
    for link in links.links:
        parents[link.child] = (*parents[link.child], link.parent)
    named = bool(links.links)
    if not named:
        parents = [(place - 1,) if place else () for place in range(len(ordered))]
    return Seen(
        types=course.shape.types,
        services=tuple([event.service for event in ordered]),
        times=tuple([(event.time - EPOCH) // _MICROSECOND for event in ordered]),
        parents=tuple(parents),
        hour=hour_of(ordered[0].time),
        named=named,
    )


class _Outcomes:
    """Of one trigger: what came of it each time, and after what time."""

    def __init__(self) -> None:
        self.sets: Counter[frozenset[str]] = Counter()
        self.gaps: defaultdict[str, defaultdict[int, Counter[int]]] = defaultdict(lambda: defaultdict(Counter))
        """By answer and hour, how many lie in which log-bucket."""
        self.services: defaultdict[str, set[str]] = defaultdict(set)
        self.named = 0

    @property
    def support(self) -> int:
        return self.sets.total()

    def count(self, *names: str) -> int:
        """How often all of these came."""
        wanted = frozenset(names)
        return sum(count for found, count in self.sets.items() if wanted <= found)

    def answered(self, names: Iterable[str]) -> int:
        """How often any of these came."""
        wanted = frozenset(names)
        return sum(count for found, count in self.sets.items() if wanted & found)


def discover(transactions: Sequence[Seen], learning: Learning, disturbed: Collection[int] = ()) -> list[Response]:
    """The rules that these settled transactions follow, by their triggers; `disturbed`: hours that had alerts."""
    answers = _triggers(transactions, learning)
    outcomes: dict[Trigger, _Outcomes] = {trigger: _Outcomes() for trigger in answers}
    for transaction in transactions:
        _observe(transaction, answers, outcomes)
    found = [
        _response(trigger, group, outcome, learning, disturbed)
        for trigger, outcome in sorted(outcomes.items())
        if outcome.support >= learning.support
        for group in _alternatives(outcome)
        if outcome.answered(group) >= learning.confidence * outcome.support
    ]
    return sorted(found, key=lambda rule: (rule.after, rule.expect))


def ends(transactions: Iterable[Seen], learning: Learning) -> dict[str, float]:
    """Event types after which hardly anything comes, with the share of their transactions that they were last in. What
    nothing there led to does not count as coming after: others write it on their own."""
    within: Counter[str] = Counter()
    last: Counter[str] = Counter()
    for transaction in transactions:
        within.update(set(transaction.types))
        final = max((place for place, parents in enumerate(transaction.parents) if parents), default=-1)
        last.update({transaction.types[-1] if final < 0 else transaction.types[final]})
    return {
        name: last[name] / count
        for name, count in sorted(within.items())
        if count >= learning.support and last[name] >= _NEARLY_ALWAYS * count
    }


def deadline(by_hour: Mapping[int, float], learning: Learning, disturbed: Collection[int] = ()) -> float:
    """Seconds, from the hours' 99th percentiles (at least one). Of a few the slowest counts."""
    hours = sorted(by_hour)
    latest = hours[-learning.adopt :]
    calm = [hour for hour in hours if hour not in disturbed]
    if len(latest) == learning.adopt and not set(latest) & set(calm):
        calm = latest
    found = [by_hour[hour] for hour in calm or hours]
    usual = max(found) if len(found) < _UNSURE else median(found)
    return max(learning.floor.total_seconds(), learning.factor * usual)


def _triggers(transactions: Iterable[Seen], learning: Learning) -> dict[Trigger, set[str]]:
    """What may be a trigger, with the types that it leads to. What nearly always led to an event together is a join."""
    led: defaultdict[str, Counter[str]] = defaultdict(Counter)
    caused: Counter[str] = Counter()
    for transaction in transactions:
        for name, parents in zip(transaction.types, transaction.parents, strict=True):
            if parents:
                caused[name] += 1
                led[name].update({transaction.types[parent] for parent in parents})
    found: defaultdict[Trigger, set[str]] = defaultdict(set)
    for name, before in led.items():
        always = tuple(sorted(kind for kind, count in before.items() if count >= _NEARLY_ALWAYS * caused[name]))
        if always:
            found[always].add(name)
        else:
            for kind, count in before.items():
                if count >= learning.support:
                    found[(kind,)].add(name)
    return dict(found)


def _observe(transaction: Seen, answers: Mapping[Trigger, set[str]], outcomes: Mapping[Trigger, _Outcomes]) -> None:
    places: defaultdict[str, list[int]] = defaultdict(list)
    children: defaultdict[int, list[int]] = defaultdict(list)
    for place, (name, parents) in enumerate(zip(transaction.types, transaction.parents, strict=True)):
        places[name].append(place)
        for parent in parents:
            children[parent].append(place)
    for trigger, wanted in answers.items():
        # a join: the first of each together, the second of each together, and so on
        for together in zip(*(places[name] for name in trigger), strict=False):
            _came(transaction, together, children, wanted, outcomes[trigger])


def _came(
    transaction: Seen,
    together: tuple[int, ...],
    children: Mapping[int, Sequence[int]],
    wanted: Collection[str],
    outcome: _Outcomes,
) -> None:
    """What these triggers, which happened together, led to; of each type the first counts."""
    begun = max(transaction.times[place] for place in together)
    first: dict[str, int] = {}
    for place in sorted({child for parent in together for child in children.get(parent, ())}):
        if transaction.types[place] in wanted:
            first.setdefault(transaction.types[place], place)
    outcome.sets[frozenset(first)] += 1
    outcome.named += transaction.named
    for name, place in first.items():
        outcome.gaps[name][transaction.hour][bucket(transaction.times[place] - begun)] += 1
        outcome.services[name].add(transaction.services[place])


def _alternatives(outcome: _Outcomes) -> list[tuple[str, ...]]:
    """The answers, those together of which one at a time comes; the most frequent first."""
    groups: list[list[str]] = []
    for name in sorted(outcome.gaps, key=lambda name: (-outcome.count(name), name)):
        fitting = [group for group in groups if all(_exclude(outcome, name, other) for other in group)]
        if fitting:
            # a service that answers so or so is likelier than two that take turns
            min(fitting, key=lambda group: not (outcome.services[name] & outcome.services[group[0]])).append(name)
        else:
            groups.append([name])
    return [tuple(group) for group in groups]


def _groups(by_hour: Mapping[int, Counter[int]], disturbed: Collection[int]) -> Iterable[tuple[int, Counter[int]]]:
    """Hours with enough answers, each by the last of those that it took; what is left over goes with the last group."""
    found: list[tuple[int, Counter[int]]] = []
    for apart in (True, False):
        groups: list[tuple[int, Counter[int]]] = []
        for hour in sorted(hour for hour in by_hour if (hour in disturbed) is apart):
            if groups and groups[-1][1].total() < _GROUP:
                groups[-1] = (hour, groups[-1][1] + by_hour[hour])
            else:
                groups.append((hour, by_hour[hour]))
        if len(groups) > 1 and groups[-1][1].total() < _GROUP:
            hour, rest = groups.pop()
            groups[-1] = (hour, groups[-1][1] + rest)
        found += groups
    return found


def _exclude(outcome: _Outcomes, one: str, other: str) -> bool:
    """Whether the one does not come where the other does, and not by mere chance."""
    counts = outcome.count(one), outcome.count(other)
    both, expected = outcome.count(one, other), counts[0] * counts[1] / outcome.support
    if expected < _FEW:
        return both <= _HARDLY_EVER * min(counts) and bool(outcome.services[one] & outcome.services[other])
    return both <= _HARDLY_EVER * expected


def _response(
    trigger: Trigger, group: tuple[str, ...], outcome: _Outcomes, learning: Learning, disturbed: Collection[int]
) -> Response:
    by_hour: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for name in group:
        for hour, counts in outcome.gaps[name].items():
            by_hour[hour].update(counts)
    every: Counter[int] = Counter()
    for counts in by_hour.values():
        every.update(counts)
    p50, p95, p99 = (value or 0.0 for value in percentiles(every, (0.5, 0.95, 0.99)))
    hourly = {hour: percentiles(counts, (0.99,))[0] or 0.0 for hour, counts in _groups(by_hour, disturbed)}
    return Response(
        after=trigger,
        expect=tuple(sorted(group)),
        services=tuple(sorted(set().union(*(outcome.services[name] for name in group)) - {""})),
        support=outcome.support,
        confidence=outcome.answered(group) / outcome.support,
        p50=p50,
        p95=p95,
        p99=p99,
        deadline=deadline(hourly, learning, disturbed),
        basis="causes" if outcome.named == outcome.support else "order",
    )
