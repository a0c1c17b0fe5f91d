"""A value that is to be masked, sent in every place that a record has, is nowhere to be found afterwards."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import fastavro
import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from collector.models import Event, FailedDelivery, Payload, Transaction, Uncorrelated, Undecodable
from collector.records import unpack_headers
from collector.registry import client as registry_client
from tests.builders import Header, cloud_event
from tests.collecting import CONFIG, Collector, Services
from tests.stack import registry as stack
from tests.stack.brokers import Broker

pytestmark = pytest.mark.usefixtures("empty_database")

CANARY = "canary-4111-1111-1111-1111"
SECRET = CANARY.encode()
RULES = """
redact:
  - "value:**.card_number"
  - "value:**.address.*"
  - "header:authorization"
  - "header:x-secret-*"
keys: ["value:card_number", "value:order", "header:authorization"]
impact: "value:card_number"
correlation:
  - {topics: "legacy$", transaction_id: ["value:card_number", "value:order"], type: "header:authorization"}
overrides:
  - {topics: "typed$", redact: ["header:ce_type", "header:ce_s*t", "header:ce_source", "header:ce_*id", "key",
                                "header:traceparent"]}
  - {topics: "sealed$", undecodable: encrypt}
  - {topics: "silent$", payloads: none}
"""


@pytest.fixture
def configuration(tmp_path: Path, settings: Settings) -> str:
    """The collector's and the pages'; the rules of choreographies stand beside."""
    settings.CHOREOSCOPE_CONFIG = tmp_path / "choreoscope.yaml"
    settings.CHOREOSCOPE_CONFIG.write_text(RULES + CONFIG)
    return RULES + CONFIG


AVRO = {
    "type": "record",
    "name": "Card",
    "fields": [{"name": "card_number", "type": "string"}, {"name": "order", "type": "int"}],
}


@pytest.fixture
def registry() -> Iterator[stack.Registry]:
    with stack.running() as running:
        yield running


def in_avro(registry: stack.Registry) -> bytes:
    number: int = registry.register(AVRO)["id"]
    out = io.BytesIO(b"\x00" + number.to_bytes(4, "big"))
    out.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(out, AVRO, {"card_number": CANARY, "order": 1})
    return out.getvalue()


def send(broker: Broker, services: Services, registry: stack.Registry) -> int:
    """Everything with the value in it; returns how many records."""
    card = {"card_number": CANARY, "order": 1, "address": {"street": CANARY, "lines": [CANARY]}}
    value = json.dumps(card).encode()
    encoded = base64.b64encode(value).decode()
    structured: Header = ("content-type", b"application/cloudevents+json")
    batch: Header = ("content-type", b"application/cloudevents-batch+json")
    part = {"specversion": "1.0", "id": "s-1", "source": "/s/a", "type": "OrderPlaced", "correlationid": "order-2"}
    records: list[tuple[str, tuple[Header, ...], bytes]] = [
        ("orders", (*cloud_event(name="a"), ("Authorization", SECRET), ("x-secret-1", SECRET)), value),
        ("orders", (*cloud_event(name="a"), ("authorization", SECRET)), value),  # a redelivery
        ("orders", cloud_event(name="b"), json.dumps({"deep": [{"card_number": [CANARY]}]}).encode()),
        ("orders", cloud_event(name="c"), json.dumps({"text": json.dumps(card)}).encode()),
        ("orders", cloud_event(name="d"), b'{"card_number": "' + SECRET),  # broken JSON
        ("orders", cloud_event(name="e"), SECRET),
        ("orders", cloud_event(name="f"), b"<card>" + SECRET + b"</card>"),
        ("orders", cloud_event(name="g"), b"\x00\x00\x00\x00\x07" + SECRET),  # of a schema that nobody knows
        ("orders", cloud_event(name="h"), b"\xff\xfe" + SECRET),
        ("orders", cloud_event(name="avro"), in_avro(registry)),
        ("legacy", (), in_avro(registry)),
        ("orders.dlq", (*cloud_event(name="a"), ("x-secret-error", SECRET)), value),
        ("orders", (structured,), json.dumps(part | {"data": card}).encode()),
        ("orders", (structured,), json.dumps(part | {"id": "s-2", "data_base64": encoded}).encode()),
        ("orders", (structured,), SECRET),
        ("orders", (structured,), b'{"specversion": "' + SECRET),
        ("orders", (batch,), json.dumps([part | {"id": "s-3", "data": card}, card]).encode()),
        ("orders", cloud_event(name="i", transaction=None), value),  # uncorrelated
        ("orders", (), value),  # no dialect
        ("orders", (), b"{" + SECRET),
        ("typed", (*cloud_event(CANARY, CANARY, CANARY, CANARY, causes=[CANARY]), ("ce_subject", SECRET),
                   ("traceparent", SECRET)), value),
        ("legacy", (("authorization", SECRET),), value),
        ("sealed", (), SECRET),
        ("silent", (*cloud_event(name="j"), ("unmasked", SECRET)), json.dumps({"unmasked": CANARY}).encode()),
    ]  # fmt: skip
    topics = {name: broker.topic(name) for name in ("orders", "typed", "legacy", "sealed", "silent", "orders.dlq")}
    for name, headers, content in records:
        services.publish(topics[name], *headers, value=content, partition=0)
    services._producer.produce(topics["typed"], value, key=SECRET, headers=list(cloud_event(CANARY)), partition=0)
    services.flush()
    return len(records) + 1


def dump() -> Iterator[tuple[str, str]]:
    """Every row of every table as text; bytes in there as hexadecimal digits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            yield from ((table, row) for (row,) in cursor.fetchall())


