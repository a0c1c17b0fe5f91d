"""The transaction id is found in topics as they are, and what is suggested makes the collector find it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from collector import queries
from collector.kafka import Bounds, Cluster, lookup
from collector.models import Transaction
from collector.records import TopicRef
from dashboard.pages.shared import shared
from tests.builders import cloud_event
from tests.collecting import Collector, Services
from tests.stack.brokers import Broker

pytestmark = pytest.mark.usefixtures("empty_database")

ORDERS = 30


@pytest.fixture
def topics(broker: Broker, tmp_path: Path, settings: Settings) -> Iterator[dict[str, str]]:
    """Three topics with the order's number in three places; one carries it as CloudEvents do."""
    shared.clear()
    settings.CHOREOSCOPE_CONFIG = tmp_path / "choreoscope.yaml"
    settings.CHOREOSCOPE_CONFIG.write_text(f"topics: {{include: ['^{broker.prefix}']}}\nredact: ['value:secret']\n")
    names = {name: broker.topic(name) for name in ("shop", "legacy", "payments")}
    services = Services(broker)
    for n in range(ORDERS):
        number = f"o-{n}"
        value = json.dumps({"orders": [{"number": number}], "secret": number}).encode()
        services.event(names["shop"], "OrderPlaced", number)
        services.publish(names["legacy"], value=value)
        services.publish(names["payments"], ("x-order", number.encode()))
    services.flush()
    yield names
    shared.clear()


def test_what_is_suggested_makes_the_collector_find_it(
    broker: Broker, topics: dict[str, str], settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    found = queries.suggest(20)
    assert {topic.name: (topic.records, topic.correlated) for topic in found.topics} == {
        topics["shop"]: (ORDERS, ORDERS),
        topics["legacy"]: (ORDERS, 0),
        topics["payments"]: (ORDERS, 0),
    }
    best = {place.topic: place.path for place in found.candidates[0].found}
    assert best == {
        topics["shop"]: "header:ce_correlationid",
        topics["legacy"]: "value:orders[*].number",
        topics["payments"]: "header:x-order",
    }
    call_command("suggest_correlation", "--seconds", "20")
    said = capsys.readouterr().out
    assert found.yaml in said
    assert f"{topics['shop']}: {ORDERS} of {ORDERS} records have a transaction id" in said
    settings.CHOREOSCOPE_CONFIG.write_text(f"{settings.CHOREOSCOPE_CONFIG.read_text()}{found.yaml}\n")
    with Collector(broker, found.yaml) as collector:
        collector.until_read(3 * ORDERS)
    assert set(Transaction.objects.values_list("event_count", flat=True)) == {3}
    assert queries.suggest(20).yaml == ""


def test_the_page_shows_it(topics: dict[str, str], client: Client) -> None:
    said = client.get("/ingestion/suggestion").content.decode()
    assert "90 records of 3 topics looked into" in said
    assert "value:orders[*].number" in said
    assert "value:secret" not in said


def test_without_kafka_the_command_says_so(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.KAFKA = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}
    monkeypatch.setattr("collector.kafka.cluster._TIMEOUT", 0.5)
    with pytest.raises(CommandError, match="Kafka does not answer"):
        call_command("suggest_correlation")


def test_a_lookup_reads_what_is_there_and_joins_no_group(broker: Broker) -> None:
    topic, services = broker.topic("orders"), Services(broker)
    for n in range(5):
        services.publish(topic, *cloud_event(name=str(n)), partition=0)
    services.flush()
    ref, properties = {topic: TopicRef(1, "c", topic, topic)}, {"bootstrap.servers": broker.bootstrap}

    def offsets(*bounds: tuple[int, int]) -> list[int]:
        wanted = {(topic, 0): [Bounds(*one) for one in bounds]}
        return [record.offset for record in lookup(properties, wanted, ref, 20)]

    assert offsets((1, 4)) == [1, 2, 3]
    assert offsets((3, 99)) == [3, 4]
    assert offsets((50, 60)) == []
    assert offsets((2, 2), (3, 4)) == [3]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["collector.kafka.lookup"], "_NEAR", 0)
        assert offsets((0, 1), (3, 5), (50, 60)) == [0, 3, 4]
    if broker.is_real:
        groups = broker.admin().list_consumer_groups().result()
        assert not [group for group in groups.valid if group.group_id.startswith("choreoscope-lookup")]
    assert Cluster(properties).bounds([(topic, 0)])[topic, 0].end == 5
