"""Prometheus' metrics out of the database: one place to ask, however many collectors there are.

docs/metrics.md lists them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import msgspec
from prometheus_client.core import Metric

from collector.health.counts import Counts
from collector.health.heartbeats import ALERTS, BEAT, NOTIFICATIONS
from collector.health.liveness import Liveness, State, TopicState, liveness
from collector.health.metrics import counter, families, gauge
from collector.models import Heartbeat
from collector.queries.bounds import rows
from collector.queries.readiness import COLLECTOR, collectors, readings

_RECENT = timedelta(minutes=5)
"""Collectors that gave no sign of life for longer are left out: each start of one makes a new name."""

_LAG = """
SELECT t.name, sum(greatest(e.end_offset - coalesce(p.next_offset, 0), 0))::bigint
FROM collector_end e
JOIN collector_topic t ON t.id = e.topic_id
LEFT JOIN collector_progress p ON p.topic_id = e.topic_id AND p.partition = e.partition
WHERE t.vanished_at IS NULL AND e.end_offset IS NOT NULL GROUP BY t.name ORDER BY t.name
"""
_GAPS = """
SELECT t.name, g.kind, count(*), sum(g.to_offset - g.from_offset)::bigint
FROM collector_gap g JOIN collector_topic t ON t.id = g.topic_id GROUP BY 1, 2 ORDER BY 1, 2
"""


def metrics(now: datetime) -> Iterator[Metric]:
    """Four queries."""
    beats = list(Heartbeat.objects.order_by("name"))
    found = liveness(collectors(beats), readings(), now)
    recent = [beat for beat in beats if beat.name.startswith(COLLECTOR) and now - beat.at <= _RECENT]
    yield from families({beat.name.removeprefix(COLLECTOR): counts(beat) for beat in recent})
    yield from _signs_of_life(recent, now)
    yield from _state(found, now)
    yield from _records()
    yield from _sweep([beat for beat in beats if beat.name == "sweep"], now)
    yield _work(beats, now)


def counts(beat: Heartbeat) -> Counts:
    """What the collector had counted at its last sign of life."""
    return msgspec.convert(beat.detail.get("counts", {}), Counts)


def _signs_of_life(beats: Iterable[Heartbeat], now: datetime) -> Iterator[Metric]:
    age = gauge("collector_heartbeat_age_seconds", "Since the collector's last sign of life.", ["collector"])
    partitions = gauge("collector_partitions", "Partitions that the collector reads.", ["collector"])
    for beat in beats:
        name = beat.name.removeprefix(COLLECTOR)
        age.add_metric([name], (now - beat.at).total_seconds())
        partitions.add_metric([name], beat.detail.get("partitions", 0))
    yield from (age, partitions)


def _state(found: Liveness, now: datetime) -> Iterator[Metric]:
    state = gauge("reading_state", "How well reading is: 1 for the state that holds.", ["state"])
    for name in State:
        state.add_metric([name], found.state == name)
    age = gauge("topic_watermark_age_seconds", "How long ago the topic was last read to its end.", ["topic"])
    held = gauge("topic_held", "1 while an open producer transaction keeps the topic from being read.", ["topic"])
    unreadable = gauge("topic_unreadable_partitions", "Partitions for which no broker answers.", ["topic"])
    for topic, how in found.topics:
        if topic.watermark is not None:
            age.add_metric([topic.name], (now - topic.watermark).total_seconds())
        held.add_metric([topic.name], how == TopicState.HELD)
        unreadable.add_metric([topic.name], len(topic.missing(now)))
    yield from (state, age, held, unreadable)


def _records() -> Iterator[Metric]:
    lag = gauge("topic_lag_records", "Offsets between what was read and the ends of the partitions.", ["topic"])
    for topic, records in rows(_LAG):
        lag.add_metric([topic], records)
    gaps = counter("gaps", "Times that records were gone before they were read.", ["topic", "kind"])
    missing = counter("gap_records", "Offsets within gaps.", ["topic", "kind"])
    for topic, kind, times, records in rows(_GAPS):
        gaps.add_metric([topic, kind], times)
        missing.add_metric([topic, kind], records)
    yield from (lag, gaps, missing)


def _sweep(beats: Iterable[Heartbeat], now: datetime) -> Iterator[Metric]:
    age = gauge("sweep_age_seconds", "Since deadlines were last checked.")
    sweeps = counter("sweeps", "Times that deadlines were checked.")
    examined = counter("sweep_examined_transactions", "Transactions judged because a deadline had come.")
    changed = counter("sweep_changed_transactions", "Transactions that had become stuck, or had ended.")
    for beat in beats:
        age.add_metric([], (now - beat.at).total_seconds())
        sweeps.add_metric([], beat.detail.get("sweeps", 0))
        examined.add_metric([], beat.detail.get("examined", 0))
        changed.add_metric([], beat.detail.get("changed", 0))
    yield from (age, sweeps, examined, changed)


def _work(beats: Iterable[Heartbeat], now: datetime) -> Metric:
    age = gauge("work_age_seconds", "Since the Celery worker last did this, or beat last told it to.", ["work"])
    for beat in beats:
        if beat.name in (ALERTS, NOTIFICATIONS, BEAT):
            age.add_metric([beat.name], (now - beat.at).total_seconds())
    return age
