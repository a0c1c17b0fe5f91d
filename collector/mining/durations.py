"""Durations in whole microseconds as sparse counts in logarithmic buckets: `collector.correlation.buckets`, and nothing
for nothing, since events of the same time are common where clocks tick in seconds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache

from collector.correlation.buckets import BASE, quantile

NOTHING = -1
"""Instead of a bucket: no time at all."""
_LOG_BASE = math.log(BASE)


@lru_cache(maxsize=65_536)
def bucket(micros: int) -> int:
    """The bucket of a duration; NOTHING where it is none."""
    return int(math.log(micros) / _LOG_BASE) if micros > 0 else NOTHING


def percentiles(counts: Mapping[int, int], wanted: Iterable[float]) -> list[float | None]:
    """These quantiles in seconds, by nearest rank and within 1%; None where nothing was counted."""
    timed = {index: count for index, count in counts.items() if index != NOTHING}
    nothing, total = counts.get(NOTHING, 0), sum(counts.values())
    found: list[float | None] = []
    for q in wanted:
        rank = max(1, math.ceil(q * total))
        if total <= 0:
            found.append(None)
        elif rank <= nothing:
            found.append(0.0)
        else:
            found.append(quantile(timed, (rank - nothing - 0.5) / (total - nothing)))
    return found
