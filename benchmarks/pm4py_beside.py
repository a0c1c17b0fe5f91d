"""The part of `benchmarks.mining` that a Python with PM4Py runs: the same log, and whether it comes to the same."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pm4py


def main() -> None:
    folder = Path(sys.argv[1])
    begun = time.perf_counter()
    log = pd.read_csv(folder / "log.csv", dtype=str)
    log["time:timestamp"] = pd.to_datetime(log["time:timestamp"], format="ISO8601", utc=True)
    log = pm4py.format_dataframe(
        log, case_id="case:concept:name", activity_key="concept:name", timestamp_key="time:timestamp"
    )
    read = time.perf_counter()
    edges, starts, ends = pm4py.discover_dfg(log)
    durations, _, _ = pm4py.discover_performance_dfg(log)
    graph = time.perf_counter()
    variants = pm4py.get_variants(log)
    done = time.perf_counter()
    print(
        f"PM4Py {pm4py.__version__}: reading {read - begun:.2f} s, graph and durations {graph - read:.2f} s, "
        f"variants {done - graph:.2f} s"
    )
    differences = compare(json.loads((folder / "found.json").read_text()), edges, starts, ends, durations, variants)
    if differences:
        raise SystemExit(f"PM4Py comes to something else: {differences}")
    print(f"PM4Py comes to the same {len(edges)} edges, means within a microsecond, and {len(variants):,} variants")


def compare(found: Any, edges: Any, starts: Any, ends: Any, durations: Any, variants: Any) -> list[str]:
    ours = {(source, target): count for source, target, count, _ in found["edges"]}
    means = {(source, target): mean for source, target, _, mean in found["edges"]}
    differences = [] if ours == edges else ["edges"]
    differences += [] if found["starts"] == starts and found["ends"] == ends else ["starts and ends"]
    differences += [f"mean of {pair}" for pair in means if abs(means[pair] - durations[pair]["mean"]) > 1e-6]
    return differences + ([] if found["variants"] == len(variants) else ["variants"])


if __name__ == "__main__":
    main()
