"""What is unlike it usually is: deviations, unusual ways, transactions that take long; and the bus that holds back."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from collector import bus
from collector.correlation import buckets
from collector.health import heartbeats
from collector.mining import durations
from collector.mining.contribution import hour_of
from collector.models import Heartbeat, MinedSum, Outcome, Transaction
from collector.queries import unusual
from collector.storage.tally import bucket_of
from dashboard.alerts.models import Alert, Candidate
from dashboard.alerts.process import process
from tests.feeding import Feed, calm

pytestmark = pytest.mark.django_db
NOW = datetime.now().astimezone().replace(minute=30)


@pytest.fixture
def feed() -> Feed:
    feed = Feed()
    feed.read()
    return feed


def look() -> None:
    """As it is looked for twice a minute."""
    Heartbeat.objects.filter(name__in=("evidence", "comparison")).delete()
    process()


def look_for_a_while() -> None:
    look()
    assert not Alert.unresolved().exists(), "it has to last"
    Candidate.objects.update(since=timezone.now() - timedelta(minutes=2))
    look()


def ended(choreography: str, count: int, seconds: float = 1.0, outcome: str = "completed", ago: float = 0) -> None:
    at = bucket_of(timezone.now() - timedelta(seconds=ago))
    index = buckets.bucket(timedelta(seconds=seconds))
    Outcome.objects.create(
        bucket=at,
        writer=f"test-{Outcome.objects.count()}",
        choreography=choreography,
        outcome=outcome,
        count=count,
        durations={index: count} if outcome != "deviating" else {},
    )


def mined(kind: str, hours_ago: int, count: int, way: int = 0, seconds: float = 1.0, now: datetime = NOW) -> None:
    MinedSum.objects.create(
        choreography="refund",
        kind=kind,
        hours=1,
        bucket=hour_of(now) - hours_ago,
        status="completed",
        source=str(way) if kind == "variant" else "",
        target="",
        count=count,
        total=0,
        durations=f"[{durations.bucket(round(seconds * 1e6))},{count}]",
    )


def test_a_share_that_deviates_from_the_rules_is_an_alert_until_it_no_longer_does(feed: Feed) -> None:
    feed.order("ended", ago=60)
    feed.read()
    sentence = "StockReserved came again, though nothing waited for it."
    Transaction.objects.update(state={"deviations": [{"kind": "repeated", "sentence": sentence}]})
    ended("order-fulfilment", 99)
    ended("order-fulfilment", 25, outcome="deviating")
    look_for_a_while()
    alert = Alert.objects.get()
    assert (alert.kind, alert.severity, alert.count, alert.total) == ("deviating", "warning", 25, 100)
    assert alert.sentence == (
        "25 of 100 transactions of order-fulfilment deviate"
        " (most: StockReserved came again, though nothing waited for it)"
    )
    Outcome.objects.filter(outcome="deviating").update(count=17)
    look()
    assert Alert.objects.get().quiet_since is None, "what is raised at 20% is kept down to 16%"
    Outcome.objects.filter(outcome="deviating").update(count=15)
    look()
    calm()
    look()
    assert Alert.objects.get().state == "resolved"


def test_the_deviation_of_the_most_is_named_however_late(feed: Feed) -> None:
    """As the choreography's page counts them: what says how late is not another deviation each time."""
    for number in range(3):
        feed.order(f"ended-{number}", ago=60)
    feed.read()
    after = {"kind": "after end", "sentence": "PointsCredited came after OrderCompleted had ended it."}
    for number, transaction in enumerate(Transaction.objects.all()):
        late = {"kind": "late", "sentence": f"PaymentAuthorized came {number}.5 s after its deadline."}
        transaction.state = {"deviations": [late] if number else [late, after, after]}
        transaction.save()
    ended("order-fulfilment", 80)
    ended("order-fulfilment", 25, outcome="deviating")
    look_for_a_while()
    assert Alert.objects.get().names == "PaymentAuthorized came after its deadline"


@pytest.mark.parametrize(("deviate", "raised"), [(20, True), (19, False)])
def test_few_that_deviate_or_a_small_share_are_none(feed: Feed, deviate: int, raised: bool) -> None:
    ended("order-fulfilment", 95)
    ended("order-fulfilment", 500, ago=400)  # long ago
    ended("order-fulfilment", deviate, outcome="deviating")
    assert [found.count for found in unusual.deviating(timezone.now(), ["order-fulfilment"])] == [deviate]
    assert unusual.deviating(timezone.now(), ["another"]) == []
    look()
    assert Candidate.objects.filter(kind="deviating").exists() == raised


