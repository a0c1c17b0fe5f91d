"""Durations in whole microseconds as sparse counts in logarithmic buckets: `collector.correlation.buckets`, and nothing
for nothing, since events of the same time are common where clocks tick in seconds.

Stored, they are lists: a bucket, how many lie in it, another bucket …
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import chain, repeat
from operator import truediv

import msgspec

from collector.correlation.buckets import BASE, quantile

NOTHING = -1
"""Instead of a bucket: no time at all."""
_LOG_BASE = math.log(BASE)
_listed = msgspec.json.Decoder(list[list[int]])


def bucket(micros: int) -> int:
    """The bucket of a duration; NOTHING where it is none."""
    return buckets((micros,))[0]


def buckets(durations: Iterable[int]) -> list[int]:
    """The bucket of each of these; NOTHING for those that are none."""
    durations = list(durations)
    try:  # without bytecode for each of them
        return list(map(int, map(truediv, map(math.log, durations), repeat(_LOG_BASE))))
    except ValueError:
        return [int(math.log(micros) / _LOG_BASE) if micros > 0 else NOTHING for micros in durations]


def merged(listed: str | None) -> dict[int, int]:
    """The sum of a JSON list of stored durations; of nothing where there is no list."""
    found: dict[int, int] = {}
    add(found, chain.from_iterable(_listed.decode(listed)) if listed else ())
    return found


def add(to: dict[int, int], durations: Iterable[int]) -> None:
    """Adds stored durations to counts by bucket."""
    each = iter(durations)
    for index, n in zip(each, each, strict=True):
        to[index] = to.get(index, 0) + n


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
