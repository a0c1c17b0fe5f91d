"""What other people's services write, by their conventions and encodings, told as one story by configuration alone."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from typing import Any

import fastavro
import pytest
from django.test import Client

from collector.models import Event, Progress, Undecodable
from collector.registry import client as registry_client
from tests.collecting import Collector, Services, ids_of_events, transaction
from tests.stack import registry as stack
from tests.stack.brokers import Broker

pytestmark = pytest.mark.usefixtures("empty_database")

CONFIG = """
correlation:
  - {topics: "legacy", transaction_id: "value:orders[*].number", type: "header:eventName", service: "value:meta.app"}
  - {topics: "shipments", transaction_id: "value:order.number", type: "value:what", service: "text:shipping"}
  - {topics: "outbox", transaction_id: key, service: "text:billing"}
choreographies:
  order:
    starts: [OrderPlaced]
    completes: [Sales.OrderClosed]
    rules:
      - {after: OrderPlaced, expect: ShipmentScheduled, from: shipping, within: 1h}
"""
SHIPMENT = {
    "type": "record",
    "name": "Shipment",
    "fields": [
        {"name": "what", "type": "string"},
        {
            "name": "order",
            "type": {"type": "record", "name": "Order", "fields": [{"name": "number", "type": "string"}]},
        },
    ],
}


@pytest.fixture
def registry() -> Iterator[stack.Registry]:
    with stack.running() as running:
        yield running


def shipment(registry: stack.Registry, order: str) -> bytes:
    number: int = registry.register(SHIPMENT, subject="shipments-value")["id"]
    out = io.BytesIO(b"\x00" + number.to_bytes(4, "big"))
    out.seek(0, io.SEEK_END)
    fastavro.schemaless_writer(out, SHIPMENT, {"what": "ShipmentScheduled", "order": {"number": order}})
    return out.getvalue()


def legacy(**content: Any) -> bytes:
    return json.dumps(content).encode()


def test_five_dialects_and_encodings_tell_one_story(broker: Broker, registry: stack.Registry, client: Client) -> None:
    services = Services(broker)
    outbox = broker.topic("outbox")
    services.event(broker.topic("orders"), "OrderPlaced", "order-1", name="e1")
    services.publish(
        broker.topic("legacy"),
        ("eventName", b"StockReserved"),
        value=legacy(orders=[{"number": "order-1"}, {"number": "order-2"}], meta={"app": "warehouse"}),
    )
    services.publish(outbox, ("id", b"e3"), ("eventType", b"InvoiceSent"), ("event-id", b"e3"), key=b"order-1")
    services.publish(broker.topic("shipments"), value=shipment(registry, "order-1"))
    services.publish(
        broker.topic("sales"),
        ("NServiceBus.MessageId", b"e5"),
        ("NServiceBus.ConversationId", b"order-1"),
        ("NServiceBus.RelatedTo", b"e1"),
        ("NServiceBus.EnclosedMessageTypes", b"Sales.OrderClosed, Sales, Version=1.0.0.0"),
        ("NServiceBus.OriginatingEndpoint", b"Sales"),
    )
    services.flush()
    with Collector(broker, CONFIG, schemas=registry_client.Registry({"url": registry.url})) as collector:
        collector.until_read(5)
    story = transaction("order-1")
    assert (story.event_count, story.choreography, story.phase) == (5, "order", "completed")
    assert {(event.type, event.service) for event in Event.objects.filter(transaction=story.pk)} == {
        ("OrderPlaced", "order"),
        ("StockReserved", "warehouse"),
        ("InvoiceSent", "billing"),
        ("ShipmentScheduled", "shipping"),
        ("Sales.OrderClosed", "Sales"),
    }
    assert transaction("order-2").event_count == 1
    page = client.get("/transactions/order-1").content.decode()
    for kind in ("OrderPlaced", "StockReserved", "InvoiceSent", "ShipmentScheduled", "Sales.OrderClosed"):
        assert kind in page


def test_a_registry_that_does_not_answer_stops_no_other_topic_and_loses_nothing(
    broker: Broker, registry: stack.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_client, "PATIENCE", 0.5)
    shipments, orders, services = broker.topic("shipments"), broker.topic("orders"), Services(broker)
    registry.silent = True
    schemas = registry_client.Registry({"url": registry.url})
    with Collector(broker, CONFIG, schemas=schemas) as collector:
        for number in range(20):
            services.publish(shipments, value=shipment(registry, f"order-{number}"), partition=0)
        services.flush()
        collector.until(lambda: Undecodable.objects.count() == 20, "what waits for its schema")
        began = time.monotonic()
        sent = [services.event(orders, "OrderPlaced", f"order-{number}") for number in range(20)]
        services.flush()
        collector.until_read(20)
        assert time.monotonic() - began < 15
        assert ids_of_events() == sorted(sent)
        assert set(Undecodable.objects.values_list("reason", flat=True)) == {registry_client.AWAY}
        assert Progress.objects.get(topic__name=shipments, partition=0).next_offset == 20
        registry.silent = False
        services.publish(shipments, value=shipment(registry, "order-1"), partition=0)
        services.flush()
        collector.until(lambda: Progress.objects.get(topic__name=shipments, partition=0).next_offset == 21, "one more")