def test_where_nothing_is_declared_ways_that_hardly_any_went_deviate(feed: Feed) -> None:
    now = timezone.now()
    for hours_ago in (2, 3, 30):
        mined("variant", hours_ago, 330, way=1, now=now)
        mined("variant", hours_ago, 3, way=2, now=now)
    mined("variant", 0, 60, way=1, now=now)
    mined("variant", 0, 10, way=2, now=now)
    mined("variant", 1, 30, way=3, now=now)
    ((name, count, total),) = ((found.about, found.count, found.total) for found in unusual.deviating(now, []))
    assert (name, count, total) == ("refund", 39, 100), "one of a hundred is usual"
    assert unusual.deviating(now, ["refund"]) == []
    look_for_a_while()
    assert Alert.objects.get().sentence == "39 of 100 transactions of refund deviate"


def test_where_no_way_is_usual_none_is_unusual_and_little_says_nothing() -> None:
    for way in range(200):
        mined("variant", 3, 1, way=way)
    mined("variant", 0, 50, way=1_000)
    assert unusual.deviating(NOW, []) == []
    MinedSum.objects.all().delete()
    mined("variant", 3, 99, way=1)
    mined("variant", 0, 50, way=2)
    assert unusual.deviating(NOW, []) == []


def test_transactions_that_take_far_longer_than_usual_are_an_alert(feed: Feed) -> None:
    now = timezone.now()
    for hours_ago in (1, 2, 3):
        mined("case", hours_ago, 100, seconds=2, now=now)
    ended("refund", 70, seconds=2)
    ended("refund", 30, seconds=9)
    look_for_a_while()
    alert = Alert.objects.get()
    assert (alert.kind, alert.count, alert.total) == ("slow", 30, 100)
    assert alert.sentence == "30 of 100 transactions of refund took long: half of them 2.0 s, usually 2.0 s"


def test_what_is_usual_is_what_most_hours_say_and_not_this_one() -> None:
    for hours_ago, seconds in ((0, 60), (1, 60), (2, 2), (3, 2), (4, 2)):
        mined("case", hours_ago, 100, seconds=seconds)
    mined("case", 5, 99, seconds=500)  # too few
    found = unusual.usual(NOW, ["refund"])["refund"]
    assert (found.p50, found.p95) == (pytest.approx(2, rel=0.02), pytest.approx(2, rel=0.02))
    assert unusual.usual(NOW, ["another"]) == {}


@pytest.mark.parametrize(("seconds", "counts"), [(3.9, False), (4.2, True)])
def test_long_is_twice_as_long_as_95_of_100_take(seconds: float, counts: bool) -> None:
    now = timezone.now()
    mined("case", 1, 100, seconds=2, now=now)
    ended("refund", 50, seconds=seconds)
    ended("refund", 50, seconds=seconds, ago=400)
    assert [found.count for found in unusual.slow(now)] == ([50] if counts else [])


def test_less_than_a_second_is_never_long() -> None:
    now = timezone.now()
    mined("case", 1, 100, seconds=0.01, now=now)
    ended("refund", 50, seconds=0.9)
    assert unusual.slow(now) == []


def test_rules_say_what_is_unusual_enough(feed: Feed, settings: Settings, tmp_path: Path) -> None:
    settings.CHOREOSCOPE_CONFIG = tmp_path / "alerts.yaml"
    settings.CHOREOSCOPE_CONFIG.write_text(
        "alerts: {rules: [{kind: slow, share: 5%, at_least: 3, for: 0s, severity: critical}]}"
    )
    mined("case", 1, 100, seconds=2, now=timezone.now())
    ended("refund", 50, seconds=2)
    ended("refund", 3, seconds=9)
    look()
    assert (Alert.objects.get().kind, Alert.objects.get().severity) == ("slow", "critical")


def test_a_bus_that_holds_back_calls_for_a_person(feed: Feed, settings: Settings, tmp_path: Path) -> None:
    feed.order("stuck", steps=2, ago=60)
    feed.read()
    heartbeats.beat(bus.NAME, {"tripped_at": timezone.now().isoformat()})
    look()
    alert = Alert.objects.get(kind="bus_held")
    assert alert.sentence == "1 event for the bus waits until a person decides"
    bus.release(discard=True)
    look()
    calm()
    look()
    alert.refresh_from_db()
    assert (alert.state, alert.sentence) == ("resolved", "1 event for the bus waited until a person decides")
    settings.CHOREOSCOPE_CONFIG = tmp_path / "silent.yaml"
    settings.CHOREOSCOPE_CONFIG.write_text("bus: {publish: false}")
    heartbeats.beat(bus.NAME, {"tripped_at": timezone.now().isoformat()})
    look()
    assert not Alert.unresolved().filter(kind="bus_held").exists(), "nothing is to be published"
