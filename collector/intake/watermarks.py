"""Watermarks: up to which moment everything has certainly been read, topic by topic.

Take T = the database's clock, *then* the topics there are, and the end offsets of all their partitions, whoever reads
them; a topic that is met here first is noted at once, so that what may lie on it is waited for. A topic's
watermark is the T of its latest snapshot whose ends all lie within stored progress: what was appended before T lies
before those ends. Record timestamps play no part, so that idle partitions and wrong clocks do no harm. Ends are asked
for as read_uncommitted: a producer's open transaction holds its own topic only.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Set
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import Error, connection

from collector.intake import ends as end_notes
from collector.intake import progress
from collector.kafka import Cluster, KafkaFailure, Place
from collector.storage import sessions
from collector.storage.store import database_now

logger = logging.getLogger(__name__)

INTERVAL = 0.25
LOOKS = 3
"""How often it is looked, within that time, whether what the last snapshot asks for has been stored meanwhile."""
KEPT = 240
"""Snapshots remembered: a minute's worth; when reading is further behind, every second one is dropped."""
GONE_AFTER = timedelta(seconds=10)
"""A topic counts as vanished when the cluster has not listed it for so long; a broker that restarts may list fewer."""
LATE = timedelta(seconds=2)
"""When a topic's watermark is older, the brokers are asked whether an open transaction keeps it from being read."""
ABDICATE = 10.0
"""Seconds of silence after which the one that leads is ended, so that another one takes the watermarks."""
LOOK = 60.0
"""Seconds between two looks for clusters that nobody reads any more."""
_LEADER = 0x63686F77

_STORED = """
SELECT t.name, p.partition, p.next_offset, t.id FROM collector_progress p JOIN collector_topic t ON t.id = p.topic_id
WHERE t.cluster = %s AND t.vanished_at IS NULL
"""
_RAISE = """
UPDATE collector_topic t SET watermark = greatest(t.watermark, v.at)
FROM unnest(%s::bigint[], %s::timestamptz[]) AS v(id, at) WHERE t.id = v.id
"""


class Snapshot(msgspec.Struct, frozen=True):
    """The ends of all partitions, asked for after the moment `at`."""

    at: datetime
    ends: Mapping[Place, int]


def reached(
    snapshots: deque[Snapshot], stored: Mapping[Place, int], partitions: Mapping[str, list[int]]
) -> dict[str, datetime]:
    """The watermark of each topic that has one: the `at` of its latest snapshot within stored progress.

    A partition without an end in a snapshot could not be asked for, and holds its topic; so does one without progress,
    unless nothing was ever appended to it.
    """
    found = {}
    for topic, numbers in partitions.items():
        for snapshot in reversed(snapshots):
            ends = [(snapshot.ends.get((topic, number)), stored.get((topic, number), 0)) for number in numbers]
            if all(end is not None and end <= offset for end, offset in ends):
                found[topic] = snapshot.at
                break
    return found


