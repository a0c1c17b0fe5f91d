"""Reading what is stored: right, and at a cost that does not grow with what is there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from collector import queries
from collector.models import End, Event, EventType, Flow, Heartbeat, Topic, Waiting
from collector.queries import bounds, transactions
from collector.queries.filters import BadParameter, TransactionFilter
from collector.storage.tally import bucket_of
from tests.builders import at, choreography, rulebook
from tests.feeding import HAPPY, Feed

pytestmark = pytest.mark.django_db


@pytest.fixture
def feed() -> Feed:
    return Feed()


def ids(found: queries.Page) -> list[str]:
    return [row.transaction.transaction_id for row in found.items]


def wanted(**parameters: str) -> queries.Page:
    return queries.page(TransactionFilter.parse(parameters, timezone.now()))


def pages(**parameters: str) -> Iterator[list[str]]:
    cursor = ""
    while True:
        found = wanted(**parameters, cursor=cursor)
        yield ids(found)
        if not found.next:
            return
        cursor = found.next


class TestLists:
    def test_newest_first_with_steps_and_what_is_awaited(self, feed: Feed) -> None:
        feed.order("old", ago=300)
        feed.order("young", steps=3, ago=3)
        feed.read()
        rows = queries.newest(10)
        assert [row.transaction.transaction_id for row in rows] == ["young", "old"]
        assert [step.type for step in rows[0].steps] == ["OrderPlaced", "PaymentAuthorized", "StockReserved"]
        assert [entry.expect for entry in rows[0].pending] == [("ShipmentScheduled",)]
        assert [step.type for step in rows[1].steps] == [name for name, _, _ in HAPPY]

    @pytest.mark.parametrize("count", [2, 25])
    def test_cost_does_not_grow(
        self, feed: Feed, count: int, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(count):
            feed.order(f"order-{number}", steps=1 + number % 7, ago=100 + number)
        feed.read()
        with django_assert_num_queries(2):
            assert len(queries.newest(50)) == count

    def test_pages_meet_without_gap_or_overlap_even_at_equal_times(self, feed: Feed) -> None:
        for number in range(25):
            feed.order(f"order-{number:02}", steps=1, ago=60 + number // 10)
        feed.read()
        found = list(pages(limit="4"))
        assert [len(page) for page in found] == [4] * 6 + [1]
        flat = [name for page in found for name in page]
        assert sorted(flat) == [f"order-{number:02}" for number in range(25)]

    def test_statuses(self, feed: Feed) -> None:
        feed.order("completed")
        feed.declined("compensated")
        feed.order("running", steps=1, ago=1)
        feed.order("stuck", steps=2, ago=60)
        feed.read()
        for status in ("completed", "compensated", "running", "stuck"):
            assert ids(wanted(status=status)) == [status]
        assert sorted(ids(wanted(phase="running"))) == ["running", "stuck"]
        assert ids(wanted(status="failed")) == []

    @pytest.mark.parametrize("count", [1, 20])
    def test_cost_of_looking_does_not_grow(
        self, feed: Feed, count: int, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(count):
            feed.declined(f"order-{number}", ago=100 + number)
        feed.read()
        with django_assert_num_queries(4):
            assert len(ids(wanted(event_type="PaymentDeclined", service="payment", min_duration="1s"))) == count

    def test_filters(self, feed: Feed) -> None:
        feed.order("a-1", ago=7200)
        feed.declined("a-2", ago=100)
        feed.order("b-1", steps=2, ago=60)
        feed.read()
        assert ids(wanted(q="a-")) == ["a-2", "a-1"]
        assert ids(wanted(q="%")) == []
        assert ids(wanted(since="1h")) == ["b-1", "a-2"]
        assert ids(wanted(until="1h")) == ["a-1"]
        assert ids(wanted(event_type="PaymentDeclined")) == ["a-2"]
        assert ids(wanted(service="shipping")) == ["a-1"]
        assert ids(wanted(service="payment", event_type="PaymentAuthorized")) == ["b-1", "a-1"]
        assert ids(wanted(min_duration="2s", q="a-")) == ["a-2", "a-1"]
        assert ids(wanted(min_duration="3s")) == ["a-1"]
        assert ids(wanted(choreography="order-fulfilment", status="stuck")) == ["b-1"]
        assert ids(wanted(waiting_for="StockReserved")) == ["b-1"]
        assert ids(wanted(waiting_for="StockReserved", status="stuck")) == ["b-1"]
        assert ids(wanted(waiting_for="ShipmentScheduled", status="stuck")) == []
        assert ids(wanted(awaited_from="inventory")) == ["b-1"]
        assert ids(wanted(awaited_from="inventory", status="stuck")) == ["b-1"]
        assert ids(wanted(awaited_from="payment")) == ids(wanted(awaited_from="payment", status="stuck")) == []

    def test_what_is_awaited_and_from_whom_have_to_be_the_same(self, feed: Feed) -> None:
        """Neither waits for both: one for payment, one for inventory too."""
        feed.order("a", steps=1, ago=60)
        feed.order("b", steps=2, ago=60)
        feed.read()
        assert ids(wanted(awaited_from="payment")) == ["a"]
        for status in ("", "stuck"):
            asked = {"status": status} if status else {}
            assert ids(wanted(awaited_from="inventory", waiting_for="StockReserved", **asked)) == ["b", "a"]
            assert ids(wanted(awaited_from="payment", waiting_for="StockReserved", **asked)) == []

    def test_looks_into_a_bounded_number_and_says_how_far_it_came(
        self, feed: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transactions, "LOOKED_AT", 5)
        feed.declined("needle", ago=500)
        for number in range(12):
            feed.order(f"order-{number}", steps=1, ago=100 + number)
        feed.read()
        first = wanted(event_type="PaymentDeclined")
        assert ids(first) == []
        assert first.looked_back_to == feed.ago(104)
        assert list(pages(event_type="PaymentDeclined")) == [[], [], ["needle"]]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("status", "odd"), ("phase", "stuck"), ("since", "yesterday"), ("until", "99999999h"), ("limit", "0"),
            ("limit", "201"), ("limit", "¹"), ("cursor", "abc"), ("cursor", "ä"), ("min_duration", "5"),
            ("q", "x" * 501), ("q", "a\x00b"), ("kee", "4711"),
        ],
    )  # fmt: skip
    def test_wrong_parameters_are_named(self, name: str, value: str) -> None:
        with pytest.raises(BadParameter, match=f"'{name}'"):
            TransactionFilter.parse({name: value}, timezone.now())

    def test_times_with_an_offset_whose_plus_became_a_space(self) -> None:
        parsed = TransactionFilter.parse({"since": "2026-11-20T13:00:00 01:00"}, timezone.now())
        assert parsed.since == at(0)


class TestTransaction:
    @pytest.mark.parametrize("steps", [1, 7])
    def test_with_its_events_causes_and_log(
        self, feed: Feed, steps: int, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        feed.order("order", steps=steps)
        feed.read()
        with django_assert_num_queries(3):
            found = queries.find("order")
        assert found is not None
        assert [event.type for event in found.events] == [name for name, _, _ in HAPPY[:steps]]
        assert len(found.causality.edges) == (8 if steps == 7 else 0)
        assert found.transitions

    def test_is_read_anew_only_where_something_changed(
        self, feed: Feed, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        feed.order("order", steps=2)
        feed.read()
        found = queries.find("order")
        with django_assert_num_queries(1):
            assert queries.find("order", found) is found
        feed.order("order", steps=3)
        feed.read()
        later = queries.find("order", found)
        assert later is not None
        assert [event.type for event in later.events] == [name for name, _, _ in HAPPY[:3]]

    def test_its_payload(self, feed: Feed) -> None:
        feed.order("order", steps=1)
        feed.read()
        found = queries.find("order")
        assert found is not None
        stored = queries.payload(found.events[0])
        assert stored is not None
        assert bytes(stored.value) == b'{"order":{"number":"4711"}}'

    def test_none(self) -> None:
        assert queries.find("nobody") is None
        assert queries.find("no\x00body") is None
        assert not queries.exists("no\x00body")

    def test_who_else_waits(self, feed: Feed) -> None:
        for number in range(4):
            feed.order(f"order-{number}", steps=2)
        feed.read()
        found = queries.find("order-1")
        assert found is not None
        assert queries.waiting_likewise(found.transaction, "StockReserved", "inventory").count == 3


class TestOverview:
    def test_figures(self, feed: Feed, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        for number in range(3):
            feed.order(f"done-{number}", ago=20)
        feed.declined("declined", ago=20)
        feed.order("stuck", steps=2, ago=60)
        feed.order("running", steps=1, ago=1)
        feed.raw(value=b"{no", at=feed.now)
        feed.read()
        with django_assert_num_queries(5):
            figures = queries.figures(timezone.now())
        assert figures.in_flight == 2
        assert figures.stuck == bounds.Bounded(1)
        assert figures.completed_rate == pytest.approx(3 / 65, rel=0.1)
        assert figures.undone_rate == pytest.approx(1 / 65, rel=0.1)
        assert figures.undone_share == pytest.approx(0.25)
        assert figures.p50 == pytest.approx(3.0, rel=0.02)
        assert 29 / 41 < figures.events_rate <= 29 / 30
        assert figures.undecodable == bounds.Bounded(1)

    def test_nothing_yet(self) -> None:
        figures = queries.figures(timezone.now())
        assert (figures.in_flight, figures.p50, figures.events_rate, figures.behind) == (0, None, 0, None)
        assert figures.undone_share is None
        assert queries.LiveFlows().flow_map(timezone.now()).edges == ()
        assert len(queries.over_time(timezone.now())) == 60

    def test_over_time_counts_each_end_in_its_minute(self, feed: Feed) -> None:
        feed.order("done")
        feed.order("stuck", steps=2)
        feed.read()
        slots = queries.over_time(timezone.now() + timedelta(minutes=1))
        assert sum(slot.completed for slot in slots) == 1
        assert sum(slot.stuck for slot in slots) == 1
        assert slots[-1].completed == 1 or slots[-2].completed == 1

    @pytest.mark.parametrize("orders", [1, 8])
    def test_flows(self, feed: Feed, orders: int, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        for number in range(orders):
            feed.order(f"order-{number}", ago=10)
        feed.read()
        with django_assert_num_queries(3):
            flow_map = queries.LiveFlows().flow_map(timezone.now())
        placed = flow_map.between(("OrderPlaced",), ("PaymentAuthorized", "PaymentDeclined"))
        assert placed is not None
        assert (placed.source_service, placed.target_service, placed.count) == ("order", "payment", orders)
        assert placed.p95 == pytest.approx(0.5, rel=0.02)
        assert {edge.target_type: edge.count for edge in flow_map.events} == {name: orders for name, _, _ in HAPPY}
        assert flow_map.last_heard("payment") is not None
        assert flow_map.last_heard("nobody") is None

    def test_the_map_remembers_for_an_hour(self, feed: Feed) -> None:
        feed.order("order", ago=10)
        feed.read()
        later = timezone.now() + timedelta(minutes=20)
        found = queries.LiveFlows().flow_map(later)
        assert len(found.edges) == 8
        assert {edge.count for edge in found.edges} == {0}
        assert queries.LiveFlows().flow_map(later + timedelta(hours=1)).edges == ()

    @pytest.mark.parametrize("apart", [1, 10, 45, 100, 290, 4_000])
    def test_a_map_that_was_kept_is_as_one_read_anew(
        self, feed: Feed, apart: int, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        """But for edges that only the one that was kept can know of any more."""
        kept, began = queries.LiveFlows(), timezone.now()
        for turn in range(4):
            feed.order(f"order-{turn}", ago=10, steps=2 + turn)
            feed.read()
            now = began + timedelta(seconds=apart * turn)
            Flow.objects.filter(writer="test").update(writer=f"turn-{turn}", bucket=bucket_of(now))
            with django_assert_max_num_queries(3 if turn == 0 or apart > 250 else 2):
                found = kept.flow_map(now)
            assert found.edges
            with django_assert_max_num_queries(1):
                assert kept.flow_map(now) == found
            assert found == queries.LiveFlows().flow_map(now)
        assert kept.flow_map(now + timedelta(minutes=5)).events[0].count == 0

    def test_waiting_steps_with_their_overdue(self, feed: Feed) -> None:
        feed.order("late", steps=2, ago=60)
        feed.order("soon", steps=2, ago=2)
        feed.read()
        found = {step.awaited: step for step in queries.waiting(feed.rulebook)}
        assert found["StockReserved"].count == 2
        assert found["StockReserved"].overdue == bounds.Bounded(1)

    def test_counting_stops(self) -> None:
        assert str(bounds.Bounded.of(10_001)) == "10\u202f000+"
        assert str(bounds.Bounded.of(10_000)) == "10\u202f000"


class TestIngestion:
    @pytest.mark.parametrize("count", [1, 9])
    def test_unreadable_records_newest_first(
        self, feed: Feed, count: int, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for _ in range(count):
            feed.raw(value=b"{no")
        feed.read()
        with django_assert_num_queries(6):
            assert queries.ingestion(timezone.now()).undecodable.count == count
        found: list[int] = []
        cursor = ""
        while True:
            page = queries.undecodable(cursor, limit=4)
            found += [record.offset for record in page.items]
            if page.next is None:
                break
            cursor = page.next
        assert found == list(reversed(range(count)))

    def test_a_partition_that_was_never_read_is_shown_as_such(self, feed: Feed) -> None:
        feed.order("order", steps=2)
        feed.read()
        End.objects.create(topic_id=feed.topic.row, partition=1, end_offset=9, unreadable_since=feed.now)
        read, unread = queries.ingestion(timezone.now()).partitions
        assert (read.next_offset, read.end, read.lag) == (2, 2, 0)
        assert (unread.next_offset, unread.end, unread.lag) == (None, 9, None)
        assert unread.unreadable_since == feed.now

    def test_uncorrelated(self, feed: Feed) -> None:
        feed.raw(("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_source", b"/s"), ("ce_type", b"Lost"), value=b"{}")
        feed.read()
        assert [event.type for event in queries.uncorrelated().items] == ["Lost"]
        assert not Event.objects.exists()

    def test_cursor_of_another_list(self) -> None:
        with pytest.raises(BadParameter):
            queries.undecodable(bounds.encode_cursor(at(0), 1))

    @pytest.mark.parametrize(
        ("standing_still", "expected"),
        [
            (set(), []),
            ({"payments"}, ["Paid", "Unseen"]),
            ({"stock"}, ["Reserved", "Unseen"]),
            ({"orders"}, ["Paid", "Reserved", "Unseen"]),  # where the choreography may end
            ({"elsewhere"}, ["Unseen"]),  # it may come on any topic
        ],
    )
    def test_deadlines_wait_for_the_topics_that_matter(self, standing_still: set[str], expected: list[str]) -> None:
        for number, (kind, topic) in enumerate({"Paid": "payments", "Reserved": "stock", "Done": "orders"}.items()):
            row = Topic.objects.create(cluster="c", uid=str(number), name=topic)
            EventType.objects.create(topic=row, type=kind, service="")
        for awaited in ("Paid", "Reserved", "Unseen"):
            for writer, count in (("a", 3), ("b", -1)):
                Waiting.objects.create(
                    writer=writer,
                    choreography="order",
                    rule=awaited,
                    after="",
                    awaited=awaited,
                    service="s",
                    count=count,
                )
        Waiting.objects.create(writer="a", choreography="order", rule="", after="", awaited="Paid", service="", count=9)
        rules = rulebook(choreography(name="order", completes=["Done"], fails=[]))
        found = queries.muted(standing_still, rules)
        assert [entry.awaited for entry in found] == expected
        assert {entry.count for entry in found} <= {2}

    def test_behind_is_that_of_the_slowest_topic(self) -> None:
        now = timezone.now()
        Topic.objects.create(cluster="c", uid="1", name="fast", watermark=now)
        slow = Topic.objects.create(cluster="c", uid="2", name="slow", watermark=now - timedelta(seconds=7))
        assert queries.behind_seconds(now) == pytest.approx(7)
        slow.watermark = None
        slow.save()
        assert queries.behind_seconds(now) is None
        slow.vanished_at = now
        slow.save()
        assert queries.behind_seconds(now) == 0

    def test_parts_tell_their_age_and_the_remedy(self) -> None:
        now = timezone.now()
        never = {part.name: part for part in queries.readiness(now).parts}
        assert not never["collector"].ok
        assert "manage.py collect" in never["collector"].sentence
        Heartbeat.objects.create(name="collector:a", at=now - timedelta(seconds=60))
        Heartbeat.objects.create(name="collector:b", at=now - timedelta(seconds=1))
        Heartbeat.objects.create(name="sweep", at=now - timedelta(seconds=11))
        found = {part.name: part for part in queries.readiness(now).parts}
        assert found["collector"].ok
        assert not found["sweep"].ok
        assert "11 s ago" in found["sweep"].sentence

    @pytest.mark.parametrize(
        ("late", "ill", "said"),
        [
            ({}, set(), []),
            ({"alerts": 31}, {"worker"}, ["The Celery worker last gave a sign of life 31 s ago"]),
            ({"notifications": 40}, {"worker"}, ["The Celery worker of the queue `notifications` last gave"]),
            ({"beat": 31}, {"beat"}, ["Celery beat last gave a sign of life 31 s ago"]),
            ({"beat": 99, "alerts": 98, "notifications": 98}, {"worker", "beat"}, ["Celery beat last gave"]),
        ],
    )
    def test_a_worker_or_a_clock_that_died(self, late: dict[str, float], ill: set[str], said: list[str]) -> None:
        now = timezone.now()
        for name in ("collector:a", "sweep", "alerts", "notifications", "beat"):
            Heartbeat.objects.create(name=name, at=now - timedelta(seconds=late.get(name, 1)))
        found = queries.readiness(now)
        assert {part.name for part in found.parts if not part.ok} == ill
        ages = {part.name: part.age_seconds for part in found.parts}
        assert ages["beat"] == late.get("beat", 1)
        assert ages["worker"] == max(late.get(name, 1) for name in ("alerts", "notifications"))
        assert len(found.sentences) == len(said), "one sentence for one cause"
        assert all(sentence.startswith(start) for sentence, start in zip(found.sentences, said, strict=True))
