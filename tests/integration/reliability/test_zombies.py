"""Collectors that freeze in the middle of a database transaction, and come to life again when nobody needs them."""

from __future__ import annotations

import signal

import pytest
from django.db.models import Sum

from collector.models import Payload, Topic, Transaction
from collector.storage.store import database_now
from tests.collecting import Services, ids_of_events
from tests.integration.reliability.processes import FREEZING, Collectors
from tests.stack.brokers import Broker
from tests.stack.waiting import poll_until


@pytest.mark.parametrize("where", ["between", "within"])
def test_a_frozen_collector_is_replaced_and_does_no_harm_when_it_wakes(
    broker: Broker, collectors: Collectors, where: str
) -> None:
    """Frozen between two statements, the server ends its session; within one, whoever waits for it does."""
    topic, services, sent = broker.topic("orders", partitions=2), Services(broker), []

    def send(count: int) -> None:
        for _ in range(count):
            number = len(sent)
            name = f"event-{number}"
            sent.append(services.event(topic, "OrderPlaced", f"order-{number % 3}", name=name, partition=number % 2))
        services.flush()

    def await_stored(by: str) -> None:
        poll_until(lambda: Payload.objects.count() == len(sent), 40, f"{len(sent)} records {by}")

    send(20)
    with collectors.running(*FREEZING, FREEZE=where) as zombie:
        zombie.await_frozen()
        send(20)
        with collectors.running() as heir:
            await_stored("by the heir")
            frozen = database_now()
            poll_until(Topic.objects.filter(watermark__gt=frozen).exists, 30, "watermarks that the heir takes")
            zombie.signal(signal.SIGCONT)
            zombie.await_words("reading waits")
            send(20)
            await_stored("after the zombie woke")
            assert ("ended the database sessions" in heir.said()) == (where == "within")
        send(20)
        await_stored("by the one who had been frozen")
    assert ids_of_events() == sorted(sent)
    assert Transaction.objects.aggregate(n=Sum("event_count"), again=Sum("redelivery_count")) == {"n": 80, "again": 0}
