"""Prometheus' metrics of collectors, made from what each counts. docs/metrics.md lists them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from collector.health.counts import DELAYS, Counts

PREFIX = "choreoscope_"
_COUNTERS: tuple[tuple[str, str, Callable[[Counts], float]], ...] = (
    ("events_stored", "Events stored, redeliveries left out.", lambda counts: counts.events),
    ("uncorrelated_events", "Events without a transaction id.", lambda counts: counts.uncorrelated),
    ("redeliveries", "Events that had been stored before, from another record.", lambda counts: counts.redeliveries),
    ("skipped_records", "Records that had been stored before.", lambda counts: counts.skipped),
    ("batches", "Batches stored.", lambda counts: counts.batches),
    ("store_seconds", "Seconds spent on storing batches.", lambda counts: counts.store_seconds),
    ("rereads", "Times that partitions had to be read again from stored progress.", lambda counts: counts.rereads),
    ("database_failures", "Times that the database took nothing.", lambda counts: counts.failures),
    ("rebalances", "Times that partitions came or went.", lambda counts: counts.rebalances),
)


def counter(name: str, said: str, labels: Iterable[str] = ()) -> CounterMetricFamily:
    return CounterMetricFamily(PREFIX + name, said, labels=list(labels))


def gauge(name: str, said: str, labels: Iterable[str] = ()) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, said, labels=list(labels))


def families(collectors: Mapping[str, Counts]) -> Iterator[Metric]:
    """The metrics of these collectors, by name."""
    for name, said, value in _COUNTERS:
        family = counter(name, said, ["collector"])
        for collector, counts in collectors.items():
            family.add_metric([collector], value(counts))
        yield family
    records = counter("records_read", "Records read and stored or skipped.", ["collector", "topic"])
    undecodable = counter("undecodable_records", "Records that nothing could read.", ["collector", "reason"])
    delays = HistogramMetricFamily(
        PREFIX + "record_delay_seconds",
        "From the timestamp of the oldest record of each partition in a batch until it was stored.",
        labels=["collector"],
    )
    for collector, counts in collectors.items():
        for topic, count in counts.records.items():
            records.add_metric([collector, topic], count)
        for reason, count in counts.undecodable.items():
            undecodable.add_metric([collector, reason], count)
        if counts.delays:
            bounds = [*map(str, DELAYS), "+Inf"]
            buckets = list(zip(bounds, map(float, accumulate(counts.delays)), strict=True))
            delays.add_metric([collector], buckets, counts.delay_seconds)
    yield from (records, undecodable, delays)


class PortTaken(Exception):
    """Nothing can be served on the port that is asked for; says so in a sentence."""


class _Own(Collector):
    """What this process counts, read when it is asked for."""

    def __init__(self, name: str, read: Callable[[], Counts]) -> None:
        self._name, self._read = name, read

    def collect(self) -> Iterator[Metric]:
        return families({self._name: self._read()})


@contextmanager
def serving(port: int | None, name: str, read: Callable[[], Counts]) -> Iterator[None]:
    """Serves this collector's metrics, and those of its process, at `/metrics`; nothing where there is no port."""
    if port is None:
        yield
        return
    registry = CollectorRegistry()
    registry.register(_Own(name, read))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    try:
        server, thread = start_http_server(port, registry=registry)
    except OSError as error:
        raise PortTaken(
            f"Metrics can't be served on port {port} (COLLECTOR_METRICS_PORT): {error.strerror}."
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
