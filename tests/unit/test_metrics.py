"""Metrics: what a collector counts, what Prometheus gets to see, and that each is documented."""

from __future__ import annotations

import re
import socket
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoAssertNumQueries

from collector import deadlines
from collector.health import heartbeats
from collector.health.counts import DELAYS, Counts
from collector.health.metrics import PortTaken, serving
from collector.intake.meter import Meter
from collector.kafka import Span
from collector.models import End, Gap, Heartbeat
from collector.storage.store import Written
from dashboard.pages.shared import shared
from tests.builders import NOON, ORDERS, at, record
from tests.feeding import Feed
from tests.stack.place import ROOT

DOCUMENT = Path(ROOT) / "docs" / "metrics.md"

Series = dict[tuple[str, ...], float]


def meter() -> Meter:
    """Two batches: of three and of one record."""
    found = Meter()
    records = [record(offset=offset, timestamp=at(offset)) for offset in (0, 1, 2)]
    found.stored([Span(ORDERS, 0, 0, 3, records)], Written(events=3, redeliveries=1), 0.25, at(0.3))
    late = [record(offset=3, timestamp=at(-7200))]
    unread = Written(undecodable=2, uncorrelated=4, dropped=5, reasons=("not JSON", "not JSON"))
    found.stored([Span(ORDERS, 0, 3, 4, late), Span(ORDERS, 1, 0, 2)], unread, 0.5, at(1))
    return found


def test_a_collector_counts_by_batches() -> None:
    counts = meter().read()
    assert (counts.batches, counts.store_seconds) == (2, 0.75)
    assert counts.records == {"orders": 4}
    assert (counts.events, counts.redeliveries, counts.uncorrelated, counts.skipped) == (3, 1, 4, 5)
    assert counts.undecodable == {"not JSON": 2}
    assert sum(counts.delays) == 2, "one for each partition that brought records"
    assert counts.delays[DELAYS.index(0.5)] == 1
    assert counts.delays[-1] == 1
    assert counts.delay_seconds == pytest.approx(7201.3)


def test_what_is_read_does_not_change_any_more() -> None:
    found = meter()
    before = found.read()
    found.read_again()
    found.failed()
    found.stored([], Written(reasons=("other",)), 0.1, NOON)
    assert (before.batches, before.rereads, before.failures, before.undecodable) == (2, 0, 0, {"not JSON": 2})
    after = found.read()
    assert (after.batches, after.rereads, after.failures) == (3, 1, 1)


def test_a_clock_that_is_ahead_makes_no_negative_delay() -> None:
    found = Meter()
    found.stored([Span(ORDERS, 0, 0, 1, [record(timestamp=at(60))])], Written(), 0.1, NOON)
    assert (found.read().delays[0], found.read().delay_seconds) == (1, 0)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def test_a_collector_serves_its_own() -> None:
    port = free_port()
    with serving(port, "one", meter().read):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            found = series(answer.read().decode())
        assert found["choreoscope_events_stored_total"] == {("one",): 3}
        assert found["choreoscope_record_delay_seconds_count"] == {("one",): 2}
        assert "process_resident_memory_bytes" in found
        with pytest.raises(PortTaken, match=f"port {port} .COLLECTOR_METRICS_PORT."), serving(port, "two", Counts):
            pass
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics")


def test_no_port_no_server() -> None:
    with serving(None, "one", Counts):
        pass


def series(exposed: str) -> dict[str, Series]:
    """Samples by name, and by the values of their labels in order of the labels' names."""
    found: dict[str, Series] = {}
    for family in text_string_to_metric_families(exposed):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(value for _, value in sorted(sample.labels.items()))] = sample.value
    return found


def scrape(client: Client) -> dict[str, Series]:
    shared.clear()
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    return series(answer.content.decode())


@pytest.fixture
def feed() -> Feed:
    """A stuck order; a collector with counts; a partition with a gap that cannot be read."""
    feed = Feed()
    feed.order("stuck", steps=2, ago=60)
    feed.read()
    heartbeats.beat("collector:one", {"partitions": 4, "counts": meter().read()})
    Gap.objects.create(topic_id=feed.topic.row, partition=1, kind=Gap.Kind.GAP, from_offset=3, to_offset=10)
    long_ago = timezone.now() - timedelta(minutes=1)
    End.objects.create(topic_id=feed.topic.row, partition=1, end_offset=7, unreadable_since=long_ago)
    return feed


