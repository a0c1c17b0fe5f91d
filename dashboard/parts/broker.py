"""The embedded broker: the cluster that librdkafka has built in for its own tests, held by a small process.

It speaks Kafka's protocol well enough for the demo and for quick tests: groups, pattern subscriptions, commits, and new
topics, with four partitions each. It keeps everything in memory, some 5 MB for each partition, and starts empty.

`python -m dashboard.parts.broker` prints its address as JSON when it is ready, and runs until it is told to stop.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from confluent_kafka import Producer

from dashboard.parts.process import Launcher, stop

NAME = "broker"


@contextmanager
def running(folder: Path | None = None, *, launcher: Launcher | None = None) -> Iterator[str]:
    """The broker in a process of its own while the block runs; yields its address, `host:port`.

    The folder holds that address, nothing else; where none is given, a temporary one.
    """
    with ExitStack() as stack:
        folder = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="choreoscope-broker-")))
        folder.mkdir(parents=True, exist_ok=True)
        launcher = launcher or Launcher(folder)
        address = folder / "address.json"
        address.unlink(missing_ok=True)
        process = launcher.start(NAME, [sys.executable, "-m", "dashboard.parts.broker", "--address-file", address])
        try:
            launcher.wait_until(address.exists, NAME, process, seconds=20)
            yield json.loads(address.read_text())["bootstrap.servers"]
        finally:
            stop(process)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the embedded broker until it is told to stop.")
    parser.add_argument("--address-file", type=Path, help="a file to make, with the address, when it is ready")
    path: Path | None = parser.parse_args().address_file
    # Blocked before the client starts its threads, so that only sigwait below gets them.
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    client = Producer({"test.mock.num.brokers": 1, "log_level": 3})
    brokers = client.list_topics(timeout=20).brokers.values()
    address = json.dumps({"bootstrap.servers": ",".join(f"{broker.host}:{broker.port}" for broker in brokers)})
    if path:
        draft = path.with_suffix(".new")
        draft.write_text(address)
        draft.rename(path)
    print(address, flush=True)
    signal.sigwait(signals)
    # The cluster goes with the process; freeing it piece by piece would only take time.
    os._exit(0)


if __name__ == "__main__":
    main()
