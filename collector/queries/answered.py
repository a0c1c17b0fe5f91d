"""Response rules beside each other: what is declared or learned, and what transactions follow. PURE."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from collector.correlation.choreography import Rule
from collector.mining.backtest import Backtest
from collector.mining.responses import Response


@dataclass(frozen=True)
class Answer:
    """A rule that is declared or was learned (`rule`), with what it would have raised (`tried`); found in transactions
    (`found`); or both."""

    after: tuple[str, ...]
    expect: tuple[str, ...]
    services: tuple[str, ...]
    rule: Rule | None
    found: Response | None
    tried: Backtest | None = None

    @property
    def marks(self) -> tuple[str, ...]:
        if self.rule is None:
            return ("found",)
        marks = ["learned" if self.rule.learned else "declared"]
        marks += ["optional"] if self.rule.optional else []
        marks += ["compensation"] if self.rule.compensates else []
        return tuple(marks)

    @property
    def share(self) -> float | None:
        """Of what it asked for and is settled, what came in time."""
        if self.tried is None or not (settled := self.tried.kept + self.tried.late + self.tried.missed):
            return None
        return self.tried.kept / settled

    @property
    def within(self) -> float | None:
        """The deadline in seconds."""
        return self.rule.within.total_seconds() if self.rule and self.rule.within else None

    @property
    def doubtful(self) -> bool:
        """Whether the deadline is below what one in a hundred answers takes anyway."""
        return self.within is not None and self.found is not None and self.within < self.found.p99


def answers(rules: Iterable[tuple[Rule, Backtest]], found: Sequence[Response]) -> list[Answer]:
    """The rules in force in their order, each with what was found of it; then what was found besides."""
    taken: set[int] = set()
    listed = []
    for rule, tried in rules:
        place = next((n for n, one in enumerate(found) if n not in taken and _same(rule, one)), None)
        if place is not None:
            taken.add(place)
        services = (rule.service,) if rule.service else found[place].services if place is not None else ()
        listed.append(Answer(rule.after, rule.expect, services, rule, None if place is None else found[place], tried))
    rest = (one for number, one in enumerate(found) if number not in taken)
    return [*listed, *(Answer(one.after, one.expect, one.services, None, one) for one in _most_sure(rest))]


def _same(rule: Rule, found: Response) -> bool:
    """What came of the same triggers, if not all alternatives occurred. What a rule undoes is found as a trigger."""
    triggers = {*rule.after, rule.compensates} if rule.compensates else set(rule.after)
    return set(rule.after) <= set(found.after) <= triggers and set(found.expect) <= set(rule.expect)


def _most_sure(found: Iterable[Response]) -> list[Response]:
    return sorted(found, key=lambda one: (-one.support, one.after, one.expect))