class Watermarks:
    """Takes snapshots in a thread of its own; of several collectors, one does so at a time."""

    def __init__(self, cluster: Cluster, cluster_id: str, wanted: Callable[[str], bool]) -> None:
        self._cluster, self._cluster_id, self._wanted = cluster, cluster_id, wanted
        self._snapshots: deque[Snapshot] = deque()
        self._missing: dict[str, datetime] = {}
        self._partitions: Mapping[str, list[int]] = {}
        self._reached: dict[str, datetime] = {}
        self._looked_at = float("-inf")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watermarks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        said = ""
        turns = itertools.cycle([*[self.follow] * (LOOKS - 1), self.step])
        while not self._stop.wait(INTERVAL / LOOKS):
            try:
                if connection.connection is None:
                    sessions.end_when_idle(ABDICATE)
                next(turns)()
                said = ""
            except (Error, KafkaFailure) as error:
                self._snapshots.clear()
                connection.close()
                if said != str(error):
                    logger.warning("watermarks stand still: %s", error)
                said = str(error)
        connection.close()

    def step(self) -> dict[str, datetime]:
        """Takes a snapshot and raises what watermarks it can; nothing where another collector does that."""
        if not self._leads():
            self._snapshots.clear()
            return {}
        self._retire_unread()
        at = database_now()
        _, partitions = self._cluster.describe(self._wanted)
        ends = self._cluster.ends((topic, number) for topic, numbers in partitions.items() for number in numbers)
        new = self._note_topics(partitions.keys(), at)
        self._remember(Snapshot(at, {place: end for place, end in ends.items() if place[0] not in new}))
        stored, rows = self._stored()
        found = reached(self._snapshots, stored, partitions)
        late = {topic for topic in partitions if topic not in found or at - found[topic] > LATE}
        unread = [place for place, end in ends.items() if place[0] in late and stored.get(place, 0) < end]
        end_notes.note(self._cluster_id, partitions, ends, self._cluster.stable_ends(unread), at)
        self._raise({rows[topic]: moment for topic, moment in found.items() if topic in rows})
        self._forget(min(found.values(), default=None) if len(found) == len(partitions) else None)
        self._partitions, self._reached = partitions, found
        return found

    def follow(self) -> None:
        """Raises the watermarks of topics of which more has been stored since the last step. No broker is asked."""
        if not self._snapshots:
            return
        newest = self._snapshots[-1].at
        behind = {name: numbers for name, numbers in self._partitions.items() if self._reached.get(name) != newest}
        if not behind:
            return
        stored, rows = self._stored()
        found = reached(self._snapshots, stored, behind)
        raised = {topic: moment for topic, moment in found.items() if moment != self._reached.get(topic)}
        self._raise({rows[topic]: moment for topic, moment in raised.items() if topic in rows})
        self._reached |= raised

    def _note_topics(self, listed: Set[str], at: datetime) -> Set[str]:
        """Notes topics that are new, and those that have not been listed for a while: they hold nothing up any more.

        Returns the new ones, those made anew under an old name among them: ends asked for before may be the old one's.
        """
        known = progress.live_topics(self._cluster_id)
        uids = self._cluster.topic_ids(self._cluster_id, sorted(listed))
        if new := {name: uid for name, uid in uids.items() if known.get(name) != uid}:
            progress.register(self._cluster_id, new)
        self._missing = {name: self._missing.get(name, at) for name in known.keys() - listed}
        if gone := [name for name, since in self._missing.items() if at - since >= GONE_AFTER]:
            progress.retire_topics(self._cluster_id, gone)
            logger.warning("no longer there, and not waited for: %s", ", ".join(sorted(gone)))
        return new.keys()

    def _retire_unread(self) -> None:
        if time.monotonic() - self._looked_at < LOOK:
            return
        self._looked_at = time.monotonic()
        if gone := progress.retire_unread(self._cluster_id):
            logger.warning("no longer read by any collector, and not waited for: cluster %s", ", ".join(gone))

    def _leads(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
                " AND classid = %s AND objid = 0) OR pg_try_advisory_lock(%s, 0)",
                [_LEADER, _LEADER],
            )
            return bool((cursor.fetchone() or (False,))[0])

    def _remember(self, snapshot: Snapshot) -> None:
        if len(self._snapshots) >= KEPT:
            self._snapshots = deque(list(self._snapshots)[::2])
        self._snapshots.append(snapshot)

    def _forget(self, before: datetime | None) -> None:
        while before is not None and self._snapshots and self._snapshots[0].at < before:
            self._snapshots.popleft()

    def _stored(self) -> tuple[dict[Place, int], dict[str, int]]:
        with connection.cursor() as cursor:
            cursor.execute(_STORED, [self._cluster_id])
            found: list[tuple[Any, ...]] = cursor.fetchall()
        return {(name, number): offset for name, number, offset, _ in found}, {name: row for name, _, _, row in found}

    def _raise(self, moments: Mapping[int, datetime]) -> None:
        if moments:
            with connection.cursor() as cursor:
                cursor.execute(_RAISE, [list(moments), list(moments.values())])
