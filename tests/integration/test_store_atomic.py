"""A batch is written whole or not at all, whichever of its statements fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from collector.config import parse
from collector.config.rules import registered
from collector.decoding import decode
from collector.kafka import Span
from collector.models import Event, Progress, Topic, Transaction
from collector.records import TopicRef
from collector.storage import partitions, store
from tests.builders import cloud_event, record
from tests.collecting import CONFIG

pytestmark = pytest.mark.usefixtures("empty_database")

TABLES = (
    *partitions.TABLES,
    "collector_progress",
    "collector_transaction",
    "collector_deadline",
    "collector_overdue",
    "collector_waiting",
    "collector_flow",
    "collector_outcome",
    "collector_eventtype",
)


class Failing:
    """Lets so many statements pass; the next one fails, and so on those that undo and close."""

    def __init__(self, passing: int) -> None:
        self._left = passing

    def __call__(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise OperationalError("the connection is lost")
        return execute(*arguments)


def everything() -> dict[str, list[tuple[Any, ...]]]:
    found = {}
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT t::text FROM {table} t ORDER BY 1")
            found[table] = cursor.fetchall()
    return found


def test_whichever_statement_fails_nothing_of_the_batch_is_stored() -> None:
    rulebook = registered(parse("choreoscope.yaml", CONFIG).rulebook)
    row = Topic.objects.create(cluster="c", uid="uid", name="orders")
    Progress.objects.create(topic=row, partition=0, next_offset=0, first_offset=0, from_start=True)
    topic, now = TopicRef(row.pk, row.cluster, row.uid, row.name), timezone.now()
    contents = [
        cloud_event("OrderPlaced", "order-1", "e1", time=now),
        cloud_event("OrderPlaced", "order-1", "e1", time=now),
        cloud_event("Paid", "order-1", "e2", time=now),
        cloud_event("OrderPlaced", "order-2", "e3", time=now),
        cloud_event("Lonely", None, "e4", time=now),
        (),
    ]
    records = [record(*headers, topic=topic, offset=i, timestamp=now) for i, headers in enumerate(contents)]
    decoded = [(found, decode(found)) for found in records]
    before, failures = everything(), 0
    while True:
        try:
            with connection.execute_wrapper(Failing(failures)):
                store.write([Span(topic, 0, 0, len(records), records)], decoded, rulebook, "writer")
        except OperationalError:
            failures += 1
            connection.close()
            assert everything() == before
        else:
            break
    assert failures > 10, "so many statements have failed, one after the other"
    assert Progress.objects.get().next_offset == len(records)
    assert sorted(Transaction.objects.values_list("transaction_id", "event_count", "redelivery_count")) == [
        ("order-1", 2, 1),
        ("order-2", 1, 0),
    ]
    assert Event.objects.count() == 3
