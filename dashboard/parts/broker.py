"""The embedded broker: the cluster that librdkafka has built in for its own tests, held by a small process.

It speaks Kafka's protocol well enough for the demo and for quick tests: groups, pattern subscriptions, commits, and new
topics, with four partitions each. It keeps everything in memory, some 5 MB for each partition, and starts empty.

`python -m dashboard.parts.broker` prints its address as JSON when it is ready, and runs until it is told to stop.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from confluent_kafka import Producer

from dashboard.parts import modules
from dashboard.parts.process import Launcher

NAME = "broker"


@contextmanager
def running(folder: Path | None = None, *, launcher: Launcher | None = None) -> Iterator[str]:
    """The broker in a process of its own while the block runs; yields its address, `host:port`.

    The folder holds that address, nothing else; where none is given, a temporary one.
    """
    with ExitStack() as stack:
        folder = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="choreoscope-broker-")))
        told = stack.enter_context(modules.running(NAME, __name__, folder, launcher or Launcher(folder)))
        yield told["bootstrap.servers"]


def main() -> None:
    path = modules.address_file("Run the embedded broker until it is told to stop.")
    # Blocked before the client starts its threads, so that only sigwait below gets them.
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    client = Producer({"test.mock.num.brokers": 1, "log_level": 3})
    brokers = client.list_topics(timeout=20).brokers.values()
    modules.tell({"bootstrap.servers": ",".join(f"{broker.host}:{broker.port}" for broker in brokers)}, path)
    signal.sigwait(signals)
    # The cluster goes with the process; freeing it piece by piece would only take time.
    os._exit(0)


if __name__ == "__main__":
    main()
