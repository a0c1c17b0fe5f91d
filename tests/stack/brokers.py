"""A broker to test with, embedded or Apache Kafka, behind one face."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from confluent_kafka.admin import AdminClient, NewTopic

from tests.stack.waiting import poll_until


@dataclass(frozen=True)
class Broker:
    """`prefix` begins the names of this test's topics and groups: Apache Kafka serves all tests of a run."""

    kind: str  # embedded or kafka
    bootstrap: str
    prefix: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:8]}-")

    @property
    def is_real(self) -> bool:
        return self.kind == "kafka"

    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 3})

    def topic(self, name: str, partitions: int = 4) -> str:
        """Make a topic and return its full name. On the embedded broker it has four partitions, whatever is asked."""
        full = f"{self.prefix}{name}"
        admin = self.admin()
        if self.is_real:
            admin.create_topics([NewTopic(full, partitions, 1)])[full].result(30)
        # Asked by its name, a broker that makes topics by itself makes it now.
        poll_until(lambda: admin.list_topics(full, timeout=10).topics[full].error is None, 30, f"topic {full}")
        return full
