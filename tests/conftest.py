"""Fixtures of the local stack. Each part starts when a test first asks for it, and is shared by all that follow."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import NoReturn

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck
from hypothesis import settings as trying
from pytest_django import DjangoDbBlocker, Settings

from collector.storage import partitions
from dashboard.accounts.roles import Role, add_user
from dashboard.parts import broker as embedded_broker
from dashboard.parts import postgres as embedded_postgres
from dashboard.parts import redis as embedded_redis
from tests.stack import kafka as apache_kafka
from tests.stack import place
from tests.stack.brokers import Broker

# How long an example takes depends on what else runs: speed is measured in benchmarks.
trying.register_profile("untimed", parent=trying(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
trying.load_profile("untimed")

IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}


def missing(sentence: str) -> NoReturn:
    """A real part is not there: at home a test is skipped, and says so; where all is to be tested, it fails."""
    if IN_CI:
        pytest.fail(sentence)
    pytest.skip(sentence)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of PostgreSQL: TEST_DATABASE_URL, or the embedded one, with its data in this run's folder."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    with embedded_postgres.running(place.POSTGRES, durable=False) as url:
        yield url


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgres: str) -> None:
    """pytest-django asks for this before it makes the test database: the server has to be there by then."""


@pytest.fixture(scope="session")
def day_tables(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """The partitions of the tables that are kept by day."""
    with django_db_blocker.unblock():
        partitions.ensure_ahead(timezone.now().date())


@pytest.fixture
def empty_database(transactional_db: None, day_tables: None) -> None:
    """A database in which what one process commits, others see. Django empties only the tables that it made itself."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(partitions.TABLES)}")


@pytest.fixture
def operator(db: None) -> Client:
    """A browser of somebody who may change things: ada."""
    client = Client()
    client.force_login(add_user("ada", "a long enough word", Role.OPERATOR))
    return client


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with embedded_redis.running(place.REDIS) as url:
        yield url


@pytest.fixture(scope="session")
def kafka() -> Iterator[apache_kafka.Server]:
    """A real Apache Kafka in KRaft mode, one for the whole run. It may be started anew, but keeps its addresses."""
    try:
        server = apache_kafka.Server(place.FOLDER / "kafka", secure=True)
    except apache_kafka.KafkaMissing as error:
        missing(str(error))
    try:
        server.start()
        yield server
    finally:
        server.stop(signal.SIGKILL)  # nobody wants its data any more


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka: apache_kafka.Server) -> str:
    """The address of Apache Kafka."""
    return kafka.bootstrap


@pytest.fixture
def embedded_bootstrap() -> Iterator[str]:
    """The address of an embedded broker, empty and for this test alone."""
    with embedded_broker.running() as bootstrap:
        yield bootstrap


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest, settings: Settings) -> Broker:
    """The embedded broker, then Apache Kafka: a test that takes this runs on both, and the settings point at it."""
    kind: str = request.param
    bootstrap: str = request.getfixturevalue("kafka_bootstrap" if kind == "kafka" else "embedded_bootstrap")
    settings.KAFKA = {"bootstrap.servers": bootstrap}
    return Broker(kind, bootstrap)


@pytest.fixture
def bootstrap(broker: Broker) -> str:
    return broker.bootstrap
