"""Counts of what happened in a batch, for the live map and figures: flows between events, and outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar, TypeVar

from collector.correlation import buckets
from collector.correlation.causality import edges
from collector.correlation.choreography import RuleBook
from collector.correlation.events import EventKey, Skeleton
from collector.storage.judgement import Change

BUCKET = timedelta(seconds=10)

FlowKey = tuple[str, str, str, str, str, str]
"""Choreography, source type, source service, target type, target service, topic of the target."""

OutcomeKey = tuple[str, str]
"""Choreography, outcome."""

Key = TypeVar("Key", FlowKey, OutcomeKey)


def bucket_of(moment: datetime) -> datetime:
    """The beginning of the ten seconds that a moment lies in."""
    return datetime.fromtimestamp(moment.timestamp() // BUCKET.total_seconds() * BUCKET.total_seconds(), UTC)


class Tally:
    """Counts by key and duration bucket; `UNTIMED` where a count has no duration."""

    UNTIMED: ClassVar[int] = -1

    def __init__(self, now: datetime) -> None:
        self.bucket = bucket_of(now)
        self.flows: dict[FlowKey, dict[int, int]] = {}
        self.outcomes: dict[OutcomeKey, dict[int, int]] = {}

    def count_events(
        self, change: Change, events: Sequence[Skeleton], arrived: set[EventKey], rulebook: RuleBook
    ) -> None:
        """Counts each event that arrived, and each edge that it closed: one of its ends is new."""
        choreography = change.state.choreography
        by_key = {event.key: event for event in events}
        for key in arrived:
            event = by_key[key]
            self._flow((choreography, "", "", event.type, event.service, event.topic), self.UNTIMED)
        if len(events) == len(arrived) == 1:
            return
        for edge in edges(events, rulebook.named(choreography)):
            if edge.parent in arrived or edge.child in arrived:
                parent, child = by_key[edge.parent], by_key[edge.child]
                self._flow(
                    (choreography, parent.type, parent.service, child.type, child.service, child.topic),
                    buckets.bucket(edge.latency),
                )

    def count_outcome(self, change: Change) -> None:
        """Counts what became of a transaction: started, stuck, or ended in a phase. History is not "now"."""
        if change.state.historic:
            return
        choreography = change.state.choreography
        if change.row.is_new:
            self._outcome((choreography, "started"), self.UNTIMED)
        if change.state.overdue_since and not change.row.overdue_since:
            self._outcome((choreography, "stuck"), self.UNTIMED)
        if not change.is_open and (change.row.is_open or change.row.is_new):
            ended_at = change.state.ended_at or change.state.last_event_at
            duration = buckets.bucket(ended_at - change.state.started_at)
            self._outcome((choreography, change.state.phase), duration)

    def _flow(self, key: FlowKey, duration: int) -> None:
        _count(self.flows, key, duration)

    def _outcome(self, key: OutcomeKey, duration: int) -> None:
        _count(self.outcomes, key, duration)


def _count(counts: dict[Key, dict[int, int]], key: Key, duration: int) -> None:
    found = counts.get(key)
    if found is None:
        found = counts[key] = {}
    found[duration] = found.get(duration, 0) + 1
