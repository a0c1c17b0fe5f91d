"""The `bus:` part of the configuration: whether what becomes of transactions is told back on Kafka, and how fast."""

from __future__ import annotations

import msgspec

from collector.config.yaml_reader import Node


class Bus(msgspec.Struct, frozen=True):
    """`most_per_minute`: above it nothing more is published until a person has released or discarded what waits."""

    publish: bool = False
    topic: str = "choreoscope.alerts"
    most_per_minute: int = 300


def read(node: Node) -> Bus:
    entries = node.mapping(("publish", "topic", "most_per_minute"))
    defaults = Bus()
    topic = entries["topic"].text() if "topic" in entries else defaults.topic
    if not topic.startswith("choreoscope."):
        entries["topic"].fail("its name has to begin with choreoscope. — those topics are not read back")
    return Bus(
        publish=entries["publish"].flag() if "publish" in entries else defaults.publish,
        topic=topic,
        most_per_minute=(
            entries["most_per_minute"].count() if "most_per_minute" in entries else defaults.most_per_minute
        ),
    )
