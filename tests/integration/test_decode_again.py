"""What could not be read or correlated enters its transactions once it can be, and only once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from pytest_django import Settings

from collector import actions
from collector.actions import Kind
from collector.config import Config, current
from collector.config.rules import registered
from collector.models import Event, Payload, Topic, Transaction, Uncorrelated, Undecodable
from tests.builders import cloud_event
from tests.collecting import Collector, Services, log_of, transaction
from tests.stack.brokers import Broker

pytestmark = pytest.mark.usefixtures("empty_database")

BEFORE = "undecodable: {how}\n"
AFTER = BEFORE + "correlation: [{{transaction_id: 'value:order', type: 'value:kind', id: 'value:id'}}]\n"


@pytest.fixture
def file(tmp_path: Path, settings: Settings) -> Path:
    settings.CHOREOSCOPE_CONFIG = tmp_path / "choreoscope.yaml"
    return settings.CHOREOSCOPE_CONFIG


def configure(file: Path, content: str) -> Config:
    file.write_text(content)
    return current(file)


def again(kind: Kind, most: int = 2_000) -> actions.Again:
    from django.conf import settings  # noqa: PLC0415

    return actions.decode_again(kind, registered(current(settings.CHOREOSCOPE_CONFIG).rulebook), most=most)


def plain(order: str, kind: str, name: str) -> bytes:
    return json.dumps({"order": order, "kind": kind, "id": name}).encode()


def send(broker: Broker, services: Services) -> str:
    """Two events that no dialect reads, one of them twice; one without an id of a transaction; and one that is fine."""
    topic = broker.topic("orders")
    services.publish(topic, *cloud_event("OrderPlaced", "o-1", "placed"), partition=0)
    services.publish(topic, value=plain("o-1", "Paid", "paid"), partition=0)
    services.publish(topic, value=plain("o-2", "OrderPlaced", "placed-2"), partition=0)
    services.publish(topic, value=plain("o-1", "Paid", "paid"), partition=0)
    services.publish(topic, *cloud_event("Billed", None, "billed"), value=plain("o-1", "Billed", "billed"), partition=0)
    services.publish(topic, value=b"{never", partition=0)
    services.flush()
    return topic


@pytest.mark.parametrize("how", ["reference", "encrypt"])
def test_what_can_be_read_now_enters_its_transactions_once(broker: Broker, file: Path, how: str) -> None:
    services = Services(broker)
    send(broker, services)
    content = BEFORE.format(how=how)
    configure(file, content)
    with Collector(broker, content) as collector:
        collector.until(lambda: Undecodable.objects.count() == 4 and Uncorrelated.objects.count() == 1, "all of it")
    assert Undecodable.objects.filter(raw__isnull=True).count() == (4 if how == "reference" else 0)
    assert again(Kind.UNDECODABLE).understood == 0, "nothing has changed"
    assert Undecodable.objects.count() == 4
    configure(file, AFTER.format(how=how))
    found = again(Kind.UNDECODABLE)
    assert (found.examined, found.understood, found.gone) == (4, 3, 0)
    assert sorted(found.changed) == ["o-1", "o-2"]
    assert again(Kind.UNCORRELATED).understood == 1
    first = transaction("o-1")
    assert (first.event_count, first.redelivery_count) == (3, 1)
    assert transaction("o-2").event_count == 1
    assert log_of("o-2") == ["started"]
    assert [row.offset for row in Undecodable.objects.all()] == [5]
    assert not Uncorrelated.objects.exists()
    for event in Event.objects.all():
        kept = Payload.objects.filter(topic=event.topic_id, partition=event.partition, offset=event.offset)
        assert kept.count() == 1, "the record is there to be looked at"
    assert (again(Kind.UNDECODABLE).understood, again(Kind.UNCORRELATED).understood) == (0, 0)
    assert transaction("o-1").event_count == 3


def test_many_at_once_let_nothing_in_twice(broker: Broker, file: Path) -> None:
    services, topic = Services(broker), broker.topic("orders")
    for n in range(60):
        services.publish(topic, value=plain(f"o-{n % 7}", "Paid", f"p-{n}"))
    services.flush()
    configure(file, BEFORE.format(how="encrypt"))
    with Collector(broker, BEFORE.format(how="encrypt")) as collector:
        collector.until(lambda: Undecodable.objects.count() == 60, "all of it")
    configure(file, AFTER.format(how="encrypt"))

    def in_thread(_: int) -> int:
        try:
            return again(Kind.UNDECODABLE).understood
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(in_thread, range(4))) == 60
    assert sum(Transaction.objects.values_list("event_count", flat=True)) == 60
    assert sum(Transaction.objects.values_list("redelivery_count", flat=True)) == 0


def test_a_record_that_is_another_one_now_stays_out(broker: Broker, file: Path) -> None:
    services = Services(broker)
    send(broker, services)
    configure(file, "")
    with Collector(broker, "") as collector:
        collector.until(lambda: Undecodable.objects.count() == 4, "all of it")
    configure(file, AFTER.format(how="reference"))
    Topic.objects.update(uid="made anew")
    found = again(Kind.UNDECODABLE)
    assert (found.understood, found.gone) == (0, 4)
    assert again(Kind.UNCORRELATED).understood == 1, "what is stored of an event serves where Kafka cannot"


def test_the_command_and_the_button(
    broker: Broker, file: Path, operator: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    services = Services(broker)
    topic = send(broker, services)
    configure(file, "")
    with Collector(broker, "") as collector:
        collector.until(lambda: Undecodable.objects.count() == 4, "all of it")
    configure(file, AFTER.format(how="reference"))
    call_command("decode_again", "--topic", "another", "--kind", "undecodable")
    assert "undecodable: 0 looked at" in capsys.readouterr().out
    call_command("decode_again", "--topic", topic, "--kind", "undecodable", "--most", "2")
    assert "undecodable: 2 looked at, 1 understood now" in capsys.readouterr().out
    page = operator.get("/ingestion").content.decode()
    assert "Decode again" in page
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = operator.cookies
    assert strict.post("/ingestion/again", {"list": "undecodable"}).status_code == 403
    said = operator.post("/ingestion/again", {"list": "undecodable"}, headers={"HX-Request": "true"}).content.decode()
    assert "The newest 3 were looked at: 2 are understood now." in said
    answer = operator.post("/ingestion/again", {"list": "uncorrelated"})
    assert "The newest 1 were looked at: 1 is understood now." in answer.content.decode()
    assert operator.get("/ingestion/again").status_code == 405
    assert transaction("o-1").event_count == 3
