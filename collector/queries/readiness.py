"""Whether the parts that reading depends on are alive, and how far behind the topics it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.dateparse import parse_datetime

from collector.health.heartbeats import ALERTS, BEAT, NOTIFICATIONS
from collector.health.liveness import Beat, Liveness, State, TopicReading, liveness
from collector.models import Heartbeat
from collector.queries.bounds import rows

COLLECTOR = "collector:"
"""What the names of collectors' heartbeats begin with."""
FRESH = timedelta(seconds=10)
WORKING = timedelta(seconds=30)
"""For so long, work that is done each second may take."""
SWEEP_REMEDY = "Start the Celery worker and beat."
WORKER_REMEDY = "Start the Celery worker."
BEAT_REMEDY = "Start Celery beat."

_TOPICS = """
SELECT t.name, t.first_seen_at, t.watermark,
       count(*) FILTER (WHERE e.end_offset > coalesce(p.next_offset, 0)),
       count(*) FILTER (WHERE e.end_offset > coalesce(p.next_offset, 0) AND e.stable_offset <= p.next_offset),
       array_agg(e.partition ORDER BY e.partition) FILTER (WHERE e.unreadable_since IS NOT NULL),
       array_agg(e.unreadable_since ORDER BY e.partition) FILTER (WHERE e.unreadable_since IS NOT NULL)
FROM collector_topic t
LEFT JOIN collector_end e ON e.topic_id = t.id
LEFT JOIN collector_progress p ON p.topic_id = e.topic_id AND p.partition = e.partition
WHERE t.vanished_at IS NULL GROUP BY t.id ORDER BY t.name
"""


@dataclass(frozen=True)
class Part:
    """A part that readiness depends on. `age_seconds`: since its last sign of life, where it gives any."""

    name: str
    ok: bool
    age_seconds: float | None
    sentence: str


@dataclass(frozen=True)
class Unjudged:
    """Deadlines wait since then, None where none was ever judged: all of them (`wholly`), or those on some topics."""

    since: datetime | None
    wholly: bool


@dataclass(frozen=True)
class Readiness:
    """How well reading is, and the parts `collector`, `sweep`, `worker` and `beat`."""

    liveness: Liveness
    parts: tuple[Part, ...]
    swept_at: datetime | None = None

    @property
    def reading(self) -> bool:
        """Whether any collector is alive."""
        return self.liveness.state != State.DOWN

    @property
    def unjudged(self) -> Unjudged | None:
        """None where what is due is judged as it falls due."""
        if not self.reading:
            return Unjudged(self.liveness.since, True)
        if any(part.name == "sweep" and not part.ok for part in self.parts):
            return Unjudged(self.swept_at, True)
        since = [trouble.since for trouble in self.liveness.troubles if trouble.since]
        return Unjudged(min(since), False) if since else None

    @property
    def sentences(self) -> list[str]:
        """All that is not well."""
        ill = {part.name: part.sentence for part in self.parts if not part.ok and part.name != "collector"}
        if "beat" in ill:
            ill.pop("worker", None)  # it is not told what to do
        return [trouble.sentence for trouble in self.liveness.troubles] + list(ill.values())


def readiness(now: datetime) -> Readiness:
    """Two queries."""
    beats = list(Heartbeat.objects.all())
    found = liveness(collectors(beats), readings(), now)
    at = {beat.name: beat.at for beat in beats}
    swept = at.get("sweep")
    return Readiness(found, (_collector(found, now), _sweep(swept, now), _worker(at, now), _beat_part(at, now)), swept)


def behind_seconds(now: datetime) -> float | None:
    """How far behind the slowest topic is that can be read; None where one was not read to its end yet. One query."""
    behind = liveness((), readings(), now).behind
    return None if behind is None else behind.total_seconds()


def collectors(beats: Iterable[Heartbeat]) -> list[Beat]:
    return [_beat(beat) for beat in beats if beat.name.startswith(COLLECTOR)]


def readings() -> list[TopicReading]:
    """How far every topic has been read, by name. One query."""
    return [
        TopicReading(name, first_seen_at, watermark, unread, held, tuple(zip(missing or (), since or (), strict=True)))
        for name, first_seen_at, watermark, unread, held, missing, since in rows(_TOPICS)
    ]


def _beat(beat: Heartbeat) -> Beat:
    started = beat.detail.get("started_at")
    return Beat(
        name=beat.name.removeprefix(COLLECTOR),
        at=beat.at,
        started_at=parse_datetime(started) if started else None,
        stopped=bool(beat.detail.get("stopped")),
        forbidden=tuple((topic, datetime.fromisoformat(at)) for topic, at in beat.detail.get("forbidden", {}).items()),
    )


def _collector(found: Liveness, now: datetime) -> Part:
    age = _age(found.last_sign, now)
    if found.state == State.DOWN:
        return Part("collector", False, age, found.troubles[0].sentence)
    behind = f" {found.troubles[0].sentence}" if found.state == State.BEHIND else ""
    return Part("collector", True, age, f"The collector is alive.{behind}")


def _sweep(at: datetime | None, now: datetime) -> Part:
    remedy = f"Deadlines are not checked. {SWEEP_REMEDY}"
    if at is None:
        return Part("sweep", False, None, f"The sweep has never run. {remedy}")
    age = _age(at, now) or 0.0
    if age > FRESH.total_seconds():
        return Part("sweep", False, age, f"The sweep last gave a sign of life {age:.0f} s ago. {remedy}")
    return Part("sweep", True, age, "The sweep is alive.")


def _worker(at: Mapping[str, datetime], now: datetime) -> Part:
    """Its queues may be served by different processes: the worst of them counts."""
    work = {
        ALERTS: "The Celery worker {last}: alerts are not brought up to date.",
        NOTIFICATIONS: "The Celery worker of the queue `notifications` {last}: nobody is told of anything.",
    }
    ages = {name: _age(at.get(name), now) for name in work}
    worst = max(ages, key=lambda name: (ages[name] is None, ages[name] or 0.0))
    return _working("worker", ages[worst], work[worst], WORKER_REMEDY)


def _beat_part(at: Mapping[str, datetime], now: datetime) -> Part:
    ill = "Celery beat {last}: nobody tells the workers what to do."
    return _working("beat", _age(at.get(BEAT), now), ill, BEAT_REMEDY)


def _working(name: str, age: float | None, ill: str, remedy: str) -> Part:
    if age is not None and age <= WORKING.total_seconds():
        return Part(name, True, age, f"The {name} is alive.")
    last = "has never run" if age is None else f"last gave a sign of life {age:.0f} s ago"
    return Part(name, False, age, f"{ill.format(last=last)} {remedy}")


def _age(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else max(0.0, (now - at).total_seconds())
