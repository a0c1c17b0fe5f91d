"""Counts of what happened in a batch, for the live map and figures: flows between events, and outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import compress
from typing import ClassVar, NamedTuple

from collector.correlation import buckets
from collector.correlation.causality import links_of
from collector.correlation.choreography import RuleBook
from collector.correlation.shape import Course, Shape
from collector.storage.judgement import Change

BUCKET = timedelta(seconds=10)
_NONE = timedelta(0)

DEVIATING = "deviating"
"""The outcome of those that have ended with deviations; they count as what they ended with as well."""

FlowKey = tuple[str, str, str, str, str, str]
"""Choreography, source type, source service, target type, target service, topic of the target."""

OutcomeKey = tuple[str, str]
"""Choreography, outcome."""

Note = Callable[[int], None]
"""Notes a duration bucket."""


class Clock(NamedTuple):
    """By how much a service's clock is off, at least, and how many events have shown it."""

    ahead: timedelta = _NONE
    behind: timedelta = _NONE
    events: int = 0


def bucket_of(moment: datetime) -> datetime:
    """The beginning of the ten seconds that a moment lies in."""
    return datetime.fromtimestamp(moment.timestamp() // BUCKET.total_seconds() * BUCKET.total_seconds(), UTC)


class _Way(NamedTuple):
    """Where the events of transactions that look alike are noted, and the edges between them."""

    events: Sequence[Note]
    edges: Sequence[tuple[int, int, Note, bool]]
    """Positions of parent and child, where the edge is noted, and whether it can tell that a clock is off."""


class Tally:
    """Counts by key and duration bucket; `UNTIMED` where a count has no duration.

    What is to be counted is only noted at first, and counted all at once in the end. Most transactions look like many
    others: under which keys their events and edges are noted is worked out once for each such look.
    """

    UNTIMED: ClassVar[int] = -1

    def __init__(self, now: datetime) -> None:
        self.bucket = bucket_of(now)
        self._flows: dict[FlowKey, list[int]] = {}
        self._outcomes: dict[OutcomeKey, list[int]] = {}
        self._ways: dict[tuple[str, Shape, tuple[str, ...], tuple[str, ...]], _Way] = {}
        self.clocks: dict[str, Clock] = {}
        """Of services whose events show that their clocks are off."""

    @property
    def flows(self) -> dict[FlowKey, Counter[int]]:
        return {key: Counter(noted) for key, noted in self._flows.items() if noted}

    @property
    def outcomes(self) -> dict[OutcomeKey, Counter[int]]:
        return {key: Counter(noted) for key, noted in self._outcomes.items()}

    def count_events(self, choreography: str, course: Course, new: Sequence[bool], rulebook: RuleBook) -> None:
        """Counts each event that is `new`, which all arrived at the same moment, and each edge that one of them
        closed."""
        ordered = course.ordered
        way = self._way(choreography, course, rulebook)
        for note in compress(way.events, new):
            note(self.UNTIMED)
        arrived_at = ordered[new.index(True)].received_at if True in new else None
        if arrived_at is not None and ordered[-1].time > arrived_at:
            for event in compress(ordered, new):
                self._off(event.service, ahead=event.time - event.received_at)
        for parent, child, note, tells in way.edges:
            if new[parent] or new[child]:
                cause, event = ordered[parent], ordered[child]
                latency = event.time - cause.time
                note(buckets.bucket(latency))
                if tells and latency < _NONE:
                    self._off(event.service, behind=-latency - max(_NONE, cause.time - cause.received_at))

    def _way(self, choreography: str, course: Course, rulebook: RuleBook) -> _Way:
        services = tuple([event.service for event in course.ordered])
        topics = tuple([event.topic for event in course.ordered])
        look = (choreography, course.shape, services, topics)
        if (known := self._ways.get(look)) is not None:
            return known
        targets = list(zip(course.shape.types, services, topics, strict=True))
        events = [self._note((choreography, "", "", *target)) for target in targets]
        edges = []
        for parent, child, basis in links_of(course, rulebook.named(choreography)).links:
            note = self._note((choreography, *targets[parent][:2], *targets[child]))
            edges.append((parent, child, note, basis != "declared"))
        found = self._ways[look] = _Way(events, edges)
        return found

    def _note(self, key: FlowKey) -> Note:
        return self._flows.setdefault(key, []).append

    def _off(self, service: str, ahead: timedelta = _NONE, behind: timedelta = _NONE) -> None:
        if ahead > _NONE or behind > _NONE:
            known = self.clocks.get(service, Clock())
            self.clocks[service] = Clock(max(known.ahead, ahead), max(known.behind, behind), known.events + 1)

    def count_outcome(self, change: Change) -> None:
        """Counts what became of a transaction: started, stuck, or ended in a phase. History is not "now"."""
        if change.state.historic:
            return
        choreography = change.state.choreography
        if change.row.is_new:
            self._count(choreography, "started")
        if change.state.overdue_since and not change.row.overdue_since:
            self._count(choreography, "stuck")
        if not change.is_open and (change.row.is_open or change.row.is_new):
            ended_at = change.state.ended_at or change.state.last_event_at
            self._count(choreography, change.state.phase, buckets.bucket(ended_at - change.state.started_at))
            if change.state.deviations:
                self._count(choreography, DEVIATING)

    def _count(self, choreography: str, outcome: str, duration: int = UNTIMED) -> None:
        self._outcomes.setdefault((choreography, outcome), []).append(duration)