@pytest.mark.django_db
class TestWeb:
    @pytest.mark.usefixtures("feed")
    def test_everything(self, client: Client) -> None:
        found = scrape(client)
        assert found["choreoscope_records_read_total"] == {("one", "orders"): 4}
        assert found["choreoscope_undecodable_records_total"] == {("one", "not JSON"): 2}
        assert found["choreoscope_record_delay_seconds_bucket"]["one", "+Inf"] == 2
        assert found["choreoscope_record_delay_seconds_bucket"]["one", "1.0"] == 1
        assert found["choreoscope_collector_partitions"]["one",] == 4
        assert found["choreoscope_reading_state"] == {("live",): 1, ("behind",): 0, ("down",): 0}
        assert found["choreoscope_topic_lag_records"] == {("orders",): 7}
        assert 0 <= found["choreoscope_topic_watermark_age_seconds"]["orders",] < 10
        assert found["choreoscope_topic_unreadable_partitions"] == {("orders",): 1}
        assert found["choreoscope_topic_held"] == {("orders",): 0}
        assert found["choreoscope_gaps_total"] == {("gap", "orders"): 1}
        assert found["choreoscope_gap_records_total"] == {("gap", "orders"): 7}
        assert found["choreoscope_alerts"]["stuck",] == 1
        assert found["choreoscope_alerts"]["collector_down",] == 0

    def test_sweeps_add_up(self, client: Client, feed: Feed) -> None:
        before = scrape(client)
        deadlines.sweep(feed.rulebook)
        after = scrape(client)
        assert after["choreoscope_sweeps_total"][()] == before["choreoscope_sweeps_total"][()] + 1
        assert after["choreoscope_sweep_changed_transactions_total"][()] >= 1
        assert 0 <= after["choreoscope_sweep_age_seconds"][()] < 10

    @pytest.mark.usefixtures("feed")
    def test_the_age_of_what_workers_do(self, client: Client) -> None:
        Heartbeat.objects.filter(name="notifications").update(at=timezone.now() - timedelta(seconds=70))
        ages = scrape(client)["choreoscope_work_age_seconds"]
        assert ages.keys() == {("alerts",), ("notifications",), ("beat",)}
        assert 70 <= ages["notifications",] < 90
        assert ages["beat",] < 20

    @pytest.mark.usefixtures("feed")
    def test_collectors_of_the_past_are_left_out(self, client: Client) -> None:
        Heartbeat.objects.filter(name="collector:one").update(at=timezone.now() - timedelta(minutes=6))
        assert ("one",) not in scrape(client)["choreoscope_batches_total"]

    def test_an_empty_database(self, client: Client) -> None:
        assert scrape(client)["choreoscope_reading_state"]["down",] == 1

    @pytest.mark.parametrize("count", [1, 9])
    def test_cost_does_not_grow(
        self, client: Client, feed: Feed, count: int, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(count):
            heartbeats.beat(f"collector:{number}", {"counts": Counts()})
            End.objects.create(topic_id=feed.topic.row, partition=number + 2, end_offset=7)
        shared.clear()
        with django_assert_num_queries(5):
            client.get("/metrics")

    @pytest.mark.usefixtures("feed")
    def test_all_are_documented(self, client: Client) -> None:
        shared.clear()
        exposed = client.get("/metrics").content.decode()
        kinds = dict(re.findall(r"^# TYPE (choreoscope_\S+) (\w+)$", exposed, re.MULTILINE))
        assert kinds == {name: kind for name, kind, _ in documented()}
        labels = {family.name: list(family.samples[0].labels) for family in text_string_to_metric_families(exposed)}
        for name, kind, named in documented():
            assert set(labels[name.removesuffix("_total")]) - {"le"} == set(named), (name, kind)


def documented() -> Iterator[tuple[str, str, list[str]]]:
    """Name, type and labels of each row in the document's table."""
    for name, kind, labels in re.findall(r"^\| `(\S+)` \| (\w+) \| ([^|]*)\|", DOCUMENT.read_text(), re.MULTILINE):
        yield name, kind, re.findall(r"`(\w+)`", labels)
