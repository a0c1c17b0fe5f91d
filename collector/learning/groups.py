"""Whose consumer group is it: what a service answered, beside what groups have read. No table, no broker, no clock.

A service answers a record only after its group has come to it. So a group may be the service's that has passed what the
service answered. It is not, if the service went on answering for long where the group stood still; and it is, if both
stopped at the same place, which others do only by chance. Groups commit late, some of them every few minutes: nothing
follows from what lasts for less than LASTING.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

LASTING = timedelta(minutes=15)
TOGETHER = timedelta(minutes=1)
"""A service that is killed may have answered some more than its group has committed; not for longer than this."""
FEW = 3
"""What has to be unanswered for a service to have stopped."""
KEPT = timedelta(days=7)
"""What spoke for a group or against it counts for so long."""


class Record(NamedTuple):
    """A record that asks something of a service. `at`: when it was answered or, where it was not, when it came."""

    offset: int
    at: datetime


class Asked(msgspec.Struct):
    """What was asked of a service on one partition: what it answered, and what it owes for longer than usual."""

    answered: list[Record] = msgspec.field(default_factory=list)
    owed: list[Record] = msgspec.field(default_factory=list)


class Watched(msgspec.Struct, frozen=True, array_like=True):
    """An offset that the service had answered `since` then at the latest, and that the group has not passed yet."""

    offset: int
    since: datetime


class Evidence(msgspec.Struct, frozen=True):
    """What is known of a group that may be a service's, on one topic. `watched` is by partition."""

    name: str
    passed_at: datetime | None = None
    stopped_at: datetime | None = None
    against_at: datetime | None = None
    watched: dict[int, Watched] = {}


def judged(before: Evidence, asked: Mapping[int, Asked], committed: Mapping[int, int], now: datetime) -> Evidence:
    """With what the group has committed now, beside what was asked of the service, by partition."""
    watched = dict(before.watched)
    passed_at, stopped_at, against_at = before.passed_at, before.stopped_at, before.against_at
    for partition in asked.keys() & committed.keys():
        found, at = asked[partition], committed[partition]
        if found.answered:
            known = watched.get(partition)
            if known is not None and at <= known.offset:
                if _went_on(found.answered, known):
                    against_at = now
            else:
                passed_at = now if _passed(found.answered, known, at) else passed_at
                watched[partition] = Watched(max(found.answered).offset, now)
        if _stopped_together(found, at, now):
            stopped_at = now
    return Evidence(before.name, passed_at, stopped_at, against_at, watched)


def _passed(answered: Iterable[Record], known: Watched | None, at: int) -> bool:
    return known is not None or any(record.offset < at for record in answered)


def _went_on(answered: Iterable[Record], known: Watched) -> bool:
    return any(record.offset > known.offset and record.at - known.since >= LASTING for record in answered)


def _stopped_together(found: Asked, at: int, now: datetime) -> bool:
    """Whether the service owes an answer to all that the group has not come to, and to nothing that it has."""
    if len(found.owed) < FEW or min(found.owed).offset < at:
        return False
    first = min(record.at for record in found.owed)
    return now - first >= LASTING and all(
        record.at - first <= TOGETHER for record in found.answered if record.offset >= at
    )


def likely(known: Iterable[Evidence], now: datetime) -> list[str]:
    """The groups that may be the service's, of those with evidence: one alone is it."""
    recent = now - KEPT
    standing = [
        one
        for one in known
        if one.passed_at and not (one.against_at and one.against_at > max(recent, one.stopped_at or recent))
    ]
    stopped = [one for one in standing if one.stopped_at and one.stopped_at > recent]
    return sorted(one.name for one in stopped or standing)


def of_topics(known: Mapping[str, Sequence[Evidence]], topics: Iterable[str], now: datetime) -> tuple[list[str], bool]:
    """The groups by which a service may read these topics, and whether it is certain which."""
    found = {topic: likely(known.get(topic, ()), now) for topic in topics}
    return sorted({name for names in found.values() for name in names}), all(
        len(names) == 1 for names in found.values()
    )
