"""What a figure costs: `python -m benchmarks.graphs`. A transaction of a hundred events should take under 10 ms.

Also the size of what is sent to the browser, as it is and compressed.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from statistics import median
from time import perf_counter

import msgspec

from collector.correlation.causality import causality
from collector.correlation.choreography import undeclared
from collector.correlation.state import StoredState
from dashboard.graphs import Drawing, events_figure, services_figure, transaction_figure
from tests import graph_samples as samples

ROUNDS = 25


def cases() -> dict[str, Callable[[], Drawing]]:
    hundred = samples.dense_events(100)
    kind = undeclared("Priced")
    causes = causality(hundred, kind)
    sixty, many = samples.company(60, 150), samples.company(60, 300)
    return {
        "demo transaction, 5 events, 1 overdue": samples.overdue,
        "100 events, 10 services": lambda: transaction_figure(
            hundred, causes, StoredState(), kind, ended=False, now=samples.START
        ),
        "1,000 events, folded (with their causality)": samples.repeated,
        "demo map": lambda: samples.services(samples.FLOWS, samples.WAITING),
        "map of 60 services, 150 flows": lambda: services_figure(sixty, (), window_seconds=300),
        "map of 300 flows between event types": lambda: events_figure(many, (), window_seconds=300),
    }


def main() -> None:
    for name, build in cases().items():
        took = []
        for _ in range(ROUNDS):
            start = perf_counter()
            drawing = build()
            took.append(perf_counter() - start)
        encoded = msgspec.json.encode(drawing)
        small = len(gzip.compress(encoded, 6)) / 1000
        print(f"{name:46} {median(took) * 1000:7.1f} ms {len(encoded) / 1000:7.0f} kB {small:6.0f} kB compressed")


if __name__ == "__main__":
    main()
