"""The obvious way to judge a transaction: slow, written from the words of docs/lifecycle.md and docs/rules.md."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from collector.correlation.choreography import Choreography, Limits, Rule, RuleBook
from collector.correlation.events import EventKey, Skeleton
from collector.correlation.reading import Reading

Pair = tuple[Rule, tuple[Skeleton, ...], Skeleton | None]
"""Rule, triggers, answer."""

Waiting = tuple[str, tuple[EventKey, ...], tuple[str, ...], datetime | None, bool]
"""Rule, triggers, awaited types, deadline, whether it is overdue."""


class Judged(NamedTuple):
    phase: str
    ended_at: datetime | None
    ended_by: str
    pending: list[Waiting]
    deviations: list[tuple[str, EventKey]]
    parts: list[tuple[str, str, datetime, datetime | None]]


def judge(ordered: Sequence[Skeleton], book: RuleBook, reading: Reading, abandoned_at: datetime | None) -> Judged:
    return _Judgement(ordered, book, reading).judged(abandoned_at)


def pairs(ordered: Sequence[Skeleton], choreography: Choreography, skew: timedelta) -> list[Pair]:
    """Every fully triggered rule with its answer, if it has one."""
    return [
        (rule, triggers, answer) for rule in choreography.rules for triggers, answer in _answered(rule, ordered, skew)
    ]


def _answered(
    rule: Rule, ordered: Sequence[Skeleton], skew: timedelta
) -> list[tuple[tuple[Skeleton, ...], Skeleton | None]]:
    waiting = _triggered(rule, ordered)
    answers = [event for event in ordered if event.type in rule.expect]
    taken: dict[int, Skeleton] = {}
    # explicit causation first
    for answer in answers:
        for cause in answer.causes:
            for i, triggers in enumerate(waiting):
                if i not in taken and cause in [trigger.id for trigger in triggers]:
                    taken[i] = answer
    # then each answer takes the earliest unanswered trigger that is not later than itself
    for answer in [answer for answer in answers if answer not in taken.values()]:
        open_ones = [
            i for i in range(len(waiting)) if i not in taken and _latest(waiting[i]).time <= answer.time + skew
        ]
        if open_ones:
            taken[min(open_ones, key=lambda i: _latest(waiting[i]).order)] = answer
    return [(triggers, taken.get(i)) for i, triggers in enumerate(waiting)]


def _triggered(rule: Rule, ordered: Sequence[Skeleton]) -> list[tuple[Skeleton, ...]]:
    """The rule's triggers: the first of each type together, the second of each together …; for one that undoes
    something, the first of each with everything that is to be undone."""
    of_types = [[event for event in ordered if event.type == name] for name in rule.after]
    if rule.compensates is None:
        return list(zip(*of_types, strict=False))
    if not all(of_types):
        return []
    firsts = tuple(of_type[0] for of_type in of_types)
    return [(*firsts, event) for event in ordered if event.type == rule.compensates]


def _latest(triggers: Sequence[Skeleton]) -> Skeleton:
    return max(triggers, key=lambda event: event.order)


def _believed(event: Skeleton, limits: Limits) -> datetime:
    return event.time if abs(event.time - event.record_time) <= limits.skew else event.record_time


def _end(events: Sequence[Skeleton], choreography: Choreography) -> Skeleton | None:
    """The first event with which it has failed, or enough has come to complete it."""
    for i, event in enumerate(events):
        come = {earlier.type for earlier in events[: i + 1]}
        enough = choreography.completes <= come if choreography.completes_all else choreography.completes & come
        if event.type in choreography.fails or (choreography.completes and enough):
            return event
    return None


def _passages(events: Sequence[Skeleton], part: Choreography) -> list[tuple[Skeleton, Skeleton | None]]:
    for i, event in enumerate(events):
        if event.type in part.starts:
            end = _end(events[i:], part)
            if end is None:
                return [(event, None)]
            return [(event, end), *_passages(events[events.index(end) + 1 :], part)]
    return []


class _Judgement:
    def __init__(self, ordered: Sequence[Skeleton], book: RuleBook, reading: Reading) -> None:
        self.ordered, self.limits, self.reading = ordered, book.limits, reading
        self.choreography = book.choose(event.type for event in ordered)
        self.pairs = pairs(ordered, self.choreography, self.limits.skew)
        self.end = _end(ordered, self.choreography)
        self.passages = {part.name: _passages(ordered, part) for part in self.choreography.parts}

    def judged(self, abandoned_at: datetime | None) -> Judged:
        pending = [self._waits(rule, triggers) for rule, triggers, _ in self._awaited()]
        if self.end is None:
            pending += self._half_met({name for _, _, expect, *_ in pending for name in expect})
        phase, ended_at, ended_by = self._phase(waits=bool(pending))
        if phase in ("running", "compensating"):
            if abandoned_at is not None:
                phase, ended_at, ended_by, pending = "abandoned", abandoned_at, "person", []
            else:
                pending += self._too_long(pending)
                if not pending and self._silent():
                    phase, ended_at, ended_by = "completed", self.ordered[-1].time, "silence"
        return Judged(phase, ended_at, ended_by, sorted(pending, key=repr), self._deviations(), self._parts(phase))

    # --- what is awaited ---

    def _awaited(self) -> list[Pair]:
        return [
            (rule, triggers, answer)
            for rule, triggers, answer in self.pairs
            if answer is None
            and not rule.optional
            and (
                rule.even_after_end
                or rule.compensates
                or (self.end is None and not self._part_over(rule, _latest(triggers)))
            )
        ]

    def _passage(self, rule: Rule, event: Skeleton) -> tuple[Skeleton, Skeleton | None] | None:
        passages = self.passages.get(rule.part, [])
        begun = [passage for passage in passages if passage[0].order <= event.order]
        return begun[-1] if begun else passages[0] if passages else None

    def _part_over(self, rule: Rule, event: Skeleton) -> bool:
        passage = self._passage(rule, event)
        return passage is not None and passage[1] is not None

    def _waits(self, rule: Rule, triggers: tuple[Skeleton, ...]) -> Waiting:
        keys = tuple(trigger.key for trigger in triggers)
        if rule.within is None:
            return (rule.key, keys, rule.expect, None, False)
        deadline = _believed(_latest(triggers), self.limits) + rule.within
        part_ends = [part.ends for part in self.choreography.parts if part.name == rule.part]
        settling = {*rule.expect, *self.choreography.completes, *self.choreography.fails}.union(*part_ends)
        return (rule.key, keys, rule.expect, deadline, self._passed(deadline, tuple(settling)))

    def _passed(self, deadline: datetime, types: tuple[str, ...] = ()) -> bool:
        through = self.reading.through(types)
        return through is not None and through >= deadline + self.limits.grace

    def _half_met(self, awaited: set[str]) -> list[Waiting]:
        """Joins that have some of their triggers, for each that nothing else here speaks of."""
        found: list[Waiting] = []
        began = {rule.key for rule, *_ in self.pairs}
        for rule in self.choreography.rules:
            if rule.compensates or rule.optional:
                continue
            columns = {name: [event for event in self.ordered if event.type == name] for name in rule.after}
            for i in range(max(len(column) for column in columns.values())):
                there = [column[i] for column in columns.values() if i < len(column)]
                if self._part_over(rule, _latest(there)):
                    continue
                for name in rule.after:
                    promised = {other.key for other in self.choreography.rules if name in other.expect}
                    if len(columns[name]) <= i and name not in awaited and not promised & began:
                        found.append((rule.key, tuple(event.key for event in there), (name,), None, False))
        return found

    def _too_long(self, pending: list[Waiting]) -> list[Waiting]:
        found: list[Waiting] = []
        spans = [
            (f"{part.name}.timeout", part.timeout, start, part.ends)
            for part in self.choreography.parts
            for start, end in self.passages[part.name]
            if end is None
        ]
        spans.append(("timeout", self.choreography.timeout, self.ordered[0], self.choreography.ends))
        for key, timeout, first, ends in spans:
            if timeout is None or any(overdue for *_, overdue in [*pending, *found]):
                continue
            deadline = _believed(first, self.limits) + timeout
            if self._passed(deadline):
                found.append((key, (first.key,), tuple(sorted(ends)), deadline, True))
        return found

    def _silent(self) -> bool:
        idle = self.choreography.idle_timeout
        return idle is not None and self._passed(max(_believed(event, self.limits) for event in self.ordered) + idle)

    # --- where it stands ---

    def _phase(self, *, waits: bool) -> tuple[str, datetime | None, str]:
        undoing = [(rule, answer) for rule, _, answer in self.pairs if rule.compensates]
        undone = [answer.time for _, answer in undoing if answer]
        if any(answer is None and not rule.optional for rule, answer in undoing):
            return "compensating", None, ""
        if self.end is None and undoing and waits:
            return "compensating", None, ""
        if self.end is None:
            return ("compensated", max(undone), "compensation") if undone else ("running", None, "")
        if self.end.type in self.choreography.completes:
            return "completed", self.end.time, "event"
        return ("compensated" if undone else "failed"), max([self.end.time, *undone]), "event"

    def _parts(self, phase: str) -> list[tuple[str, str, datetime, datetime | None]]:
        found = []
        for part in self.choreography.parts:
            for start, end in self.passages[part.name]:
                if end is not None:
                    found.append((part.name, "failed" if end.type in part.fails else "completed", start.time, end.time))
                else:
                    is_open = phase in ("running", "compensating")
                    found.append((part.name, "running" if is_open else "left", start.time, None))
        return found

    # --- what deviates ---

    def _deviations(self) -> list[tuple[str, EventKey]]:
        if not self.choreography.declared:
            return []
        found = [("unexpected", e.key) for e in self.ordered if e.type not in self.choreography.mentioned]
        found += self._unasked() + self._forbidden() + self._around_end()
        for rule, triggers, answer in self.pairs:
            if answer is not None and rule.within is not None:
                deadline = _believed(_latest(triggers), self.limits) + rule.within
                found += [("late", answer.key)] if answer.time > deadline + self.limits.grace else []
        return sorted(found)

    def _unasked(self) -> list[tuple[str, EventKey]]:
        used = [answer.key for _, _, answer in self.pairs if answer is not None]
        found = []
        for event in self.ordered:
            rules = [rule for rule in self.choreography.rules if event.type in rule.expect]
            if rules and event.key not in used and event.type not in self.choreography.starts:
                asked = any(
                    _latest(triggers).time <= event.time + self.limits.skew
                    for rule, triggers, _ in self.pairs
                    if rule in rules
                )
                if not asked:
                    found.append(("out of order", event.key))
                elif not any(event is start for passages in self.passages.values() for start, _ in passages):
                    found.append(("repeated", event.key))
            come = {other.type for other in self.ordered if other.time <= event.time + self.limits.skew}
            needed = set(self.choreography.only_after.get(event.type, ()))
            if not needed <= come and event.key not in [key for _, key in found]:
                found.append(("out of order", event.key))
        return found

    def _forbidden(self) -> list[tuple[str, EventKey]]:
        return [
            ("forbidden", event.key)
            for name, never in self.choreography.never_after.items()
            for i, event in enumerate(self.ordered)
            if event.type in never and name in [earlier.type for earlier in self.ordered[:i]]
        ]

    def _around_end(self) -> list[tuple[str, EventKey]]:
        found = []
        surviving = [a.key for r, _, a in self.pairs if a is not None and (r.even_after_end or r.compensates)]
        for event in self.ordered:
            if self.end is not None and event.order > self.end.order and event.key not in surviving:
                ends = self.choreography.completes | self.choreography.fails
                found.append(("second end" if event.type in ends else "after end", event.key))
        for rule, triggers, answer in self.pairs:
            end, completes = self.end, self.choreography.completes
            passage = self._passage(rule, _latest(triggers))
            if passage is not None and passage[1] is not None:
                (part,) = (part for part in self.choreography.parts if part.name == rule.part)
                end, completes = passage[1], part.completes
            if end is None or end.type not in completes or _latest(triggers).order > end.order:
                continue
            if answer is None and not (rule.even_after_end or rule.compensates or rule.optional):
                found.append(("missing", _latest(triggers).key))
        return found
