"""A database that refuses a record, goes away and comes back, or will never do again what it did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import redis
from django.db import connection

from collector.models import Event, Payload, Progress, Undecodable
from dashboard.parts import redis as embedded_redis
from tests.collecting import Collector, Services, ids_of_events, transaction
from tests.integration.reliability.processes import Collectors
from tests.stack.brokers import Broker
from tests.stack.waiting import poll_until

REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'this one not' USING ERRCODE = '{code}';
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON collector_event FOR EACH ROW WHEN (NEW.event_id LIKE 'poison%')
    EXECUTE FUNCTION refuse()
"""


@contextmanager
def refusing(code: str) -> Iterator[None]:
    """The database raises an error of this code for events named poison…"""
    with connection.cursor() as cursor:
        cursor.execute(REFUSE.format(code=code))
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION refuse() CASCADE")


@pytest.mark.usefixtures("empty_database")
@pytest.mark.parametrize("code", ["22P02", "23505", "54000"])
def test_a_record_that_the_database_refuses_is_isolated(broker: Broker, code: str) -> None:
    topic, services = broker.topic("orders", partitions=2), Services(broker)
    with refusing(code), Collector(broker) as collector:
        for i in range(60):
            name = f"poison-{i}" if i in {0, 31, 59} else f"event-{i}"
            services.event(topic, "OrderPlaced", f"order-{i % 5}", name=name, partition=i % 2)
        services.flush()
        collector.until(lambda: Payload.objects.count() + Undecodable.objects.count() == 60, "all records")
        assert set(Progress.objects.values_list("next_offset", flat=True)) == {30}
        # the way on is free
        services.event(topic, "OrderPlaced", "order-5")
        services.flush()
        collector.until(lambda: transaction("order-5").event_count == 1, "what came later")
    assert len([name for name in ids_of_events() if name.startswith("event-")]) == 57
    refused = Undecodable.objects.order_by("partition", "offset")
    assert [(row.partition, row.offset) for row in refused] == [(0, 0), (1, 15), (1, 29)]
    assert {row.reason for row in refused} == {"not storable"}
    assert all(code in row.detail and "this one" not in row.detail for row in refused)


@pytest.mark.usefixtures("empty_database")
def test_what_the_database_refuses_for_lack_of_a_partition_is_stored_once_there_is_one(broker: Broker) -> None:
    topic, services = broker.topic("orders", partitions=1), Services(broker)
    with Collector(broker) as collector:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'collector_event'::regclass"
            )
            for (table,) in cursor.fetchall():
                cursor.execute(f"DROP TABLE {table}")
        services.event(topic, "OrderPlaced", "order-1", name="event-1")
        services.flush()
        collector.until_read(1)
    assert ids_of_events() == ["event-1"]


@pytest.mark.parametrize(
    ("harm", "remedy", "sentence"),
    [
        (
            "ALTER TABLE collector_uncorrelated RENAME TO gone",
            "ALTER TABLE gone RENAME TO collector_uncorrelated",
            "run `manage.py migrate`",
        ),
        (
            "ALTER TABLE collector_transaction RENAME COLUMN phase TO gone",
            "ALTER TABLE collector_transaction RENAME COLUMN gone TO phase",
            "run `manage.py migrate`",
        ),
    ],
)
def test_what_no_retry_can_cure_stops_the_collector_with_a_sentence(
    broker: Broker, collectors: Collectors, harm: str, remedy: str, sentence: str
) -> None:
    topic, services = broker.topic("orders", partitions=1), Services(broker)
    services.event(topic, "OrderPlaced", "order-1")
    services.flush()
    with collectors.running() as collector:
        poll_until(Event.objects.exists, 30, "the first event")
        with connection.cursor() as cursor:
            cursor.execute(harm)
            try:
                services.event(topic, "OrderPlaced", "order-1")
                services.event(topic, "OrderPlaced", "")
                services.flush()
                assert collector.await_end() == 1
            finally:
                cursor.execute(remedy)
        last = collector.said().strip().splitlines()[-1]
        assert last.startswith("CommandError: The database has not the")
        assert sentence in last
    with collectors.running():
        poll_until(lambda: Payload.objects.count() == 3, 30, "what came meanwhile")


def test_while_redis_is_away_everything_is_stored_and_when_it_is_back_browsers_are_told(
    broker: Broker, collectors: Collectors, tmp_path: Path
) -> None:
    topic, services = broker.topic("orders", partitions=1), Services(broker)

    def send() -> None:
        services.event(topic, "OrderPlaced", "order-1")
        services.flush()

    def told(url: str) -> bool:
        send()
        with redis.Redis.from_url(url) as client, client.pubsub() as heard:
            heard.psubscribe("choreoscope*")
            heard.get_message(timeout=1)
            send()
            return heard.get_message(timeout=2) is not None

    folder = tmp_path / "redis"
    with ExitStack() as server:
        url = server.enter_context(embedded_redis.running(folder))
        with collectors.running(REDIS_URL=url) as collector:
            poll_until(lambda: told(url), 30, "browsers to be told")
            server.close()
            before = Payload.objects.count()
            for _ in range(5):
                send()
            poll_until(lambda: Payload.objects.count() >= before + 5, 5, "what came meanwhile")
            collector.await_words("browsers were not told of changes")
            with embedded_redis.running(folder):
                poll_until(lambda: told(url), 30, "browsers to be told again")
