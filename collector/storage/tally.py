"""Counts of what happened in a batch, for the live map and figures: flows between events, and outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import ClassVar, NamedTuple, TypeVar

from collector.correlation import buckets
from collector.correlation.causality import links_of
from collector.correlation.choreography import RuleBook
from collector.correlation.events import EventKey
from collector.storage.judgement import Change

BUCKET = timedelta(seconds=10)
_NONE = timedelta(0)

DEVIATING = "deviating"
"""The outcome of those that have ended with deviations; they count as what they ended with as well."""

FlowKey = tuple[str, str, str, str, str, str]
"""Choreography, source type, source service, target type, target service, topic of the target."""

OutcomeKey = tuple[str, str]
"""Choreography, outcome."""

Key = TypeVar("Key", FlowKey, OutcomeKey)


class Clock(NamedTuple):
    """By how much a service's clock is off, at least, and how many events have shown it."""

    ahead: timedelta = _NONE
    behind: timedelta = _NONE
    events: int = 0


def bucket_of(moment: datetime) -> datetime:
    """The beginning of the ten seconds that a moment lies in."""
    return datetime.fromtimestamp(moment.timestamp() // BUCKET.total_seconds() * BUCKET.total_seconds(), UTC)


class Tally:
    """Counts by key and duration bucket; `UNTIMED` where a count has no duration.

    What is to be counted is only noted at first, and counted all at once in the end.
    """

    UNTIMED: ClassVar[int] = -1

    def __init__(self, now: datetime) -> None:
        self.bucket = bucket_of(now)
        self._flows: list[tuple[FlowKey, int]] = []
        self._outcomes: list[tuple[OutcomeKey, int]] = []
        self.clocks: dict[str, Clock] = {}
        """Of services whose events show that their clocks are off."""

    @property
    def flows(self) -> dict[FlowKey, dict[int, int]]:
        return _counted(self._flows)

    @property
    def outcomes(self) -> dict[OutcomeKey, dict[int, int]]:
        return _counted(self._outcomes)

    def count_events(self, change: Change, arrived: Collection[EventKey], rulebook: RuleBook) -> None:
        """Counts each event that arrived, and each edge that it closed: one of its ends is new."""
        if change.course is None:
            return
        choreography, ordered = change.state.choreography, change.course.ordered
        all_new = len(arrived) == len(ordered)
        new = [all_new or event.key in arrived for event in ordered]
        self._flows += [
            ((choreography, "", "", event.type, event.service, event.topic), self.UNTIMED)
            for event, is_new in zip(ordered, new, strict=True)
            if is_new
        ]
        for event, is_new in zip(ordered, new, strict=True):
            if is_new and event.time > event.received_at:
                self._off(event.service, ahead=event.time - event.received_at)
        if len(ordered) == 1:
            return
        for link in links_of(change.course, rulebook.named(choreography)).links:
            if new[link.parent] or new[link.child]:
                parent, child = ordered[link.parent], ordered[link.child]
                key = (choreography, parent.type, parent.service, child.type, child.service, child.topic)
                latency = child.time - parent.time
                self._flows.append((key, buckets.bucket(latency)))
                if latency < _NONE and link.basis != "declared":
                    self._off(child.service, behind=-latency - max(_NONE, parent.time - parent.received_at))

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
            self._outcomes.append(((choreography, "started"), self.UNTIMED))
        if change.state.overdue_since and not change.row.overdue_since:
            self._outcomes.append(((choreography, "stuck"), self.UNTIMED))
        if not change.is_open and (change.row.is_open or change.row.is_new):
            ended_at = change.state.ended_at or change.state.last_event_at
            duration = buckets.bucket(ended_at - change.state.started_at)
            self._outcomes.append(((choreography, change.state.phase), duration))
            if change.state.deviations:
                self._outcomes.append(((choreography, DEVIATING), self.UNTIMED))


def _counted(noted: Iterable[tuple[Key, int]]) -> dict[Key, dict[int, int]]:
    found: dict[Key, dict[int, int]] = {}
    for (key, duration), count in Counter(noted).items():
        found.setdefault(key, {})[duration] = count
    return found
