"""How long it takes until the first event of a new topic is stored, with the settings that collectors have."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from collector.models import Event, Heartbeat, Topic
from tests.collecting import Services
from tests.integration.reliability.processes import Collectors
from tests.stack.brokers import Broker
from tests.stack.waiting import poll_until

pytestmark = pytest.mark.usefixtures("empty_database")

TOPICS = 5
PROMISED = 5.0
"""Seconds; promised of a machine that is not busy with other tests, and so of the median."""
AT_MOST = 10.0


def reading(members: int) -> bool:
    """All of them have said that they read something."""
    beats = Heartbeat.objects.filter(name__startswith="collector:").values_list("detail", flat=True)
    return [beat["partitions"] > 0 for beat in beats] == [True] * members


@pytest.mark.parametrize("members", [1, 2])
def test_the_first_event_of_a_new_topic_is_stored_soon(
    broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str], members: int
) -> None:
    collectors = Collectors(broker, tmp_path, hasty=False)
    broker.topic("orders")
    took = []
    with ExitStack() as running:
        for _ in range(members):
            running.enter_context(collectors.running())
        poll_until(lambda: reading(members), 60, "collectors at work")
        poll_until(Topic.objects.exclude(watermark=None).exists, 30, "a watermark")
        for number in range(TOPICS):
            services, name = Services(broker), f"first-{number}"
            began = time.monotonic()
            services.event(broker.topic(f"topic-{number}"), "OrderPlaced", f"order-{number}", name=name)
            services.flush()
            poll_until(lambda name=name: Event.objects.filter(event_id=name).exists(), 60, "the event", every=0.02)
            took.append(time.monotonic() - began)
    with capsys.disabled():
        figures = ", ".join(f"{seconds:.2f}" for seconds in took)
        print(f"\nSeconds from a new topic to its first event stored ({broker.kind}, {members} collectors): {figures}")
    assert sorted(took)[TOPICS // 2] < PROMISED
    assert max(took) < AT_MOST
