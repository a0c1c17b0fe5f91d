"""Once a second: says that the collector lives, and sweeps where nobody else has for a while.

In a thread and a database session of its own: a database that hangs stops neither polling nor an end in good order.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import Error, connection
from django.utils import timezone

from collector import deadlines
from collector.config import Config
from collector.config.rules import registered
from collector.health import heartbeats
from collector.health.counts import Counts
from collector.intake import faults
from collector.kafka import Source
from collector.publish import Publisher

logger = logging.getLogger(__name__)

INTERVAL = 1.0
SWEEP_LATE = timedelta(seconds=5)
"""A sweep is missed when nobody has swept for so long."""
STILL_MISSED = timedelta(seconds=0.75 * INTERVAL)
"""It is so further on, while nobody else has swept within this time after we did: Celery does it far more often."""
GOODBYE = 12.0
"""Seconds that saying goodbye may take; a database that hangs is given up sooner (`sessions.hasten`)."""


class Alive:
    """`fault` is a sentence once the database refuses for good."""

    def __init__(
        self,
        name: str,
        cluster_id: str,
        source: Source,
        counts: Callable[[], Counts],
        config: Callable[[], Config],
        publisher: Publisher,
    ) -> None:
        self.fault: str | None = None
        self._name, self._cluster_id, self._source, self._counts = name, cluster_id, source, counts
        self._config, self._publisher = config, publisher
        self._started_at = timezone.now()
        self._before = time.monotonic(), 0
        self._answers = True
        self._patience = SWEEP_LATE
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alive", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Says goodbye, unless the database did not answer the last time."""
        self._stop.set()
        self._thread.join(timeout=GOODBYE)

    def step(self) -> None:
        """Gives a sign of life; sweeps where the last sweep is too long ago."""
        counts = self._counts()
        (before, events), now = self._before, time.monotonic()
        self._before = now, counts.events
        self._beat(counts, (counts.events - events) / max(now - before, INTERVAL / 10))
        swept = heartbeats.age("sweep")
        missed = swept is None or swept > self._patience
        if missed:
            found = deadlines.sweep(registered(self._config().rulebook))
            self._publisher.tell(found.changed, found.alerts)
        self._patience = STILL_MISSED if missed else SWEEP_LATE

    def goodbye(self) -> None:
        self._beat(self._counts(), stopped=True)

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL):
            self._try(self.step)
        if self._answers:
            self._try(self.goodbye)
        connection.close()

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
            self._answers = True
        except Error as error:
            connection.close()
            self.fault = faults.explain(error)
            if self._answers:
                logger.warning("the database does not answer: %s", str(error).strip())
            self._answers = False
        except Exception:
            # whatever else is wrong, signs of life must not end for it
            logger.exception("a sign of life or a sweep failed; it is tried again")

    def _beat(self, counts: Counts, events_per_second: float = 0.0, *, stopped: bool = False) -> None:
        detail: dict[str, Any] = {
            "cluster": self._cluster_id,
            "group": self._source.group,
            "started_at": self._started_at,
            "stopped": stopped,
            "events_per_second": round(events_per_second, 1),
            "partitions": self._source.partitions,
            "forbidden": dict(self._source.forbidden),
            "counts": counts,
        }
        heartbeats.beat(f"collector:{self._name}", detail)
