"""Fills the database that it was given with transactions: `python -m benchmarks.filling 1670000`.

Some hundred transactions are stored by the production code, judged, mined and alarmed about. PostgreSQL then multiplies
them, over thirty days: each copy has its own ids, keys and times, and is in every table that its model is in.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count

import django
import msgspec
from django.conf import settings

django.setup()

from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks import company, multiplying  # noqa: E402
from collector import config, deadlines, hours, miner  # noqa: E402
from collector.config.rules import registered  # noqa: E402
from collector.correlation.choreography import RuleBook  # noqa: E402
from collector.intake.reading import Reader  # noqa: E402
from collector.kafka import Span  # noqa: E402
from collector.learning.learner import learn_now  # noqa: E402
from collector.models import End, Heartbeat, Lesson, Progress, Topic  # noqa: E402
from collector.records import Record, TopicRef, pack_headers  # noqa: E402
from collector.storage import partitions, store  # noqa: E402
from dashboard.alerts.process import process  # noqa: E402

DAYS = 30
PARTITIONS = 4
BEGAN = {"running": timedelta(seconds=30)}
"""How long ago models began, whose deadlines must not have passed yet; the others: long enough for them to have."""
LONG_AGO = timedelta(minutes=10)
LONG = {"thousand-events": 1_000, "oversized": 2_500}


def main() -> None:
    transactions = int(sys.argv[1])
    begun = time.perf_counter()
    now = timezone.now()
    partitions.ensure(now.date() - timedelta(days=days) for days in range(-partitions.AHEAD, DAYS + 1))
    rulebook = registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook)
    store_models(now, rulebook)
    with connection.cursor() as cursor:
        events = multiplying.multiply(cursor, now, transactions, DAYS)
        hours.sum_hours(now)
        learn()
        process()
        multiplying.past_alerts(cursor)
        cursor.execute("VACUUM ANALYZE")
    print(f"{transactions:,} transactions, {events:,} events stored in {time.perf_counter() - begun:.0f} s", flush=True)


def learn() -> None:
    """All lessons that there are to be taken."""
    taken = -1
    while taken != (taken := Lesson.objects.count()):
        learn_now()


def store_models(now: datetime, rulebook: RuleBook) -> None:
    """As a collector does: decoded, judged, written; then swept, mined."""
    topics = {name: _topic(name) for name in company.topics()}
    reader = Reader(lambda: config.current(settings.CHOREOSCOPE_CONFIG).policy)
    spans, decoded = [], []
    for (name, partition), found in _records(now, topics).items():
        spans.append(Span(topics[name], partition, 0, len(found), found))
        decoded += reader.read(name, found)
        Progress.objects.create(
            topic_id=topics[name].row, partition=partition, next_offset=0, first_offset=0, from_start=True
        )
        End.objects.create(topic_id=topics[name].row, partition=partition, end_offset=len(found))
    store.write(spans, decoded, rulebook, "models")
    Topic.objects.update(watermark=timezone.now())
    deadlines.sweep(rulebook)
    miner.mine(rulebook)
    for number in range(3):
        detail = {"partitions": 80, "events_per_second": 320.0, "started_at": now.isoformat()}
        Heartbeat.objects.create(name=f"collector:bench-{number}", at=now, detail=detail)


def _topic(name: str) -> TopicRef:
    row = Topic.objects.create(cluster="bench", uid=name, name=name)
    return TopicRef(row.pk, row.cluster, row.uid, row.name)


def _records(now: datetime, topics: dict[str, TopicRef]) -> dict[tuple[str, int], list[Record]]:
    """By topic and partition, in the order of their offsets."""
    chance, numbers = random.Random(3), count()
    found: dict[tuple[str, int], list[Record]] = {
        (name, partition): [] for name in topics for partition in range(PARTITIONS)
    }
    models = [*company.models(), *(company.endless(name, events) for name, events in LONG.items())]
    for model in models:
        partition = chance.randrange(PARTITIONS)
        began = now - BEGAN.get(model.kind, LONG_AGO)
        for place, step in enumerate(model.steps):
            name = company.topic_of(model.trade, step.service.rpartition("-")[2])
            into = found[name, partition]
            at = began + timedelta(seconds=step.after)
            value, headers = _content(model, place, at)
            into.append(Record(topics[name], partition, len(into), at, model.name.encode(), value, headers))
    for name, partition in [*found][::7]:
        into = found[name, partition]
        priced = [("ce_type", b"PriceChanged"), *_attributes(f"price-{next(numbers)}", name)]
        for value, said in ((b"{no", []), (b'{"price": 3}', priced)):
            into.append(Record(topics[name], partition, len(into), now, None, value, pack_headers(said)))
    return found


def _content(model: company.Model, place: int, at: datetime) -> tuple[bytes, bytes]:
    step, name = model.steps[place], model.name
    causes = ",".join(f"{name}/{cause}" for cause in step.causes)
    headers = [
        *_attributes(f"{name}/{place}", step.service),
        ("ce_type", step.type.encode()),
        ("ce_time", at.isoformat().encode()),
        ("ce_correlationid", name.encode()),
        *([("ce_causationid", causes.encode())] if causes else []),
    ]
    value = {"order": {"number": f"no-{name}", "total": 12.5, "currency": "EUR"}, "customer": {"id": f"c-{name}"}}
    return msgspec.json.encode(value), pack_headers(headers)


def _attributes(event: str, service: str) -> Iterator[tuple[str, bytes]]:
    yield from (
        ("ce_specversion", b"1.0"),
        ("ce_id", event.encode()),
        ("ce_source", f"/services/{service}".encode()),
        ("content-type", b"application/json"),
    )


if __name__ == "__main__":
    main()