def answers(client: Client) -> Iterator[tuple[str, str]]:
    """All that pages and the API say, by their address."""
    addresses = ["/", "/transactions", "/alerts", "/ingestion?list=undecodable", "/ingestion?list=uncorrelated",
                 "/live/overview", "/live/overview.json", "/api/transactions", "/api/alerts", "/api/ingestion",
                 "/metrics", "/readyz", "/transactions?key=1", "/ingestion/suggestion"]  # fmt: skip
    for row in Transaction.objects.all():
        name = quote(row.transaction_id, safe="")
        addresses += [f"/transactions/{name}", f"/api/transactions/{name}", f"/live/drawing/{name}"]
        for event in Event.objects.filter(transaction=row.pk):
            addresses.append(f"/live/event/{name}?" + urlencode({"source": event.source, "event": event.event_id}))
    for address in addresses:
        response = client.get(address)
        assert response.status_code in (200, 503), address
        yield address, response.content.decode()


def hidden_in(text: str) -> bool:
    forms = (CANARY, SECRET.hex(), base64.b64encode(SECRET).decode()[:30])
    return any(form.lower() in text.lower() for form in forms)


def test_a_masked_value_reaches_nobody(
    broker: Broker, registry: stack.Registry, configuration: str, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "collector")
    services = Services(broker)
    sent = send(broker, services, registry)

    def read() -> bool:
        # one is not to be stored, and one is a failed delivery
        return Payload.objects.count() + Undecodable.objects.count() >= sent - 2

    with Collector(broker, configuration, schemas=registry_client.Registry({"url": registry.url})) as collector:
        collector.until(read, "all records")
    assert Transaction.objects.filter(transaction_id="order-1").exists()
    assert Uncorrelated.objects.count() >= 2
    assert Undecodable.objects.filter(raw__isnull=False).count() == 1
    assert FailedDelivery.objects.count() == 1
    avro = Payload.objects.get(offset=Event.objects.get(event_id="avro").offset, topic__name__endswith="-orders")
    assert json.loads(bytes(avro.value)) == {"card_number": "***", "order": 1}
    assert [(table, row) for table, row in dump() if hidden_in(row)] == []
    assert [address for address, said in answers(client) if hidden_in(said)] == []
    assert not hidden_in(caplog.text)


def test_what_is_not_to_be_masked_is_found(broker: Broker, registry: stack.Registry, client: Client) -> None:
    """Otherwise finding nothing would prove nothing."""
    services = Services(broker)
    send(broker, services, registry)
    with Collector(broker) as collector:
        collector.until(lambda: Payload.objects.count() >= 12, "records")
    assert {"collector_payload", "collector_event", "collector_transaction"} <= {
        table.rsplit("_2", 1)[0] for table, row in dump() if hidden_in(row)
    }
    assert any(hidden_in(said) for _, said in answers(client))
    assert any(hidden_in(str(unpack_headers(bytes(row.headers)))) for row in Payload.objects.all())
