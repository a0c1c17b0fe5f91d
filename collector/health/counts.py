"""What a collector counts, in the form in which it travels. PURE."""

from __future__ import annotations

import msgspec

DELAYS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
"""Upper bounds of the delays' buckets, in seconds; one more bucket holds what is above."""


class Counts(msgspec.Struct):
    """All since the collector began; travels in its heartbeat, so that one process can tell the figures of all.

    `delays` counts by the buckets DELAYS how long the oldest record of each partition in a batch had lain on its topic
    when it was stored, by the record's timestamp; `delay_seconds` is the sum.
    """

    records: dict[str, int] = {}
    undecodable: dict[str, int] = {}
    events: int = 0
    uncorrelated: int = 0
    redeliveries: int = 0
    skipped: int = 0
    batches: int = 0
    store_seconds: float = 0.0
    rereads: int = 0
    failures: int = 0
    rebalances: int = 0
    delays: list[int] = []
    delay_seconds: float = 0.0
