"""ERP: bought long ago. It makes out invoices in runs, and writes one JSON document for each run: all orders in a list.

No event, no id, no correlation: what happened is named in a header of its own, times are written as it pleases.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime

from demo_services.outsiders import Seen, Written, main

RUN_EVERY = 2.0
MOST_IN_A_RUN = 50


class Erp:
    name = "erp"
    listens = "shipments"
    wants = b"ShipmentDispatched"
    publishes = "legacy.invoices"

    def __init__(self) -> None:
        self._waiting: list[Seen] = []
        self._run_at: float | None = None
        self._run = 0

    def ready(self) -> bool:
        return True

    def take(self, seen: Seen) -> None:
        self._waiting.append(seen)

    def due(self, now: float) -> Iterable[Written]:
        if self._waiting and self._run_at is None:
            self._run_at = now + RUN_EVERY
        if self._run_at is None or now < self._run_at:
            return
        self._run_at = None
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST_IN_A_RUN], self._waiting[MOST_IN_A_RUN:]
            self._run += 1
            yield self._document(batch, now)

    def _document(self, batch: list[Seen], now: float) -> Written:
        run = f"{datetime.fromtimestamp(now, UTC):%Y%m%d%H%M%S}-{self._run}"
        document = {
            "run": run,
            "issued": f"{datetime.fromtimestamp(now, UTC):%d.%m.%Y %H:%M:%S}",
            "meta": {"app": self.name, "release": "7.2"},
            "orders": [
                {"number": seen.order_id, "amount": (seen.data.get("order") or {}).get("total")} for seen in batch
            ],
        }
        return Written(json.dumps(document).encode(), run.encode(), [("eventName", b"InvoicesIssued")], batch)


if __name__ == "__main__":
    main(Erp)
