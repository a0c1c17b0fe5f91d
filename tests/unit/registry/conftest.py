"""A schema registry of the tests' own, and its client with a clock that they set."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from collector.registry import client
from tests.stack import registry as stack
from tests.unit.registry.written import Clock


@pytest.fixture
def registry() -> Iterator[stack.Registry]:
    with stack.running() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def schemas(registry: stack.Registry, clock: Clock) -> client.Registry:
    return client.Registry({"url": registry.url}, clock)
