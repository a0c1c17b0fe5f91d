"""A batch on its way in: what each touched transaction has, what arrives, and what it comes to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec
from django.db.backends.utils import CursorWrapper

from collector.correlation.choreography import RuleBook
from collector.correlation.events import Skeleton
from collector.storage import context, failures, judgement, keys, linking, saving, totals
from collector.storage.arriving import Arriving, Incoming, skeleton_of
from collector.storage.context import Context, SeenType
from collector.storage.judgement import Change, Row
from collector.storage.memory import Memory
from collector.storage.sql import Statement, arrays, run
from collector.storage.storing import (
    copy_uncorrelated,
    copy_undecodable,
    copying_events,
    copying_payloads,
    settle_redeliveries,
)
from collector.storage.tally import Tally
from collector.storage.touched import Touched

_NEW_TYPES = """
INSERT INTO collector_eventtype (type, service, topic_id, first_seen_at)
SELECT v.*, clock_timestamp() FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS v
ON CONFLICT (type, service, topic_id) DO NOTHING
"""


class Written(msgspec.Struct, frozen=True):
    """What a batch came to."""

    changed: tuple[str, ...] = ()
    """Ids of the transactions that pages would show differently now."""
    alerts: bool = False
    events: int = 0
    redeliveries: int = 0
    dropped: int = 0
    """Records that had been stored before: they lay below stored progress."""
    undecodable: int = 0
    uncorrelated: int = 0
    reasons: tuple[str, ...] = ()
    """Why, for each undecodable record."""


class Batch:
    """The transactions that a batch touches, from their locks to what they come to."""

    def __init__(self, arriving: Arriving, rulebook: RuleBook, memory: Memory) -> None:
        self._arriving, self._rulebook, self._memory = arriving, rulebook, memory
        self._touched: list[Touched] = []
        self.merged: list[tuple[Row, Row]] = []
        """Rows that have become aliases, with those that have taken what they had."""
        self._ctx: Context
        self._changes: list[Change]
        self._changed: list[Change]
        self._statements: list[Statement]

    def lock(self, cursor: CursorWrapper) -> None:
        """Writes payloads, makes the rows of new transactions, locks those of the others, and adds what arrives to what
        these have.

        New ones are judged before they are written, while the database takes in the payloads. Where another collector
        was faster, its row is locked like any other. What the others are judged by is read after the locks.
        """
        ctx = context.load(cursor, self._rulebook)
        by_name = self._by_name(ctx.now)
        payloads = [*self._arriving.events, *self._arriving.uncorrelated]
        if self._arriving.links or self._memory.linked:
            with copying_payloads(cursor, payloads, ctx.now):
                pass
            self._lock_linked(cursor, by_name, ctx.now)
            return
        missing = judgement.missing(cursor, sorted(by_name))
        new = [Touched(Row.new(name, ctx.now), by_name[name]) for name in missing]
        with copying_payloads(cursor, payloads, ctx.now):
            for touched in new:
                touched.merge(())
            states = saving.states([touched.judge(ctx) for touched in new])
        made = saving.insert(cursor, states, ctx.now, self._rulebook.version)
        for touched in new:
            if row := made.get(touched.row.transaction_id):
                touched.row.id, touched.row.written = row, True
                self._touched.append(touched)
                del by_name[touched.row.transaction_id]
        rows = self._locked(cursor, sorted(by_name))
        self._read(cursor, [Touched(row, by_name[row.transaction_id]) for row in rows])

    def _lock_linked(self, cursor: CursorWrapper, by_name: Mapping[str, list[Incoming]], now: datetime) -> None:
        """The same where several ids may name one transaction. All of them get rows before any is locked, and what they
        have is joined before anything is read."""
        self._memory.linked = True
        aliases = linking.roots(cursor, sorted(by_name))
        names = sorted({aliases.get(name, name) for name in by_name})
        linking.make_places(cursor, names, now)
        rows = {row.transaction_id: row for row in self._locked(cursor, names)}
        merged = linking.join(cursor, list(rows.values()), self._arriving.links, aliases, now)
        self.merged = [(rows[name], into) for name, into in merged.items()]
        found: dict[int, Touched] = {}
        for called, arriving in by_name.items():
            name = aliases.get(called, called)
            row = merged.get(name) or rows[name]
            touched = found.setdefault(row.id, Touched(row, []))
            known = set(map(id, touched.incoming))  # an event that names several ids of it comes once
            touched.incoming += [item for item in arriving if id(item) not in known]
        self._read(cursor, [found[row] for row in sorted(found)])

    def _locked(self, cursor: CursorWrapper, names: Sequence[str]) -> list[Row]:
        rows = judgement.lock_by_name(cursor, names)
        if any(row.merged_into is not None for row in rows):
            self._memory.linked = True
            raise linking.Moved
        if len(rows) < len(names):
            raise linking.Moved
        return rows

    @property
    def now(self) -> datetime:
        return self._ctx.now

    def _by_name(self, now: datetime) -> dict[str, list[Incoming]]:
        """What arrives, by transaction."""
        found = defaultdict[str, list[Incoming]](list)
        for record, event in self._arriving.events:
            item = Incoming(record, event, skeleton_of(record, event, now))
            for name in event.transaction_ids:
                found[name].append(item)
        return dict(found)

    def _read(self, cursor: CursorWrapper, others: Sequence[Touched]) -> None:
        """Reads the stored events that are not remembered; of oversized transactions, only those that arrive again."""
        self._touched += others
        self._ctx = context.load(cursor, self._rulebook)
        found: dict[int, Sequence[Skeleton]] = {}
        whole, large = [], []
        for touched in others:
            row = touched.row
            if row.oversized:
                large.append(touched)
            elif (events := self._memory.events(row.id, row.version)) is not None:
                found[row.id] = events
            else:
                whole.append(row)
        found |= judgement.skeletons(cursor, whole, self._ctx.topic_names)
        if large:
            only = [(touched.row.id, *item.skeleton.key) for touched in large for item in touched.incoming]
            rows = [touched.row for touched in large]
            found |= judgement.skeletons(cursor, rows, self._ctx.topic_names, only=only)
        for touched in others:
            touched.merge(found.get(touched.row.id, ()))

    def write_records(self, cursor: CursorWrapper, writer: str) -> None:
        """Writes what arrives: events, and what could not be read or belongs nowhere. While the database takes in the
        events, what they come to is judged, and how that will be written is worked out."""
        now, arriving = self.now, self._arriving
        with copying_events(cursor, self._arrived()):
            self._changes = [touched.change or touched.judge(self._ctx) for touched in self._touched]
            self._changed = [change for change in self._changes if change.changed]
            tally = self._counted()
            self._statements = saving.statements(self._changed, writer, now, self._rulebook)
            self._statements += totals.statements(tally, writer)
            seen = {(event.type, event.service, record.topic.row) for record, event in arriving.events}
        again = [(touched.row, item) for touched in self._touched for item in touched.again]
        smaller = [(touched.row, item) for touched in self._touched for item in touched.smaller]
        settle_redeliveries(cursor, again, smaller)
        copy_uncorrelated(cursor, arriving.uncorrelated, now)
        failures.save(cursor, arriving.failures, now)
        copy_undecodable(cursor, arriving.undecodable, now)
        if arriving.keyed:
            keys.save(cursor, ((touched.row, item.event) for touched in self._touched for item in touched.incoming))
        if new := self._to_be_noted(seen - self._ctx.types):
            cursor.execute(_NEW_TYPES, arrays(new))

    def _arrived(self) -> Iterator[tuple[Row, Incoming, int]]:
        """The events that are new, each with how many further copies of it came along."""
        for touched in self._touched:
            row, copies = touched.row, touched.copies
            for item in touched.arrived:
                yield row, item, copies.get(item.skeleton.key, 0) if copies else 0

    def _to_be_noted(self, new: Iterable[SeenType]) -> list[SeenType]:
        """Those of these that their topics have room for."""
        noted = Counter(topic for _, _, topic in self._ctx.types)
        kept = []
        for seen in sorted(new):
            noted[seen[2]] += 1
            if noted[seen[2]] <= context.MOST_TYPES:
                kept.append(seen)
        return kept

    def save(self, cursor: CursorWrapper, writer: str) -> None:
        """Writes what the touched transactions come to."""
        saving.absorb(cursor, self.merged, self._changes, writer, self.now)
        run(cursor, self._statements)

    def _counted(self) -> Tally:
        """What came and what became of the transactions, for the statistics."""
        tally = Tally(self.now)
        for touched, change in zip(self._touched, self._changes, strict=True):
            if change.course is not None:
                new = touched.which_arrived(change.course.ordered)
                tally.count_events(change.state.choreography, change.course, new, self._rulebook)
            tally.count_outcome(change)
        return tally

    def summary(self) -> Written:
        arriving = self._arriving
        changed = self._changed
        aliases = [row.transaction_id for row, _ in self.merged]
        return Written(
            changed=tuple([change.row.transaction_id for change in changed] + aliases),
            alerts=any(change.causes != change.old_causes for change in changed)
            or any(row.overdue_since for row, _ in self.merged),
            events=sum([len(touched.arrived) for touched in self._touched]),
            redeliveries=sum([touched.redeliveries for touched in self._touched]),
            dropped=arriving.dropped,
            undecodable=len(arriving.undecodable),
            uncorrelated=len(arriving.uncorrelated),
            reasons=tuple([found.reason for _, found in arriving.undecodable]),
        )

    def remember(self) -> None:
        """After the commit: keeps the events of transactions that more may come of."""
        for touched, change in zip(self._touched, self._changes, strict=True):
            row = touched.row
            if change.is_open and not change.state.oversized:
                self._memory.keep(row.id, row.version + change.changed, touched.events)
            else:
                self._memory.forget(row.id)
