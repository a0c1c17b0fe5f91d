"""An alert's life: one for a cause, whatever comes and goes; what people do with it; what explains what."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone
from pytest_django import Settings

from collector.models import (
    FailedDelivery,
    Flow,
    Gap,
    Heartbeat,
    Outcome,
    Overdue,
    Topic,
    Uncorrelated,
    Undecodable,
)
from collector.queries import evidence
from collector.storage import partitions
from dashboard.alerts import causes, lifecycle, tasks, wording
from dashboard.alerts.models import Alert, AlertEntry, Candidate, Silence
from dashboard.alerts.process import Processed, process
from dashboard.notifying import channels
from dashboard.notifying.models import Notice
from dashboard.pages.alert_story import story
from dashboard.pages.frame import frame
from dashboard.pages.shared import shared
from dashboard.pages.wording import clock
from tests.feeding import Feed, calm

pytestmark = pytest.mark.django_db
SERVICE = {"awaited": "StockReserved", "service": "inventory", "choreography": "order-fulfilment"}


@pytest.fixture
def feed() -> Feed:
    feed = Feed()
    feed.order("stuck-1", steps=2, ago=60)
    feed.read()
    return feed


def overdue(count: int) -> None:
    """So many wait for inventory, no more, no fewer."""
    Overdue.objects.all().delete()
    since = timezone.now() - timedelta(seconds=60)
    Overdue.objects.bulk_create(Overdue(transaction=n, since=since, **SERVICE) for n in range(count))
    Heartbeat.objects.filter(name="evidence").delete()  # no transition says that something changed
    process()


def stuck() -> Alert:
    return Alert.objects.get(kind=Alert.Kind.STUCK)


def log() -> list[str]:
    return list(AlertEntry.objects.filter(alert__kind="stuck").values_list("kind", flat=True))


def configured(settings: Settings, tmp_path: Path, content: str) -> None:
    settings.CHOREOSCOPE_CONFIG = tmp_path / "alerts.yaml"
    settings.CHOREOSCOPE_CONFIG.write_text(content)


def test_a_cause_that_is_gone_for_a_moment_stays_one_alert(feed: Feed) -> None:
    overdue(3)
    for _ in range(4):
        overdue(0)
        assert (stuck().state, stuck().count) == ("open", 0)
        overdue(2)
        assert stuck().quiet_since is None
    assert log() == ["raised"]
    assert stuck().flaps == 4
    overdue(0)
    Alert.objects.update(quiet_since=timezone.now() - timedelta(seconds=60))
    process()
    assert stuck().state == "open", "what came back four times has to stay away for longer than ten seconds"
    calm()
    assert (stuck().state, log()) == ("resolved", ["raised", "resolved"])


def test_what_has_come_back_is_since_then_and_was_nothing_meanwhile(feed: Feed) -> None:
    overdue(3)
    first = stuck().since
    overdue(0)
    calm()
    gone = timezone.now() - timedelta(minutes=4)
    Alert.objects.update(resolved_at=gone, opened_at=gone - timedelta(minutes=5), since=first - timedelta(minutes=9))
    was = stuck()
    overdue(2)
    alert = stuck()
    assert (alert.state, alert.since > gone, alert.opened_at) == ("open", True, was.opened_at)
    entry = AlertEntry.objects.get(kind="reopened")
    assert entry.detail["before_since"] == was.since.isoformat()
    assert entry.detail["before_until"] == gone.isoformat()
    assert f"before that from {clock(was.since)} to {clock(gone)}" in story(alert)[0].said
    since = alert.since
    Overdue.objects.update(since=since + timedelta(seconds=20))
    process()
    assert stuck().since == since, "the first deadline that passed stays, while some wait"
    overdue(0)
    overdue(1)
    assert stuck().since > since, "also where it was not resolved meanwhile"
    lifecycle.close([alert.pk], "ada")
    assert stuck().course[-1][1] == 0, "resolved by a person as well"
    resolved = AlertEntry.objects.filter(kind="resolved").last()
    assert resolved is not None
    assert resolved.detail["after_seconds"] < 120, "how long it lasted this time"


def test_thirty_flaps_are_one_alert(feed: Feed) -> None:
    for _ in range(30):
        overdue(2)
        overdue(0)
        calm()
    assert stuck().peak == 2
    assert log() == ["raised", *["resolved", "reopened"] * 30][: len(log())]
    Alert.objects.update(resolved_at=timezone.now() - timedelta(minutes=6))
    overdue(1)
    assert Alert.objects.filter(kind="stuck").count() == 2, "after the window it is another"


def test_a_service_that_flaps_thirty_times_is_one_alert_and_hardly_told_of(feed: Feed) -> None:
    """Twenty seconds well, twenty seconds not: second by second, as the clock would have it."""
    channels.create("hook", "webhook", "https://example.com")
    began = timezone.now() + timedelta(minutes=1)
    later = began + timedelta(hours=1)
    Heartbeat.objects.filter(name__in=("collector:test", "sweep")).update(at=later)
    Topic.objects.update(watermark=later)
    Overdue.objects.all().delete()
    Alert.objects.all().update(state="resolved", resolved_at=began - timedelta(hours=1))
    for second in range(0, 30 * 40, 4):
        Overdue.objects.all().delete()
        if second % 40 >= 20:
            Overdue.objects.create(transaction=1, since=began, **SERVICE)
        at, news = mock.Mock(return_value=began + timedelta(seconds=second)), mock.Mock(return_value=1)
        with mock.patch.multiple("dashboard.alerts.process", _take_turn=at, claim_transitions=news):
            process()
    (alert,) = Alert.objects.filter(opened_at__gte=began)
    assert alert.state == "open"
    told = list(Notice.objects.filter(alert=alert).values_list("kind", flat=True))
    assert told == ["raised", "recovered", "raised"], "it has to stay away for longer each time, to be believed"


def test_one_thread_of_a_worker_raises_alerts(feed: Feed) -> None:
    with mock.patch.object(tasks, "process_alerts", return_value=Processed()) as processing:
        with tasks._processing:
            tasks.process()
        processing.assert_not_called()
        tasks.process()
        tasks.process()
        assert processing.call_count == 2


def test_severity_rises_and_falls_with_the_count(feed: Feed) -> None:
    overdue(99)
    assert stuck().severity == "warning"
    overdue(100)
    assert stuck().severity == "critical"
    overdue(85)
    assert stuck().severity == "critical", "clearly fewer is less than four fifths"
    overdue(79)
    assert stuck().severity == "warning"
    assert log() == ["raised", "escalated", "eased"]


def test_what_nobody_answers_becomes_critical(feed: Feed, settings: Settings, tmp_path: Path) -> None:
    configured(settings, tmp_path, "alerts: {rules: [{kind: stuck, critical_after: 15m}]}")

    def unanswered(minutes: int) -> Alert:
        Alert.objects.exclude(unanswered_since=None).update(
            unanswered_since=timezone.now() - timedelta(minutes=minutes)
        )
        overdue(3)
        return stuck()

    assert unanswered(14).severity == "warning"
    alert = unanswered(16)
    assert alert.severity == "critical"
    assert AlertEntry.objects.get(kind="escalated").reason == "nobody has answered"
    lifecycle.acknowledge([alert.pk], "ada")
    assert unanswered(16).severity == "warning", "somebody looks after it"
    lifecycle.reopen([alert.pk], "ada")
    assert unanswered(14).severity == "warning"
    assert unanswered(16).severity == "critical"
    lifecycle.snooze([alert.pk], "ada", timezone.now() + timedelta(hours=1))
    assert unanswered(16).severity == "warning"
    assert log() == [
        "raised",
        *["escalated", "acknowledged", "eased", "taken back"],
        *["escalated", "snoozed", "eased"],
    ]
    Alert.objects.update(unanswered_since=timezone.now(), explained_by=alert)
    assert unanswered(16).severity == "warning", "nobody was told of it"


def test_what_has_to_last_is_raised_when_it_has(feed: Feed, settings: Settings, tmp_path: Path) -> None:
    overdue(0)
    calm()
    Alert.objects.update(resolved_at=timezone.now() - timedelta(hours=1))
    configured(settings, tmp_path, "alerts: {rules: [{kind: stuck, for: 200ms, at_least: 2}]}")
    overdue(1)
    assert not Alert.unresolved().exists(), "too few"
    overdue(2)
    assert not Alert.unresolved().exists(), "not for long enough"
    Candidate.objects.update(since=timezone.now() - timedelta(seconds=1))
    process()
    assert Alert.unresolved().get().count == 2


def test_people_acknowledge_snooze_and_resolve_and_the_log_says_who(feed: Feed) -> None:
    alert = stuck()
    assert lifecycle.acknowledge([alert.pk, 4711], "ada", "Looking at it.") == [alert.pk]
    lifecycle.snooze([alert.pk], "ben", timezone.now() + timedelta(hours=1), "Known.")
    overdue(5)
    assert (stuck().state, stuck().count) == ("snoozed", 5)
    Alert.objects.update(snoozed_until=timezone.now() - timedelta(seconds=1))
    overdue(5)
    assert (stuck().state, stuck().snoozed_until) == ("open", None)
    lifecycle.close([alert.pk], "ada", "Done.")
    assert lifecycle.acknowledge([alert.pk], "ada") == [], "what is resolved is left alone"
    overdue(5)
    assert stuck().state == "open", "what is still wrong is not talked away"
    assert log() == ["raised", "acknowledged", "snoozed", "woken", "resolved", "reopened"]
    entry = AlertEntry.objects.get(kind="acknowledged")
    assert (entry.who, entry.reason) == ("ada", "Looking at it.")
    with pytest.raises(lifecycle.Impossible):
        lifecycle.snooze([alert.pk], "ben", timezone.now() - timedelta(hours=1))


@pytest.mark.parametrize("change", [lambda rows: rows.update(who="nobody"), lambda rows: rows.delete()])
def test_nobody_edits_the_log(feed: Feed, change: object) -> None:
    with pytest.raises(DatabaseError, match="only ever added to"), transaction.atomic():
        change(AlertEntry.objects.all())  # type: ignore[operator]
    assert log() == ["raised"]


def test_silences_match_and_end(feed: Feed) -> None:
    later = timezone.now() + timedelta(hours=1)
    silence = lifecycle.silence({"service": "inv*", "kind": "stuck"}, "ada", "Maintenance.", later)
    facts = stuck().facts("team")
    assert silence.fits(facts)
    assert not Silence(service="payment").fits(facts)
    assert not Silence(event_type="Stock").fits(facts)
    assert Silence(event_type="Stock*", choreography="order-fulfilment").fits(facts)
    assert lifecycle.end_silence(silence.pk, "ben")
    assert not lifecycle.end_silence(silence.pk, "ben"), "it has ended"
    for matcher, reason in (({}, "Why not?"), ({"service": "x"}, " ")):
        with pytest.raises(lifecycle.Impossible):
            lifecycle.silence(matcher, "ada", reason, later)


def test_a_silent_service_explains_what_waits_for_it(feed: Feed) -> None:
    bucket = timezone.now() - timedelta(minutes=2)
    Flow.objects.filter(target_service="inventory").delete()
    for _ in range(2):
        heard(bucket)
    overdue(7)
    silent = Alert.objects.get(kind="service_silent")
    assert silent.sentence.startswith("inventory has published nothing since about ")
    assert silent.sentence.endswith(" UTC; 7 transactions wait for it")
    with timezone.override("Asia/Tokyo"):
        there = f"{silent.since.astimezone(ZoneInfo('Asia/Tokyo')):%H:%M:%S} JST"
        assert silent.sentence == f"inventory has published nothing since about {there}; 7 transactions wait for it"
    assert stuck().explained_by_id == silent.pk
    shared.clear()
    assert frame().open_alerts == 1, "what is explained does not count by itself"
    heard(timezone.now())
    overdue(6)
    calm()
    assert Alert.objects.get(kind="service_silent").state == "open", "it speaks, but has not caught up"
    overdue(0)
    calm()
    calm()
    assert not Alert.unresolved().exclude(kind="sweep_late").exists()


def heard(bucket: object) -> None:
    Flow.objects.create(
        bucket=bucket,
        writer=f"test-{Flow.objects.count()}",
        choreography="order-fulfilment",
        source_type="",
        source_service="",
        target_type="StockReserved",
        target_service="inventory",
        topic="orders",
        count=10,
        durations={},
    )


def test_a_collector_that_is_down_explains_what_it_mutes() -> None:
    now = timezone.now()
    rows = [
        Alert(id=1, kind="stuck", service="payment", since=now),
        Alert(id=2, kind="service_silent", service="payment", since=now),
        Alert(id=3, kind="collector_down"),
        Alert(id=4, kind="dead_letters"),
        Alert(id=5, kind="stuck", service="shipping"),
    ]
    assert causes.explanations(rows) == {1: 3, 2: 3, 5: 3}
    del rows[2]
    assert causes.explanations(rows) == {1: 2}


def test_what_cannot_be_delivered_read_or_correlated_and_what_was_lost_raise_alerts(feed: Feed) -> None:
    now, topic = timezone.now(), Topic.objects.get()
    partitions.ensure_ahead(now.date())
    common = {"day": now.date(), "topic": topic, "partition": 0, "record_time": now, "received_at": now}
    FailedDelivery.objects.create(
        **common, transaction_id="x", offset=1, source="", event_id="e", type="T", retried=False, convention="spring",
        exception="Boom",
    )  # fmt: skip
    Gap.objects.create(topic=topic, partition=0, kind="gap", from_offset=5, to_offset=17)
    Undecodable.objects.bulk_create(
        Undecodable(**common, offset=n, reason="not JSON", detail="", size=1) for n in range(25)
    )
    heard(now - timedelta(minutes=20))
    Uncorrelated.objects.bulk_create(
        Uncorrelated(
            **common, offset=n, source="/services/inventory", event_id=str(n), type="T", service="inventory", time=now,
            dialect="CloudEvents",
        )
        for n in range(30)
    )  # fmt: skip
    for outcome, count in (("failed", 12), ("completed", 3)):
        Outcome.objects.create(
            bucket=now, writer="test", choreography="refund", outcome=outcome, count=count, durations={}
        )
    Heartbeat.objects.filter(name="evidence").delete()
    process()
    said = {alert.kind: alert.sentence for alert in Alert.objects.exclude(kind="stuck")}
    assert said == {
        "dead_letters": "1 event could not be delivered and went to orders (Boom)",
        "ingestion_gap": "12 records of orders were lost before they were read",
        "undecodable": said["undecodable"],
        "coverage": said["coverage"],
        "failed": "12 of 15 transactions of refund failed within five minutes",
    }
    assert said["undecodable"].endswith(" records on orders could not be read within five minutes (not JSON)")
    assert said["coverage"].endswith("events of inventory on orders name no transaction")
    process()
    assert Alert.objects.count() == 6, "they are not raised twice, nor looked for each second"


def test_of_how_many_records_and_why_most_could_not_be_read(feed: Feed) -> None:
    """All that was read counts, whether or not it names a transaction, each record once."""
    now, topic = timezone.now(), Topic.objects.get()
    partitions.ensure_ahead(now.date())
    Flow.objects.all().delete()
    heard(now)
    common = {"day": now.date(), "topic": topic, "partition": 0, "record_time": now, "received_at": now}
    reasons = ["unknown schema"] * 7 + ["no dialect"] * 11 + ["not JSON"] * 6
    Undecodable.objects.bulk_create(
        Undecodable(**common, offset=n, reason=reason, detail="", size=1) for n, reason in enumerate(reasons)
    )
    about = {"source": "", "service": "", "type": "T", "time": now, "dialect": "CloudEvents"}
    Uncorrelated.objects.bulk_create(
        Uncorrelated(**common, **about, offset=100 + n // 2, position=n % 2, event_id=str(n)) for n in range(60)
    )
    (found,) = evidence.undecodable(timezone.now())
    assert (found.count, found.total, found.words) == (24, 24 + 30 + 10, "mostly no dialect, 11 times")


@pytest.mark.parametrize(
    ("course", "trend"),
    [([], "steady"), ([[0, 5]], "steady"), ([[0, 5], [70, 9]], "growing"), ([[0, 9], [30, 9], [95, 3]], "shrinking")],
)
def test_the_trend_is_that_of_a_minute(course: list[list[int]], trend: str) -> None:
    assert wording.trend(course) == trend


def test_a_course_keeps_that_there_was_nothing_for_a_while() -> None:
    begin = timezone.now()

    def after(*points: tuple[int, int], course: list[list[int]] | None = None) -> list[list[int]]:
        course = course or []
        for seconds, count in points:
            course = wording.continued(course, begin + timedelta(seconds=seconds), count)
        return course

    at = int(begin.timestamp())
    course = after((0, 237), (1, 200), (2, 0), (300, 205))
    assert [[moment - at, count] for moment, count in course] == [[0, 237], [2, 0], [300, 205]]
    course = after(*((300 + 3 * step, 205 + step) for step in range(1, 1000)), course=course)
    assert len(course) <= 120
    begun = [[moment - at, count] for moment, count in course[:2]]
    assert begun == [[0, 237], [2, 0]], "what lasted for long is not what is thinned out"


def test_a_course_stays_short_and_begins_where_it_began(feed: Feed) -> None:
    course: list[list[int]] = []
    for minute in range(1000):
        course = wording.continued(course, timezone.now() + timedelta(minutes=minute), minute)
    assert len(course) <= 120
    assert (course[0][1], course[-1][1]) == (0, 999)
