"""Deadlines, and what comes of them: stuck in time, never wrongly, one alert for each cause, gone when it goes on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from collector.models import Overdue, Topic, Transition
from dashboard.alerts.models import Alert, AlertEntry
from tests.collecting import CONFIG, Collector, Services, log_of, transaction
from tests.stack.brokers import Broker
from tests.stack.waiting import poll_until

pytestmark = pytest.mark.usefixtures("empty_database")


def test_what_is_not_answered_is_stuck_after_its_deadline_and_recovers_on_the_answer(broker: Broker) -> None:
    topic, services = broker.topic("orders"), Services(broker)
    with Collector(broker) as collector:
        services.event(topic, "OrderPlaced", "order-1")
        services.flush()
        collector.until(lambda: transaction("order-1").overdue_since, "the deadline to pass")
        row = transaction("order-1")
        assert (row.status, row.phase, row.overdue_since) == ("stuck", "running", row.started_at + timedelta(seconds=2))
        services.event(topic, "Paid", "order-1", service="payment")
        services.flush()
        collector.until(lambda: transaction("order-1").overdue_since is None, "the recovery")
        services.event(topic, "OrderCompleted", "order-1")
        services.flush()
        collector.until(lambda: transaction("order-1").phase == "completed", "the end")
    assert log_of("order-1") == ["started", "stuck", "recovered", "completed"]
    stuck = Transition.objects.get(kind="stuck")
    assert stuck.effective_at == stuck.overdue_since == row.overdue_since
    assert stuck.at >= stuck.overdue_since + timedelta(milliseconds=500), "never before the grace is over"
    assert stuck.at <= stuck.overdue_since + timedelta(seconds=2.5), "known within two seconds of deadline and grace"


def test_one_alert_for_each_cause_with_a_count_that_resolves_itself(broker: Broker) -> None:
    topic, services = broker.topic("orders"), Services(broker)
    with Collector(broker) as collector:
        for i in range(3):
            services.event(topic, "OrderPlaced", f"order-{i}")
        services.flush()
        alert = collector.until(lambda: Alert.objects.filter(count=3).first(), "an alert about three transactions")
        assert alert.sentence == "3 transactions wait for Paid or Declined from payment"
        assert (alert.kind, alert.state, alert.choreography) == (Alert.Kind.STUCK, Alert.State.OPEN, "order")
        assert alert.since == min(Overdue.objects.values_list("since", flat=True))
        services.event(topic, "Declined", "order-0", service="payment")
        services.flush()
        collector.until(lambda: Alert.objects.filter(count=2, peak=3).exists(), "one fewer")
        for i in (1, 2):
            services.event(topic, "OrderCancelled", f"order-{i}")
        services.flush()
        collector.until(lambda: Alert.objects.get().state == Alert.State.RESOLVED, "the alert to resolve itself")
    alert = Alert.objects.get()
    assert alert.sentence == "3 transactions waited for Paid or Declined from payment"
    assert list(AlertEntry.objects.values_list("kind", flat=True)) == ["raised", "resolved"]
    assert not Overdue.objects.exists()


def test_a_cause_that_comes_back_soon_opens_its_alert_again(broker: Broker) -> None:
    topic, services = broker.topic("orders"), Services(broker)
    with Collector(broker) as collector:
        for i in range(2):
            services.event(topic, "OrderPlaced", f"order-{i}")
            services.flush()
            alert = collector.until(lambda: Alert.objects.filter(count=1).first(), "the alert about the order")
            services.event(topic, "OrderCancelled", f"order-{i}")
            services.flush()
            collector.until(lambda: not Alert.unresolved().exists(), "the alert to resolve itself")
    again = Alert.objects.get()
    assert again.since == alert.since, "it counts from the first deadline that passed"
    kinds = list(AlertEntry.objects.order_by("id").values_list("kind", flat=True))
    assert kinds == ["raised", "resolved", "reopened", "resolved"]


def test_a_collector_that_was_away_longer_than_the_deadlines_calls_nothing_stuck_that_was_answered_in_time(
    broker: Broker,
) -> None:
    placed, paid, services = broker.topic("orders"), broker.topic("payments"), Services(broker)
    with Collector(broker) as collector:
        services.event(placed, "OrderPlaced", "order-before")
        services.event(paid, "Paid", "order-before", service="payment")
        services.flush()
        collector.until(lambda: transaction("order-before").event_count == 2, "the types to be known")
        services.event(placed, "OrderPlaced", "order-1")
        services.flush()
        collector.until(lambda: transaction("order-1"), "the order")
    # nobody reads; the answer comes in time
    services.event(paid, "Paid", "order-1", service="payment")
    for i in range(2, 22):
        services.event(placed, "OrderPlaced", f"order-{i}", partition=i % 4)
        services.event(paid, "Paid", f"order-{i}", service="payment", partition=3 - i % 4)
    services.event(placed, "OrderPlaced", "order-unanswered")
    services.flush()
    deadline = timezone.now() + timedelta(seconds=2.5)
    poll_until(lambda: timezone.now() > deadline, 10, "all deadlines to pass while nobody reads")
    with Collector(broker) as collector:
        collector.until(lambda: transaction("order-unanswered").overdue_since, "the one that is stuck")
        collector.until(lambda: min(Topic.objects.values_list("watermark", flat=True)) > deadline, "all to be read")
        stuck = Transition.objects.filter(kind="stuck").values_list("transaction", flat=True)
        assert list(stuck) == [transaction("order-unanswered").pk]


def test_an_answer_on_a_topic_that_nobody_knew_of_is_waited_for(broker: Broker) -> None:
    """The answer was given in time, on a topic made for it: it must be read before anything is called stuck."""
    placed, services = broker.topic("orders"), Services(broker)
    with Collector(broker) as collector:
        collector.until(lambda: len(collector.source.positions) == 4, "its partitions")
        services.event(placed, "OrderPlaced", "order-1")
        services.flush()
        services.event(broker.topic("payments"), "Paid", "order-1", service="payment")
        services.flush()
        collector.until(lambda: transaction("order-1").event_count == 2, "the answer")
        assert log_of("order-1") == ["started"]


def test_history_is_stated_but_alarms_nobody(broker: Broker) -> None:
    topic, services = broker.topic("orders"), Services(broker)
    with Collector(broker) as collector:
        services.event(topic, "OrderPlaced", "order-old", time=timezone.now() - timedelta(hours=3))
        services.event(topic, "OrderPlaced", "order-new")
        services.flush()
        collector.until(lambda: Alert.objects.filter(count=1).exists(), "the alert about the new one")
        collector.until(lambda: transaction("order-old").overdue_since, "the old one to be stated")
        assert transaction("order-old").historic
        assert list(Overdue.objects.values_list("transaction", flat=True)) == [transaction("order-new").pk]
        assert Alert.objects.get().peak == 1


def test_the_whole_transaction_and_its_silence_are_timed(broker: Broker) -> None:
    content = CONFIG.replace("    rules:", "    timeout: 1s\n    rules:") + (
        "  visit:\n    starts: [PageViewed]\n    idle_timeout: 1s\n"
    )
    topic, services = broker.topic("orders"), Services(broker)
    with Collector(broker, content) as collector:
        services.event(topic, "OrderPlaced", "order-1")
        services.event(topic, "Paid", "order-1", service="payment")
        services.event(topic, "PageViewed", "visit-1")
        services.flush()
        collector.until(lambda: transaction("visit-1").ended_by == "silence", "the silence to end the visit")
        alert = collector.until(Alert.objects.first, "the alert about the order as a whole")
        assert alert.sentence == "1 transaction waits for OrderCancelled or OrderCompleted"
        assert transaction("order-1").state["pending"][0]["kind"] == "timeout"
