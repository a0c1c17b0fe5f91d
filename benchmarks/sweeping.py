"""The part of `benchmarks.sweep` that runs within Django, on the database that it was given."""

from __future__ import annotations

import statistics
import sys
import time
from datetime import datetime, timedelta

import django
from django.conf import settings
from django.db import connection
from django.utils import timezone

django.setup()

from collector import config, deadlines  # noqa: E402
from collector.config.rules import registered  # noqa: E402
from collector.correlation.choreography import RuleBook  # noqa: E402
from collector.decoding import decode  # noqa: E402
from collector.kafka import Span  # noqa: E402
from collector.models import Deadline, Progress, Topic, Transaction  # noqa: E402
from collector.records import Record, TopicRef, pack_headers  # noqa: E402
from collector.storage import partitions, store  # noqa: E402

IDLE_SWEEPS = 200
CHURN = 900_000
"""Deadlines written and settled, as in an hour of 250 transactions a second."""
CHURN_STEP = 50_000

_KEYS = {"id", "transaction_id"}
_COLUMNS = [str(field.column) for field in Transaction._meta.concrete_fields]  # noqa: SLF001
_TRANSACTION = [column for column in _COLUMNS if column not in _KEYS]
_EVENT = """source, type, service, time, record_time, received_at, topic_id, partition, causes, subject, dialect, basis,
    trace, notes, redeliveries, day"""
_MULTIPLY = f"""
WITH made AS (
    INSERT INTO collector_transaction (transaction_id, {", ".join(_TRANSACTION)})
    SELECT 'open-' || n, {", ".join(f"t.{column}" for column in _TRANSACTION)}
    FROM collector_transaction t, generate_series(%s, %s) AS n WHERE t.transaction_id = 'open-0'
    RETURNING id
), events AS (
    INSERT INTO collector_event (transaction, event_id, "offset", {_EVENT})
    SELECT made.id, 'event-' || made.id, made.id, {", ".join("e." + name.strip() for name in _EVENT.split(","))}
    FROM made, collector_event e
)
INSERT INTO collector_deadline (transaction, due_at)
SELECT made.id, d.due_at FROM made, collector_deadline d
"""
_CHURN_IN = """
INSERT INTO collector_deadline (transaction, due_at)
SELECT -n, clock_timestamp() + random() * interval '1 hour' FROM generate_series(%s, %s) AS n
"""


def main() -> None:
    total, due = int(sys.argv[1]), int(sys.argv[2])
    rulebook = registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook)
    now = timezone.now()
    topic = first(rulebook, now)
    few = total // 100
    multiply(1, few)
    print(f"nothing due, {few + 1:>9,} open: {idle(rulebook)}", flush=True)
    for start in range(few + 1, total, 100_000):
        multiply(start, min(start + 99_999, total - 1))
    worn()
    print(f"nothing due, {total:>9,} open: {idle(rulebook)}", flush=True)
    for begin in range(0, due, 2_000):
        chosen = list(Deadline.objects.order_by("-transaction").values_list("pk", flat=True)[begin : begin + 2_000])
        Deadline.objects.filter(pk__in=chosen[: due - begin]).update(due_at=now)
    Topic.objects.filter(pk=topic.row).update(watermark=now + timedelta(minutes=6))
    # beyond what the rules allow, but before the deadlines of those that were not chosen
    begun = time.perf_counter()
    swept = deadlines.sweep(rulebook)
    took = time.perf_counter() - begun
    stuck = Transaction.objects.exclude(overdue_since=None).count()
    print(f"{due:,} due of {total:,} open: {took:.2f} s; examined {swept.examined:,}, stuck {stuck:,}", flush=True)
    if swept.examined != due or stuck != due:
        raise SystemExit("The sweep did not examine what was due, and only that.")
    print(f"nothing due, {due:,} stuck: {idle(rulebook)}", flush=True)


def first(rulebook: RuleBook, now: datetime) -> TopicRef:
    """One order, stored as the collector stores it, whose payment is due in five minutes; its deadline is then moved
    far into the future, from where those that are to be due are fetched back."""
    partitions.ensure_ahead(now.date())
    row = Topic.objects.create(cluster="bench", uid="orders", name="orders", watermark=now)
    Progress.objects.create(topic=row, partition=0, next_offset=0, first_offset=0, from_start=True)
    topic = TopicRef(row.pk, row.cluster, row.uid, row.name)
    attributes = {"specversion": "1.0", "id": "event-0", "source": "/services/order", "type": "OrderPlaced"}
    attributes |= {"time": now.isoformat(), "correlationid": "open-0"}
    headers = pack_headers([(f"ce_{name}", value.encode()) for name, value in attributes.items()])
    found = Record(topic, 0, 0, now, None, b"{}", headers)
    store.write([Span(topic, 0, 0, 1, [found])], [(found, decode(found))], rulebook, "bench")
    Deadline.objects.update(due_at=now + timedelta(hours=1))
    return topic


def multiply(start: int, end: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE IF NOT EXISTS model AS SELECT * FROM collector_deadline LIMIT 1")
        statement = _MULTIPLY.replace("collector_deadline d", "model d").replace(
            "made, collector_event e", "made, collector_event e WHERE e.event_id = 'event-0'"
        )
        cursor.execute(statement, [start, end])


def worn() -> None:
    with connection.cursor() as cursor:
        for start in range(0, CHURN, CHURN_STEP):
            cursor.execute(_CHURN_IN, [start + 1, start + CHURN_STEP])
            cursor.execute("DELETE FROM collector_deadline WHERE transaction < 0")


def idle(rulebook: RuleBook) -> str:
    """How long sweeps take that find nothing due."""
    took = []
    for _ in range(IDLE_SWEEPS):
        begun = time.perf_counter()
        swept = deadlines.sweep(rulebook)
        took.append((time.perf_counter() - begun) * 1000)
        if swept.examined:
            raise SystemExit("Something was due.")
    return f"median {statistics.median(took):.2f} ms, at most {max(took):.2f} ms"


if __name__ == "__main__":
    main()
