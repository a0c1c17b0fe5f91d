"""Steps that have not happened: what is awaited now, and what follows from it by the choreography's rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from collector.correlation.choreography import Choreography, Rule
from collector.correlation.events import Skeleton, in_order
from collector.correlation.state import Pending
from dashboard.graphs import text
from dashboard.graphs.steps import UNKNOWN, Basis, Clock, Link, Role, Step, Steps, digest, failure_types

MAX_AHEAD = 40
"""Expected steps beyond the awaited ones; no real choreography has as many."""
SHOWN_ALTERNATIVES = 2


class Ghosts:
    """Collects the ghost steps of one transaction. Steps that happened are known by the type's latest event."""

    def __init__(self, events: Sequence[Skeleton], choreography: Choreography, now: datetime) -> None:
        self._ordered = in_order(list(events))
        self._choreography = choreography
        self._now = now
        self._latest = {event.type: event for event in self._ordered}
        self._times = {event.key: event.time for event in self._ordered}
        self._failing = failure_types(choreography)
        self._by_type: dict[str, str] = {}
        self._rules: set[str] = set()
        self._unmet: list[tuple[Step, tuple[str, ...]]] = []
        self._steps: list[Step] = []
        self._links: list[Link] = []

    def steps(self, pending: Sequence[Pending], *, ended: bool) -> Steps:
        """What is awaited; while the transaction is open also what follows."""
        for number, awaited in enumerate(pending):
            self._pending(awaited, number)
        if not ended:
            self._ahead()
        for step, after in self._unmet:
            self._meet(step, after)
        return Steps(tuple(self._steps), tuple(self._links))

    def _pending(self, awaited: Pending, number: int) -> None:
        half_met = awaited.kind == "join" and awaited.deadline is None
        if awaited.kind == "timeout" and not awaited.overdue:
            return
        role: Role = "overdue" if awaited.overdue else "expected" if half_met else "pending"
        triggers = [key for key in awaited.triggers if key in self._times]
        expect = awaited.expect or tuple(sorted(self._choreography.ends)) or ("an end",)
        if awaited.kind == "timeout" and self._ordered:
            triggers, since = [self._ordered[-1].key], self._ordered[0].time
        else:
            since = max((self._times[key] for key in triggers), default=awaited.deadline or self._now)
        step = self._step(
            role,
            expect,
            awaited.service or self._owner(expect),
            key=digest("pending", awaited.rule, str(number)),
            word="expected" if half_met else "awaited",
            clock=_clock(awaited, since),
            facts=_facts(awaited, since),
            data={"kind": "pending", "rule": awaited.rule, "awaited": awaited.awaited, "service": awaited.service},
        )
        self._rules.add(awaited.rule)
        self._offer(step.key, expect)
        if half_met:
            self._unmet.append((step, awaited.after))
        else:
            basis: Basis = "overdue" if awaited.overdue else "pending"
            self._links += [Link(digest(*key), step.key, basis) for key in triggers]

    def _ahead(self) -> None:
        """Follows the rules from what is awaited, until nothing new comes of it."""
        grown = bool(self._by_type)
        while grown and len(self._steps) < MAX_AHEAD:
            grown = False
            for rule in self._choreography.rules:
                if self._follows(rule):
                    self._expect(rule)
                    grown = True

    def _follows(self, rule: Rule) -> bool:
        return (
            rule.key not in self._rules
            and not rule.compensates
            and not rule.optional
            and not any(name in self._latest or name in self._by_type for name in rule.expect)
            and any(name in self._by_type for name in rule.after)
            and all(name in self._by_type or name in self._latest for name in rule.after)
        )

    def _expect(self, rule: Rule) -> None:
        within = (f"within {text.span(rule.within)}",) if rule.within else ()
        step = self._step(
            "expected",
            rule.expect,
            rule.service,
            key=digest("expected", rule.key),
            word="expected",
            facts=within,
            data={"kind": "expected", "rule": rule.key, "awaited": rule.awaited, "service": rule.service},
        )
        self._rules.add(rule.key)
        self._offer(step.key, rule.expect)
        self._unmet.append((step, rule.after))

    def _meet(self, step: Step, after: Sequence[str]) -> None:
        """Links a step that waits for several things to each of them, there or not."""
        for name in dict.fromkeys(after):
            if name in self._latest:
                source = digest(*self._latest[name].key)
            elif name in self._by_type:
                source = self._by_type[name]
            else:
                source = self._step(
                    "expected", (name,), self._owner((name,)), key=digest("trigger", name), word="expected"
                ).key
                self._by_type[name] = source
            if source != step.key:
                self._links.append(Link(source, step.key, "expected"))

    def _offer(self, key: str, expect: Sequence[str]) -> None:
        """Lets further steps follow from this one: from its good outcomes where it has any."""
        good = [name for name in expect if name not in self._failing]
        for name in good or expect:
            self._by_type.setdefault(name, key)

    def _owner(self, expect: Sequence[str]) -> str:
        rules = (rule for name in expect for rule in self._choreography.expected_by.get(name, []))
        return next((rule.service for rule in rules if rule.service), "")

    def _step(
        self,
        role: Role,
        expect: Sequence[str],
        service: str,
        *,
        key: str,
        word: str,
        clock: Clock | None = None,
        facts: tuple[str, ...] = (),
        data: dict[str, object] | None = None,
    ) -> Step:
        title = tuple(expect[:1]) + tuple(f"or {name}" for name in expect[1:SHOWN_ALTERNATIVES])
        if len(expect) > SHOWN_ALTERNATIVES:
            title = (expect[0], f"or one of {len(expect) - 1} more")
        step = Step(
            key=key,
            role=role,
            title=title,
            lane=service or UNKNOWN,
            order=len(self._ordered) + len(self._steps),
            word=word,
            clock=clock,
            facts=facts,
            data=data or {"kind": "expected", "rule": "", "awaited": " or ".join(expect), "service": service},
        )
        self._steps.append(step)
        return step


def _clock(awaited: Pending, since: datetime) -> Clock | None:
    if awaited.overdue:
        return Clock(since)
    return Clock(awaited.deadline, down=True) if awaited.deadline else None


def _facts(awaited: Pending, since: datetime) -> tuple[str, ...]:
    facts = [f"from {text.clean(awaited.service, 80)}"] if awaited.service else []
    if awaited.kind == "compensation":
        facts.append("a compensation")
    if awaited.deadline:
        facts.append(f"due {text.moment(awaited.deadline)}, {text.span(awaited.deadline - since)} after its trigger")
    return (*facts, *(text.clean(mark, 80) for mark in awaited.marks))
