"""Logging in, encryption and rights: KAFKA_CONFIG_…, the recipe of docs/kafka.md, and what is said where it lacks."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)
from django.utils import timezone

from collector import queries
from collector.health.liveness import TopicState
from collector.models import Payload
from tests.collecting import Services
from tests.integration.reliability.processes import Collectors
from tests.stack.brokers import Broker
from tests.stack.kafka import USERS, Server
from tests.stack.waiting import poll_until

Right = tuple[ResourceType, AclOperation]

READ_TOPICS: Right = (ResourceType.TOPIC, AclOperation.READ)
DESCRIBE_TOPICS: Right = (ResourceType.TOPIC, AclOperation.DESCRIBE)
READ_GROUP: Right = (ResourceType.GROUP, AclOperation.READ)


def allow(broker: Broker, user: str, rights: Iterable[Right]) -> None:
    """Allows a user something on all topics or groups whose names have the test's prefix."""
    admin = broker.admin()
    for resource, operation in rights:
        where = (resource, broker.prefix, ResourcePatternType.PREFIXED)
        binding = AclBinding(*where, f"User:{user}", "*", operation, AclPermissionType.ALLOW)
        admin.create_acls([binding])[binding].result(30)


def login(user: str, secret: str = "", way: str = "SASL_PLAINTEXT") -> dict[str, str]:
    return {
        "security.protocol": way,
        "sasl.mechanism": "PLAIN",
        "sasl.username": user,
        "sasl.password": secret or USERS[user],
    }


def states() -> dict[str, TopicState]:
    return {topic.name: state for topic, state in queries.readiness(timezone.now()).liveness.topics}


def send(broker: Broker, topic: str) -> None:
    services = Services(broker)
    services.event(topic, "OrderPlaced", "order-1")
    services.flush()


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "TLS"])
def test_to_read_takes_no_more_rights_than_the_recipe_says(
    broker: Broker, collectors: Collectors, kafka: Server, encrypted: bool
) -> None:
    topic = broker.topic("orders", partitions=1)
    send(broker, topic)
    allow(broker, "reader", [READ_TOPICS, READ_GROUP])
    properties = login("reader", way="SASL_SSL" if encrypted else "SASL_PLAINTEXT")
    if encrypted:
        properties["ssl.ca.location"] = str(kafka.authority)
    address = kafka.tls if encrypted else kafka.sasl
    with collectors.running(properties=properties, KAFKA_BOOTSTRAP_SERVERS=address) as collector:
        poll_until(lambda: Payload.objects.count() == 1, 30, "the record")
        send(broker, topic)
        poll_until(lambda: Payload.objects.count() == 2, 30, "the next record")
        assert "Kafka refuses" not in collector.said()


def test_without_a_right_on_the_group_it_stops_and_names_the_group(
    broker: Broker, collectors: Collectors, kafka: Server
) -> None:
    broker.topic("orders", partitions=1)
    allow(broker, "stranger", [READ_TOPICS])
    with collectors.running(properties=login("stranger"), KAFKA_BOOTSTRAP_SERVERS=kafka.sasl) as collector:
        assert collector.await_end() == 1
        last = collector.said().strip().splitlines()[-1]
    assert "the right Read on the group is missing (docs/kafka.md)" in last
    assert f"{broker.prefix}collector" in last


def test_without_a_right_on_a_topic_it_names_the_topic_and_reads_the_others(
    broker: Broker, collectors: Collectors, kafka: Server
) -> None:
    closed, opened = broker.topic("closed", partitions=1), broker.topic("opened", partitions=1)
    for topic in (closed, opened):
        send(broker, topic)
    allow(broker, "stranger", [DESCRIBE_TOPICS, READ_GROUP])
    admin = broker.admin()
    where = (ResourceType.TOPIC, opened, ResourcePatternType.LITERAL)
    binding = AclBinding(*where, "User:stranger", "*", AclOperation.READ, AclPermissionType.ALLOW)
    admin.create_acls([binding])[binding].result(30)
    with collectors.running(properties=login("stranger"), KAFKA_BOOTSTRAP_SERVERS=kafka.sasl) as collector:
        poll_until(lambda: Payload.objects.count() == 1, 30, "the record of the other topic")
        collector.await_words("the right Read on a topic is missing")
        assert closed in collector.said()
        poll_until(
            lambda: states() == {closed: TopicState.FORBIDDEN, opened: TopicState.READ}, 15, "who may not be read"
        )
        assert queries.readiness(timezone.now()).liveness.troubles[0].names == closed
        send(broker, opened)
        poll_until(lambda: Payload.objects.count() == 2, 30, "the next record of the other topic")
        allow(broker, "stranger", [READ_TOPICS])
        poll_until(lambda: Payload.objects.count() == 3, 30, "the record of the topic that may be read now")
        poll_until(lambda: set(states().values()) == {TopicState.READ}, 15, "all to be read")


def test_without_a_right_to_see_any_topic_it_says_so(broker: Broker, collectors: Collectors, kafka: Server) -> None:
    broker.topic("orders", partitions=1)
    allow(broker, "stranger", [READ_GROUP])
    with collectors.running(properties=login("stranger"), KAFKA_BOOTSTRAP_SERVERS=kafka.sasl) as collector:
        collector.await_words("or the right Describe on them is missing (docs/kafka.md)")


@pytest.mark.parametrize(
    ("properties", "sentence"),
    [
        (login("reader", "wrong"), "Kafka does not let us log in (KAFKA_CONFIG_SASL_…)"),
        ({"no.such.property": "1"}, "The Kafka client does not understand its settings (KAFKA_CONFIG_…)"),
    ],
    ids=["wrong password", "wrong setting"],
)
def test_who_may_not_come_in_is_told(
    broker: Broker, collectors: Collectors, kafka: Server, properties: dict[str, str], sentence: str
) -> None:
    with collectors.running(properties=properties, KAFKA_BOOTSTRAP_SERVERS=kafka.sasl) as collector:
        assert collector.await_end(40) == 1
        assert sentence in collector.said().strip().splitlines()[-1]


def test_a_certificate_that_nobody_vouches_for_is_refused(
    broker: Broker, collectors: Collectors, kafka: Server
) -> None:
    properties = login("reader", way="SASL_SSL")
    with collectors.running(properties=properties, KAFKA_BOOTSTRAP_SERVERS=kafka.tls) as collector:
        assert collector.await_end(40) == 1
        assert "No encrypted connection to Kafka comes about" in collector.said().strip().splitlines()[-1]
