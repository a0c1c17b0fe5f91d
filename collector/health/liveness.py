"""How well reading is: from signs of life, watermarks and ends to states and plain sentences. PURE.

A function of what is stored and of `now`; pages, API, readiness and alerts all show what it says, so that they agree.
Nothing here stops deadlines: they wait by themselves, since watermarks stand still while reading does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

DEADLINES_WAIT = "deadlines that depend on it wait"
REMEDY = "Start one with `python manage.py collect`."


class State(StrEnum):
    """Of reading as a whole: BEHIND where a topic is that could be read, DOWN where no collector is alive."""

    LIVE = "live"
    BEHIND = "behind"
    DOWN = "down"


class TopicState(StrEnum):
    """READ up to its watermark, which is young; HELD at an open producer transaction; UNREADABLE in some partition;
    FORBIDDEN by Kafka to those who read it."""

    READ = "read"
    BEHIND = "behind"
    HELD = "held"
    UNREADABLE = "unreadable"
    FORBIDDEN = "forbidden"


class Kind(StrEnum):
    """What may be wrong."""

    DOWN = "collector_down"
    BEHIND = "collector_behind"
    UNREADABLE = "partition_unreadable"
    HELD = "topic_held"
    FORBIDDEN = "topic_forbidden"


@dataclass(frozen=True)
class Thresholds:
    """For how long something must last: to be shown, and (`alarm_…`) to be alarmed about."""

    down: timedelta = timedelta(seconds=10)
    behind: timedelta = timedelta(seconds=10)
    held: timedelta = timedelta(seconds=5)
    unreadable: timedelta = timedelta(seconds=3)
    alarm_behind: timedelta = timedelta(seconds=60)
    alarm_unreadable: timedelta = timedelta(seconds=15)
    alarm_forbidden: timedelta = timedelta(seconds=5)


USUAL = Thresholds()


@dataclass(frozen=True)
class Beat:
    """A collector's last sign of life; `stopped`: it said goodbye; `forbidden`: the topics that it is not let read, and
    since when."""

    name: str
    at: datetime
    started_at: datetime | None = None
    stopped: bool = False
    forbidden: tuple[tuple[str, datetime], ...] = ()

    def alive(self, now: datetime, thresholds: Thresholds = USUAL) -> bool:
        return not self.stopped and now - self.at <= thresholds.down


@dataclass(frozen=True)
class TopicReading:
    """How far a topic has been read.

    Of its partitions, `unread` have records that were not read, and `held` of these can't be read for now: an open
    producer transaction stands before them. `unreadable` lists those that do not answer, and since when.
    """

    name: str
    first_seen_at: datetime
    watermark: datetime | None
    unread: int = 0
    held: int = 0
    unreadable: tuple[tuple[int, datetime], ...] = ()

    @property
    def since(self) -> datetime:
        """Up to when everything was read; before that is known, when the topic was met."""
        return self.watermark or self.first_seen_at

    def missing(self, now: datetime, thresholds: Thresholds = USUAL) -> tuple[tuple[int, datetime], ...]:
        """The partitions that have not answered for long enough to be worth a word."""
        return tuple((number, since) for number, since in self.unreadable if now - since >= thresholds.unreadable)

    def state(self, now: datetime, thresholds: Thresholds = USUAL) -> TopicState:
        age = now - self.since
        if self.missing(now, thresholds):
            return TopicState.UNREADABLE
        if age > thresholds.held and self.unread and self.held == self.unread:
            return TopicState.HELD
        return TopicState.BEHIND if age > thresholds.behind else TopicState.READ


@dataclass(frozen=True)
class Trouble:
    """Something that is not well, since when, and in a sentence.

    `subject` is the topic, empty where it is reading as a whole; `names` are the partitions or the topics concerned.
    `alarming`: it has lasted for long enough to call somebody.
    """

    kind: Kind
    subject: str
    names: str
    since: datetime | None
    sentence: str
    alarming: bool = False


@dataclass(frozen=True)
class Liveness:
    """`behind`: the age of the least watermark of all topics that could be read; None where one is not known yet."""

    state: State
    since: datetime | None
    behind: timedelta | None
    last_sign: datetime | None
    topics: tuple[tuple[TopicReading, TopicState], ...]
    troubles: tuple[Trouble, ...]

    @property
    def standing_still(self) -> frozenset[str]:
        """The names of the topics whose watermarks lag behind the clock, so that deadlines on them wait."""
        return frozenset(topic.name for topic, state in self.topics if state != TopicState.READ)


def liveness(
    beats: Iterable[Beat], readings: Iterable[TopicReading], now: datetime, thresholds: Thresholds = USUAL
) -> Liveness:
    """What is well and what is not. `readings`: every topic that is there."""
    beats = list(beats)
    alive = [beat for beat in beats if beat.alive(now, thresholds)]
    last = max(beats, key=lambda beat: beat.at, default=None)
    forbidden = {name: since for beat in alive or filter(None, [last]) for name, since in beat.forbidden}
    topics = tuple(
        (reading, TopicState.FORBIDDEN if reading.name in forbidden else reading.state(now, thresholds))
        for reading in readings
    )
    late = [topic for topic, state in topics if state == TopicState.BEHIND]
    down = None if alive else _down(last, now, thresholds)
    lagging = _behind(alive, late, now, thresholds) if alive and late else None
    state = State.DOWN if down else State.BEHIND if lagging else State.LIVE
    troubles = [trouble for trouble in (down, lagging) if trouble]
    troubles += [
        _forbidden(topic.name, forbidden[topic.name], now, thresholds)
        for topic, state in topics
        if state == TopicState.FORBIDDEN
    ]
    troubles += [_unreadable(topic, now, thresholds) for topic, state in topics if state == TopicState.UNREADABLE]
    troubles += [_held(topic, now) for topic, state in topics if state == TopicState.HELD]
    return Liveness(
        state=state,
        since=troubles[0].since if down or lagging else None,
        behind=_distance(topics, now),
        last_sign=last.at if last else None,
        topics=topics,
        troubles=tuple(troubles),
    )


def _distance(topics: Iterable[tuple[TopicReading, TopicState]], now: datetime) -> timedelta | None:
    marks = [topic.watermark for topic, state in topics if state in (TopicState.READ, TopicState.BEHIND)]
    known = [mark for mark in marks if mark is not None]
    if not known or len(known) < len(marks):
        return None
    return max(timedelta(0), now - min(known))


def _down(last: Beat | None, now: datetime, thresholds: Thresholds) -> Trouble:
    if last is None:
        return Trouble(Kind.DOWN, "", "", None, f"The collector has never run. {REMEDY}")
    what = "The collector was stopped at" if last.stopped else "The collector has given no sign of life since"
    sentence = f"{what} {clock(last.at, now)}: nothing is read, and all deadlines wait. {REMEDY}"
    return Trouble(Kind.DOWN, "", "", last.at, sentence, alarming=now - last.at > thresholds.down)


def _behind(alive: Sequence[Beat], late: Sequence[TopicReading], now: datetime, thresholds: Thresholds) -> Trouble:
    """A collector that has only just started is given time to catch up before anybody is called."""
    worst = min(late, key=lambda topic: topic.since)
    others = f" (and {len(late) - 1} more)" if len(late) > 1 else ""
    how = "was last read to its end at" if worst.watermark else "has not been read to its end yet, since"
    sentence = f"Reading is behind: {worst.name}{others} {how} {clock(worst.since, now)}; {DEADLINES_WAIT}."
    working_since = min(beat.started_at or worst.since for beat in alive)
    alarming = now - max(working_since, worst.since) > thresholds.alarm_behind
    return Trouble(Kind.BEHIND, "", f"{worst.name}{others}", worst.since, sentence, alarming)


def _unreadable(topic: TopicReading, now: datetime, thresholds: Thresholds) -> Trouble:
    missing = topic.missing(now, thresholds)
    since = min(since for _, since in missing)
    names = _some([f"{topic.name}[{number}]" for number, _ in missing])
    sentence = f"{names} cannot be read since {clock(since, now)}: no broker answers for it; {DEADLINES_WAIT}."
    alarming = now - since > thresholds.alarm_unreadable
    return Trouble(Kind.UNREADABLE, topic.name, names, since, sentence, alarming)


def _forbidden(topic: str, since: datetime, now: datetime, thresholds: Thresholds) -> Trouble:
    sentence = (
        f"Kafka does not let us read {topic} since {clock(since, now)}; {DEADLINES_WAIT}. The right Read on this topic"
        " is missing (docs/kafka.md)."
    )
    return Trouble(Kind.FORBIDDEN, topic, topic, since, sentence, alarming=now - since > thresholds.alarm_forbidden)


def _held(topic: TopicReading, now: datetime) -> Trouble:
    since = clock(topic.since, now)
    sentence = f"{topic.name} is held by an open producer transaction since {since}; {DEADLINES_WAIT}."
    return Trouble(Kind.HELD, topic.name, topic.name, topic.since, sentence)


def _some(names: Sequence[str], most: int = 3) -> str:
    """ "a", "a and b", "a, b, c and 4 more"."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def clock(moment: datetime, now: datetime) -> str:
    """The time of day: "13:02:11 UTC"; with its date where that is not today's."""
    moment, now = moment.astimezone(UTC), now.astimezone(UTC)
    return f"{moment:%H:%M:%S} UTC" if moment.date() == now.date() else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
