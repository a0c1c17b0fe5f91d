"""All of these tests run on Apache Kafka, and most with collectors as processes of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from tests.integration.reliability.processes import Collectors
from tests.stack.brokers import Broker


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.kafka)


@pytest.fixture
def broker(kafka_bootstrap: str, settings: Settings) -> Broker:
    settings.KAFKA = {"bootstrap.servers": kafka_bootstrap}
    return Broker("kafka", kafka_bootstrap)


@pytest.fixture
def collectors(broker: Broker, empty_database: None, tmp_path: Path) -> Collectors:
    return Collectors(broker, tmp_path)
