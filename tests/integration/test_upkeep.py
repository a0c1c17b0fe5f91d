"""What is kept for how long: partitions ahead and behind, and what is forgotten with its counts."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from unittest import mock

import pytest
from django.db import connection
from django.db.models import Sum
from django.utils import timezone
from pytest_django import Settings

from collector import actions, deadlines, upkeep
from collector.config import parse
from collector.config.rules import registered
from collector.correlation.choreography import RuleBook
from collector.decoding import decode
from collector.kafka import Span
from collector.models import (
    Deadline,
    Event,
    Flow,
    Heartbeat,
    Outcome,
    Overdue,
    Progress,
    Topic,
    Transaction,
    Transition,
    Waiting,
)
from collector.records import TopicRef
from collector.storage import partitions, store
from dashboard.alerts.models import Alert, AlertEntry, Silence
from dashboard.alerts.process import process
from dashboard.alerts.upkeep import forget
from dashboard.notifying import channels
from dashboard.notifying.models import Delivery, Notice
from tests.builders import cloud_event, record
from tests.collecting import CONFIG, log_of, transaction
from tests.feeding import calm

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("day_tables")]


@pytest.fixture
def rulebook() -> RuleBook:
    return registered(parse("choreoscope.yaml", CONFIG).rulebook)


@pytest.fixture
def stuck(rulebook: RuleBook) -> list[str]:
    """Two transactions that wait for an answer since ten seconds."""
    row = Topic.objects.create(cluster="c", uid="uid", name="orders")
    Progress.objects.create(topic=row, partition=0, next_offset=0, first_offset=0, from_start=True)
    topic, now = TopicRef(row.pk, row.cluster, row.uid, row.name), timezone.now()
    then, names = now - timedelta(seconds=10), ["order-1", "order-2"]
    records = [
        record(*cloud_event("OrderPlaced", name, time=then), topic=topic, offset=i, timestamp=then)
        for i, name in enumerate(names)
    ]
    store.write([Span(topic, 0, 0, 2, records)], [(r, decode(r)) for r in records], rulebook, "writer")
    Topic.objects.update(watermark=now)
    deadlines.sweep(rulebook)
    process()
    return names


def counts() -> dict[str, int]:
    found = Waiting.objects.values_list("rule").annotate(n=Sum("count"))
    return {rule: n for rule, n in found if n}


def test_partitions_are_made_ahead_and_dropped_behind() -> None:
    today = date(2030, 5, 17)
    made = partitions.ensure_ahead(today)
    assert len(made) == len(partitions.TABLES) * (partitions.AHEAD + 2)
    assert "collector_event_20300516" in made
    assert "collector_event_20300524" in made
    assert partitions.ensure_ahead(today) == []
    dropped = partitions.drop_before(date(2030, 5, 18), ["collector_event"])
    assert dropped[-2:] == ["collector_event_20300516", "collector_event_20300517"]
    assert "collector_payload_20300516" in partitions.existing("collector_payload")
    assert "collector_event_20300518" in partitions.existing("collector_event")


def test_a_transaction_past_its_retention_is_forgotten_with_everything_counted_of_it(stuck: list[str]) -> None:
    assert counts() == {"": 2, "0": 2}
    Transaction.objects.filter(transaction_id="order-1").update(day=timezone.now().date() - timedelta(days=31))
    upkeep.keep_up()
    assert list(Transaction.objects.values_list("transaction_id", flat=True)) == ["order-2"]
    assert counts() == {"": 1, "0": 1}
    assert list(Overdue.objects.values_list("transaction", flat=True)) == [transaction("order-2").pk]
    assert not Deadline.objects.exclude(transaction=transaction("order-2").pk).exists()


def test_alerts_follow_what_is_forgotten(stuck: list[str]) -> None:
    assert (Alert.unresolved().get().count, Alert.unresolved().get().peak) == (2, 2)
    for name, left in (("order-1", 1), ("order-2", 0)):
        Transaction.objects.filter(transaction_id=name).update(day=timezone.now().date() - timedelta(days=31))
        upkeep.keep_up()
        process()
        assert Alert.objects.get().count == left
    calm()
    assert Alert.objects.get().state == Alert.State.RESOLVED


@pytest.mark.parametrize("kept", ["abnormal: 90d", ""])
def test_what_went_wrong_may_be_kept_longer(stuck: list[str], kept: str, tmp_path: Path, settings: Settings) -> None:
    settings.CHOREOSCOPE_CONFIG = tmp_path / "choreoscope.yaml"
    settings.CHOREOSCOPE_CONFIG.write_text(f"retention: {{events: 30d, {kept}}}")
    old = timezone.now().date() - timedelta(days=31)
    partitions.ensure([old])
    for table in ("event", "transition"):
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE collector_{table} SET day = %s", [old])
    Transaction.objects.update(day=old)
    Transaction.objects.filter(transaction_id="order-1").update(phase="completed", state={})
    upkeep.keep_up()
    left = ["order-2"] if kept else []
    assert list(Transaction.objects.values_list("transaction_id", flat=True)) == left
    assert Event.objects.count() == len(left)
    told = Transition.objects.exclude(kind="forgotten")  # that they are, alerts still have to learn
    assert {row.transaction for row in told} == {transaction(name).pk for name in left}


def test_old_figures_and_signs_of_life_are_dropped(stuck: list[str]) -> None:
    old = timezone.now() - timedelta(hours=49)
    for statistics in (Flow, Outcome):
        row = statistics.objects.first()
        row.pk, row.bucket = None, old
        row.save()
    Heartbeat.objects.create(name="collector:old", at=old)
    Heartbeat.objects.create(name="sweep-of-old", at=old)
    upkeep.keep_up()
    assert not Flow.objects.filter(bucket=old).exists()
    assert not Outcome.objects.filter(bucket=old).exists()
    assert Flow.objects.exists()
    assert not Heartbeat.objects.filter(name="collector:old").exists()
    assert Heartbeat.objects.filter(name="sweep-of-old").exists()


def test_what_a_person_closes_waits_for_nothing_and_its_alert_resolves(stuck: list[str], rulebook: RuleBook) -> None:
    assert Alert.objects.get().count == 2
    assert actions.abandon([*stuck, "unknown"], "ada", "The customer called.", rulebook) == stuck
    process()
    row = transaction("order-1")
    assert (row.phase, row.ended_by, row.abandoned_by, row.abandoned_reason) == (
        "abandoned",
        "person",
        "ada",
        "The customer called.",
    )
    assert (row.overdue_since, row.state, counts()) == (None, {}, {})
    assert log_of("order-1") == ["started", "stuck", "abandoned"]
    calm()
    assert Alert.objects.get().state == Alert.State.RESOLVED
    assert actions.abandon(stuck, "ada", "Again.", rulebook) == [], "only what is open can be closed"


def test_one_with_too_many_events_is_closed_without_reading_them_and_stays_so(
    stuck: list[str], rulebook: RuleBook
) -> None:
    Transaction.objects.filter(transaction_id="order-1").update(oversized=True, event_count=5_000)
    assert actions.abandon(["order-1"], "ada", "It is a loop.", rulebook) == ["order-1"]
    row = transaction("order-1")
    assert (row.phase, row.ended_by, row.oversized, row.event_count) == ("abandoned", "person", True, 5_000)
    topic, now = Topic.objects.get(), timezone.now()
    ref = TopicRef(topic.pk, topic.cluster, topic.uid, topic.name)
    more = record(*cloud_event("OrderPlaced", "order-1", "more", time=now), topic=ref, offset=2, timestamp=now)
    store.write([Span(ref, 0, 2, 3, [more])], [(more, decode(more))], rulebook, "writer")
    row = transaction("order-1")
    assert (row.phase, row.oversized, row.event_count) == ("abandoned", True, 5_001)


def test_a_sweep_with_much_to_do_leaves_some_to_the_next(stuck: list[str], rulebook: RuleBook) -> None:
    def all_due() -> None:
        due = timezone.now() - timedelta(seconds=1)
        Deadline.objects.bulk_create(Deadline(transaction=row.pk, due_at=due) for row in Transaction.objects.all())

    with mock.patch.object(deadlines, "CHUNK", 1):
        all_due()
        assert [deadlines.sweep(rulebook, seconds=0).examined for _ in range(3)] == [1, 1, 0]
        all_due()
        assert deadlines.sweep(rulebook).examined == 2


def test_sweeps_take_one_thread_of_a_worker() -> None:
    within, go_on = threading.Event(), threading.Event()

    def sweeping(*_: object, **__: object) -> deadlines.Swept:
        within.set()
        go_on.wait(10)
        return deadlines.Swept(examined=1)

    rules = mock.patch.object(upkeep, "registered")  # a session of the other thread's would be in the way of the end
    with rules, mock.patch.object(deadlines, "sweep", sweeping), ThreadPoolExecutor() as pool:
        first = pool.submit(upkeep.sweep_now)
        assert within.wait(10)
        assert upkeep.sweep_now().examined == 0, "the other one is at it"
        go_on.set()
        assert first.result(10).examined == 1
        assert upkeep.sweep_now().examined == 1


def test_alerts_that_were_resolved_long_ago_go_with_all_that_was_said_of_them(
    stuck: list[str], rulebook: RuleBook, settings: Settings, tmp_path: Path
) -> None:
    settings.CHOREOSCOPE_CONFIG = tmp_path / "choreoscope.yaml"
    settings.CHOREOSCOPE_CONFIG.write_text("retention: {alerts: 30d}")
    actions.abandon(stuck, "ada", "Never mind.", rulebook)
    process()
    calm()
    now, old = timezone.now(), timezone.now() - timedelta(days=31)
    resolved = Alert.objects.get()
    lasting = Alert.objects.create(kind="collector_behind", since=old, opened_at=old, changed_at=old)
    channel, _ = channels.create("hook", "webhook", "https://example.com")
    said = {"channel": channel, "kind": "digest", "content": {}, "created_at": old, "next_at": old, "state": "sent"}
    of_both, of_one, _ = (Delivery.objects.create(title=title, text="", **said) for title in ("both", "one", "test"))
    for alert, delivery in ((resolved, of_both), (lasting, of_both), (resolved, of_one)):
        Notice.objects.create(
            alert=alert, channel=channel, kind="raised", at=old, severity="warning", count=1, delivery=delivery
        )
    for ends_at in (old, now):
        Silence.objects.create(kind="stuck", reason="Known.", who="ada", created_at=old, ends_at=ends_at)
    Alert.objects.filter(pk=resolved.pk).update(resolved_at=now - timedelta(days=29))
    forget(now)
    assert Alert.objects.count() == 2
    Alert.objects.filter(pk=resolved.pk).update(resolved_at=old)
    assert forget(now) == 1
    assert Alert.objects.get() == lasting
    assert list(AlertEntry.objects.values_list("alert", flat=True)) == []
    assert Delivery.objects.get() == of_both, "and a digest stays as long as any alert that it tells of"
    assert Notice.objects.get().delivery == of_both, "so that it is not sent again"
    assert Silence.objects.get().ends_at == now


def test_there_is_no_default_partition() -> None:
    """A row of a day without a partition must fail its batch rather than lie where nothing ever drops it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_partitioned_table WHERE partdefid <> 0")
        assert cursor.fetchone() == (0,)
