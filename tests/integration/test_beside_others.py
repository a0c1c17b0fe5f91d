"""A batch beside others that hold what it needs: nothing is lost, and nobody waits in a circle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone
from pytest_django import Settings

from collector import upkeep
from collector.correlation.choreography import RuleBook
from collector.decoding import decode
from collector.kafka import Span
from collector.models import Event, FailedDelivery, Gap, Progress, Topic, Transaction, Transition
from collector.records import Record, TopicRef
from collector.storage import failures, judgement, linking, partitions, store
from tests.builders import Header, cloud_event, record
from tests.feeding import Feed
from tests.stack.waiting import poll_until

pytestmark = pytest.mark.usefixtures("empty_database")

DEAD: Header = ("kafka_dlt-original-topic", b"orders")


def hang_up() -> None:
    """Closes the connection of the thread that calls it."""
    connection.close()


@pytest.fixture
def beside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool
        pool.submit(hang_up).result()


def write(topic: TopicRef, rulebook: RuleBook, start: int, *records: Record) -> store.Written:
    span = Span(topic, 0, start, start + len(records), list(records))
    return store.write([span], [(found, decode(found)) for found in records], rulebook, "writer")


def waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        return bool((cursor.fetchone() or (False,))[0])


def test_an_event_of_a_transaction_that_is_forgotten_just_now_begins_it_anew(beside: ThreadPoolExecutor) -> None:
    feed = Feed()
    feed.order("t-1", steps=2)
    feed.read()
    late = record(*cloud_event("Late", "t-1", "late"), topic=feed.topic, offset=2, timestamp=timezone.now())
    with transaction.atomic():
        before = Transaction.objects.select_for_update().get()
        storing: Future[store.Written] = beside.submit(write, feed.topic, feed.rulebook, 2, late)
        poll_until(waits, 10, "the batch to wait for the transaction")
        before.delete()
    assert storing.result(timeout=10).events == 1
    assert Event.objects.filter(event_id="late", transaction=Transaction.objects.get().pk).exists()


def aged(days: int) -> str:
    """Lets all that is stored be so old; returns the name of its events' partition."""
    old = timezone.now().date() - timedelta(days=days)
    partitions.ensure([old])
    Event.objects.update(day=old)
    Transition.objects.update(day=old)
    Transaction.objects.update(day=old)
    return partitions.name("collector_event", old)


def test_events_stay_as_long_as_a_transaction_that_cannot_be_forgotten_yet(beside: ThreadPoolExecutor) -> None:
    feed = Feed()
    feed.order("t-1", steps=2)
    feed.read()
    partition = aged(days=31)
    with transaction.atomic():
        Transaction.objects.select_for_update().get()
        beside.submit(upkeep.keep_up).result(timeout=30)
    assert Event.objects.filter(transaction=Transaction.objects.get().pk).count() == 2
    upkeep.keep_up()
    assert not Transaction.objects.exists()
    assert partition not in partitions.existing("collector_event")


def test_what_begins_anew_while_it_is_to_be_forgotten_is_kept(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CHOREOSCOPE_CONFIG = tmp_path / "choreoscope.yaml"
    settings.CHOREOSCOPE_CONFIG.write_text("retention: {events: 30d, abnormal: 90d}")
    feed = Feed()
    feed.order("t-1", steps=2)
    feed.read()
    aged(days=31)
    Transaction.objects.update(phase="completed", state={})
    lock = judgement.lock_by_row

    def late(cursor: CursorWrapper, rows: Sequence[int]) -> list[judgement.Row]:
        Transaction.objects.update(phase="running")
        return lock(cursor, rows)

    monkeypatch.setattr(judgement, "lock_by_row", late)
    upkeep.keep_up()
    assert Transaction.objects.get().phase == "running"
    assert Event.objects.count() == 2


def test_who_counts_failed_deliveries_and_who_makes_room_for_other_records_do_not_wait_for_each_other(
    beside: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = Feed()
    orders.order("t-1", steps=1)
    orders.read()
    row = Topic.objects.create(cluster="cluster-1", uid="uid", name="orders.dlq")
    Progress.objects.create(topic=row, partition=0, next_offset=0, first_offset=0, from_start=True)
    Gap.objects.create(topic=row, partition=0, kind=Gap.Kind.TRUNCATION, from_offset=0, to_offset=5)
    letters = TopicRef(row.pk, row.cluster, row.uid, row.name)
    now = timezone.now()
    lost = record(*cloud_event("OrderPlaced", "t-1", "a"), DEAD, topic=letters, offset=0, timestamp=now)
    write(letters, orders.rulebook, 0, lost)
    Progress.objects.filter(topic=row).update(next_offset=0)
    ours = record(*cloud_event("Told", "t-1", "b"), topic=letters, offset=0, timestamp=now)
    roots = linking.roots
    storing: list[Future[store.Written]] = []

    def slowly(*args: Any) -> dict[str, str]:
        """The failed delivery is locked, its transaction is not yet."""
        storing.append(beside.submit(write, letters, orders.rulebook, 0, ours))
        poll_until(waits, 10, "the batch to wait for the failed delivery")
        return roots(*args)

    monkeypatch.setattr(linking, "roots", slowly)
    assert failures.attach() == ("t-1",)
    monkeypatch.undo()
    assert storing[0].result(timeout=10).events == 1
    assert not FailedDelivery.objects.exists()
