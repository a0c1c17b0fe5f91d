"""Any range of time as it was, from counts of ten seconds and from those by the hour, which say the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import Sum
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from collector import hours, queries
from collector.correlation.choreography import RuleBook
from collector.models import Flow, FlowHour, Outcome, OutcomeHour
from tests.feeding import HAPPY, Feed

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def moved(by: timedelta) -> None:
    """Everything that was counted so far was counted so much earlier."""
    for table in (Flow, Outcome):
        for row in table.objects.all():
            row.bucket -= by
            row.save()


@pytest.fixture
def feed() -> Feed:
    """Two orders that went well, one that was declined and one that is stuck, all read three hours ago."""
    feed = Feed()
    for number in range(2):
        feed.order(f"done-{number}", ago=20)
    feed.declined("declined", ago=20)
    feed.order("stuck", steps=2, ago=60)
    feed.read()
    moved(3 * HOUR)
    return feed


def then(feed: Feed, minutes: int = 10) -> queries.Span:
    at = feed.now - 3 * HOUR
    return queries.span(at - timedelta(minutes=minutes), at + timedelta(minutes=minutes), timezone.now())


def test_it_tells_what_was_so_then(feed: Feed, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    feed.order("since", steps=1, ago=1)
    feed.read()
    with django_assert_num_queries(5):
        past = queries.past(then(feed), timezone.now())
    assert (past.started, past.completed, past.undone, past.became_stuck) == (4, 2, 1, 1)
    assert past.in_flight == 1, "the one that began since then is not among them"
    assert past.undone_share == pytest.approx(1 / 3)
    assert past.p50 == pytest.approx(3.0, rel=0.02)
    assert past.events == 2 * len(HAPPY) + 5 + 2
    assert sum(slot.completed for slot in past.slots) == 2
    assert past.slot == timedelta(seconds=30)
    assert len(past.slots) == len({slot.at for slot in past.slots}) in (41, 42)


def test_nothing_is_told_of_another_time(feed: Feed) -> None:
    until = feed.now - HOUR
    past = queries.past(queries.span(until - HOUR, until, timezone.now()), timezone.now())
    assert (past.started, past.events, past.p50, past.in_flight) == (0, 0, None, 1)


def test_the_map_is_that_of_the_range(feed: Feed) -> None:
    found = queries.flow_map_of(then(feed))
    placed = found.between(("OrderPlaced",), ("PaymentAuthorized",))
    assert placed is not None
    assert (placed.count, placed.p95) == (3, pytest.approx(0.5, rel=0.02))
    assert queries.flow_map_of(queries.span(feed.now - HOUR, feed.now, timezone.now())).edges == ()


def test_hours_are_summed_up_once_they_are_over_and_say_the_same(feed: Feed) -> None:
    before = queries.past(then(feed, 150), timezone.now())
    edges = queries.flow_map_of(then(feed, 150)).edges
    feed.order("now", steps=2, ago=1)
    feed.read()
    assert hours.sum_hours(timezone.now()) >= 1
    assert hours.sum_hours(timezone.now()) == 0
    assert (
        FlowHour.objects.aggregate(n=Sum("count"))["n"]
        == Flow.objects.exclude(bucket__gt=feed.now - HOUR).aggregate(n=Sum("count"))["n"]
    )
    assert OutcomeHour.objects.get(outcome="completed").durations
    Flow.objects.filter(bucket__lt=feed.now - HOUR).delete()
    Outcome.objects.filter(bucket__lt=feed.now - HOUR).delete()
    after = queries.past(then(feed, 150), timezone.now())
    for name in ("started", "completed", "undone", "became_stuck", "p50", "p95", "events", "in_flight"):
        assert getattr(after, name) == getattr(before, name), name
    assert [(edge.key, edge.count, edge.p95) for edge in queries.flow_map_of(then(feed, 150)).edges] == [
        (edge.key, edge.count, edge.p95) for edge in edges
    ]


def test_an_hour_that_is_not_certainly_over_is_not_summed_up() -> None:
    hour = datetime(2026, 11, 20, 12, tzinfo=UTC)
    Outcome.objects.create(bucket=hour, writer="w", choreography="c", outcome="started", count=1, durations={})
    assert hours.sum_hours(hour + HOUR + timedelta(minutes=9)) == 0
    assert hours.sum_hours(hour + HOUR + timedelta(minutes=10)) == 1
    assert OutcomeHour.objects.get().bucket == hour


@pytest.mark.parametrize(
    "since", [datetime(2026, 11, 20, 12, tzinfo=UTC), datetime(2026, 11, 20, 10, 59, 50, tzinfo=UTC)]
)
def test_choreographies_are_counted_once_whether_summed_up_or_not(since: datetime) -> None:
    for number in range(5):
        at = datetime(2026, 11, 20, 10, 59, 50, tzinfo=UTC) + number * timedelta(minutes=30)
        Outcome.objects.create(
            bucket=at, writer="w", choreography="c", outcome="started", count=10**number, durations={}
        )
    before = queries.choreographies(since, RuleBook(()))
    assert hours.sum_hours(datetime(2026, 11, 20, 12, 10, tzinfo=UTC)) == 2
    Outcome.objects.filter(
        bucket__gte=datetime(2026, 11, 20, 11, tzinfo=UTC), bucket__lt=datetime(2026, 11, 20, 12, tzinfo=UTC)
    ).delete()
    assert queries.choreographies(since, RuleBook(())) == before
    assert before[0].started == (11_111 if since.hour == 10 else 11_000)


def test_longer_ago_than_there_are_fine_counts_ranges_are_whole_hours() -> None:
    now = datetime(2026, 11, 20, 12, 34, 56, tzinfo=UTC)
    old = queries.span(now - timedelta(days=5, minutes=10), now - timedelta(days=5), now)
    assert (old.since, old.until) == (datetime(2026, 11, 15, 12, tzinfo=UTC), datetime(2026, 11, 15, 13, tzinfo=UTC))
    young = queries.span(now - timedelta(minutes=10), now + HOUR, now)
    assert (young.since, young.until) == (
        datetime(2026, 11, 20, 12, 24, 50, tzinfo=UTC),
        datetime(2026, 11, 20, 12, 35, tzinfo=UTC),
    )
    assert old.first == old.last
