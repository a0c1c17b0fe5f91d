"""A transaction that a batch touches: what it has, what arrives of it, and what it comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from collector.correlation.events import EventKey, Skeleton
from collector.storage import judgement
from collector.storage.arriving import Incoming
from collector.storage.context import Context
from collector.storage.judgement import Change, Row


class Touched(msgspec.Struct):
    """A transaction that the batch touches. Of an event's copies the smallest counts, the others are redeliveries.

    arrived: events that are new to it; copies: further copies of these in the same batch, by key. again: copies of
    events that are stored already; smaller: those of them that are to stand for their event from now on.
    """

    row: Row
    incoming: list[Incoming]
    events: Sequence[Skeleton] = ()
    arrived: Sequence[Incoming] = ()
    copies: Mapping[EventKey, int] | None = None
    again: Sequence[Incoming] = ()
    smaller: Sequence[Incoming] = ()
    change: Change | None = None

    @property
    def redeliveries(self) -> int:
        return len(self.incoming) - len(self.arrived)

    def merge(self, stored: Sequence[Skeleton]) -> None:
        """Adds what arrives to what is stored."""
        arriving = [item.skeleton for item in self.incoming]
        events = [*stored, *arriving] if stored else arriving
        if len(events) == 1 or len({event.id for event in events}) == len(events):
            self.arrived, self.events = self.incoming, events  # the usual case: no id comes twice
        else:
            self._settle({event.key: event for event in stored})

    def _settle(self, known: dict[EventKey, Skeleton]) -> None:
        """The same where some arrive that are stored, or several copies of one."""
        arrived: dict[EventKey, Incoming] = {}
        smaller_ones: dict[EventKey, Incoming] = {}
        copies, again = Counter[EventKey](), []
        for item in self.incoming:
            event = item.skeleton
            key = event.key
            present = known.setdefault(key, event)
            if present is event:
                arrived[key] = item
                continue
            smaller = event.copy_order < present.copy_order
            if smaller:
                known[key] = event
            if key in arrived:
                copies[key] += 1
                if smaller:
                    arrived[key] = item
            else:
                again.append(item)
                if smaller:
                    smaller_ones[key] = item
        self.arrived, self.copies = list(arrived.values()), copies
        self.again, self.smaller = again, list(smaller_ones.values())
        self.events = list(known.values())

    def which_arrived(self, ordered: Sequence[Skeleton]) -> list[bool]:
        """Whether each of these events, all that it has, is new to it."""
        if len(self.arrived) == len(ordered):
            return [True] * len(ordered)
        new = {id(item.skeleton) for item in self.arrived}
        return [id(event) in new for event in ordered]

    def judge(self, ctx: Context) -> Change:
        """Judges it by all its events; one with too many is only counted."""
        row, events = self.row, self.events
        if row.oversized or len(events) > ctx.rulebook.limits.transaction_events:
            total = row.event_count + len(self.arrived)
            self.change = judgement.suspend(row, events, ctx, total, self.redeliveries)
        else:
            self.change = judgement.judge(row, events, ctx, self.redeliveries)
        return self.change
