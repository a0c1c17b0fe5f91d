"""Tells browsers what changed, after the commit: ids only, and only as a hint. Redis may be slow or away.

A thread sends at most ten messages a second; what it cannot send is dropped, since pages read the database and catch up
by themselves. Web applications tell each browser less often than that: to wait for a browser's turn is left to them,
since what waits here and there, waits twice.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Iterable
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

logger = logging.getLogger(__name__)

GROUP = "live"
INTERVAL = 0.1
MOST_IDS = 500


def digest(transaction_id: str) -> str:
    """The name under which browsers watch a transaction: ids are hostile, digests are not."""
    return hashlib.sha256(transaction_id.encode()).hexdigest()[:16]


def message(transaction_ids: Iterable[str], alerts: bool, at: float) -> dict[str, Any]:
    """What is sent: at most 500 digests; `many` says that there were more."""
    ids = sorted({digest(name) for name in transaction_ids})
    return {
        "type": "live.changed",
        "transactions": ids[:MOST_IDS],
        "many": len(ids) > MOST_IDS,
        "alerts": alerts,
        "at": at,
    }


def send(transaction_ids: Iterable[str], alerts: bool) -> None:
    """Sends one message now; logs and goes on where it cannot."""
    layer = get_channel_layer()
    if layer is None:
        return
    try:
        async_to_sync(layer.group_send)(GROUP, message(transaction_ids, alerts, time.time()))
    except Exception as error:  # noqa: BLE001
        # whatever is wrong with Redis or the network, nothing here may stop for it
        logger.warning("browsers were not told of changes: %s", error)


class Publisher:
    """Collects ids from any thread and sends them from its own."""

    def __init__(self) -> None:
        self._changed: set[str] = set()
        self._alerts = False
        self._wake = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="publish", daemon=True)
        self._thread.start()

    def tell(self, transaction_ids: Iterable[str], alerts: bool) -> None:
        """Remembers what changed; never blocks, and never holds more than one message can say."""
        with self._wake:
            if len(self._changed) <= MOST_IDS:
                self._changed.update(transaction_ids)
            self._alerts = self._alerts or alerts
            self._wake.notify()

    def close(self) -> None:
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(timeout=2)

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._changed or self._alerts or self._stopping)
                if self._stopping and not self._changed:
                    return
                changed, alerts = self._changed, self._alerts
                self._changed, self._alerts = set(), False
            send(changed, alerts)
            with self._wake:
                self._wake.wait_for(lambda: self._stopping, timeout=INTERVAL)
