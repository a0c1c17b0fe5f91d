"""Ingestion from Apache Kafka: how fast, beside what bounds it, in one run.

    python -m benchmarks.ingest [--events 1000000] [--rounds 3]

Events are CloudEvents in binary mode of some 300 bytes, six a transaction, on 5 topics × 4 partitions, interleaved.
Each round measures, one after the other and each on an empty database:

* consume: a bare loop that consumes the records and parses their headers, and stores nothing;
* sql: the same COPY, the same transaction updates, the same progress, from rows made beforehand, and none of our logic;
* collector: one `manage.py collect`, from its first stored event to its last, with its memory.

Ratios within a round count; single figures depend on the machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import psutil
import psycopg
from confluent_kafka import Consumer, KafkaError, Producer

from benchmarks import baseline, stream
from dashboard.parts import postgres, redis
from tests.stack import kafka
from tests.stack.waiting import poll_until

PATIENCE = 900
SUBJECTS = ("consume", "sql", "collector")
ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=SUBJECTS, help="measure this alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="choreoscope-bench-") as folder:
        Path(folder).chmod(0o755)
        with (
            kafka.running(Path(folder) / "kafka") as bootstrap,
            redis.running(Path(folder) / "redis") as redis_url,
            postgres.running(Path(folder) / "postgres") as database,
        ):
            events = -(-options.events // stream.EVENTS_EACH) * stream.EVENTS_EACH  # whole transactions
            produce(bootstrap, events)
            measure(bootstrap, redis_url, database, events, options.rounds, options.only)


def produce(bootstrap: str, events: int) -> None:
    producer = Producer(
        {"bootstrap.servers": bootstrap, "linger.ms": 50, "batch.size": 16384, "queue.buffering.max.messages": 500_000}
    )
    begun = time.perf_counter()
    for topic, partition, key, value, headers in stream.records(events):
        while True:
            try:
                producer.produce(topic, value, key, partition=partition, headers=dict(headers))
                break
            except BufferError:
                producer.poll(0.05)
        producer.poll(0)
    producer.flush(60)
    print(f"{events:,} events produced in {time.perf_counter() - begun:.0f} s", flush=True)


def measure(bootstrap: str, redis_url: str, database: str, events: int, rounds: int, only: str | None) -> None:
    subjects: dict[str, Callable[[], tuple[float, str]]] = {
        "consume": lambda: (consume(bootstrap, events), ""),
        "sql": lambda: (baseline.run(database, events), ""),
        "collector": lambda: collect(bootstrap, redis_url, database, events),
    }
    rates: dict[str, list[float]] = {name: [] for name in subjects if only in (None, name)}
    for number in range(1, rounds + 1):
        for name, found in rates.items():
            with fresh(database, redis_url):
                seconds, remark = subjects[name]()
            found.append(events / seconds)
            print(f"round {number}  {name:<10} {events / seconds:>9,.0f} events/s  {remark}", flush=True)
    for name, found in rates.items():
        print(f"median   {name:<10} {statistics.median(found):>9,.0f} events/s")
    if only is not None:
        return
    ratios = [ours / limit for ours, limit in zip(rates["collector"], rates["sql"], strict=True)]
    print(f"collector / sql, round by round: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
    print(f"median ratio {statistics.median(ratios):.2f}")


def consume(bootstrap: str, events: int) -> float:
    """Seconds for consuming the records and parsing their headers."""
    group = f"bench-{time.monotonic_ns()}"
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe(list(stream.TOPICS))
    seen, begun = 0, 0.0
    while seen < events:
        for message in consumer.consume(10_000, 1.0):
            if failure := message.error():
                if failure.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001
                    raise RuntimeError(failure.str())
                continue
            begun = begun or time.perf_counter()
            headers = cast("list[tuple[str, bytes]]", message.headers() or [])
            {name: value.decode() for name, value in headers}
            seen += 1
    seconds = time.perf_counter() - begun
    consumer.close()
    return seconds


def collect(bootstrap: str, redis_url: str, database: str, events: int) -> tuple[float, str]:
    """Seconds from the collector's first stored batch to its last, and its memory."""
    environment = environment_of(bootstrap, redis_url, database)
    process = subprocess.Popen(
        [sys.executable, "manage.py", "collect", "--group", f"bench-{time.monotonic_ns()}"], cwd=ROOT, env=environment
    )
    memory: list[int] = []
    try:
        with psycopg.connect(database, autocommit=True) as connection:

            def stored() -> int:
                memory.append(psutil.Process(process.pid).memory_info().rss)
                row = connection.execute("SELECT coalesce(sum(next_offset), 0) FROM collector_progress").fetchone()
                return int(row[0]) if row else 0

            poll_until(lambda: stored() > 0, PATIENCE, "the first batch")
            first, begun = stored(), time.perf_counter()
            poll_until(lambda: stored() >= events, PATIENCE, "the last batch")
            seconds = (time.perf_counter() - begun) * events / (events - first)
            times = psutil.Process(process.pid).cpu_times()
            judged = check(connection, events)
    finally:
        process.terminate()
        process.wait(30)
    half = memory[len(memory) // 2]
    remark = f"memory {half / 2**20:.0f} MB half-way, {max(memory) / 2**20:.0f} MB at most"
    remark += f"; {(times.user + times.system) / events * 1e6:.0f} µs of processor time an event, its start included"
    return seconds, f"{remark}; each transaction judged {judged:.1f} times"


def check(connection: psycopg.Connection, events: int) -> float:
    """How often a transaction was judged on average. Raises RuntimeError where anything is missing."""
    found = connection.execute("SELECT count(*) FROM collector_event").fetchone()
    done = connection.execute("SELECT count(*) FROM collector_transaction WHERE phase = 'completed'").fetchone()
    if found != (events,) or done != (events // stream.EVENTS_EACH,):
        raise RuntimeError(f"{events} events were read, but {found} are stored and {done} transactions are complete")
    judged = connection.execute("SELECT avg(version) FROM collector_transaction").fetchone()
    return float(judged[0]) if judged else 0.0


@contextmanager
def fresh(database: str, redis_url: str) -> Iterator[None]:
    """An empty database with its tables, for one subject."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    environment = environment_of("127.0.0.1:1", redis_url, database)
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=environment, check=True)
    yield
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CHECKPOINT")


def environment_of(bootstrap: str, redis_url: str, database: str) -> dict[str, str]:
    return {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "REDIS_URL": redis_url,
        "DATABASE_URL": database,
        "CHOREOSCOPE_CONFIG": str(ROOT / "benchmarks" / "choreoscope.yaml"),
        "DJANGO_SETTINGS_MODULE": "dashboard.settings",
    }


if __name__ == "__main__":
    main()
