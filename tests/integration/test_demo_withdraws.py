"""A service dies without a word, and with no human the order comes to a good bad end: told on the bus, and undone."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.stack.demo import Demo, demo
from tests.stack.waiting import poll_until

__all__ = ["demo"]

pytestmark = pytest.mark.slow


def test_what_payment_leaves_undone_is_withdrawn(demo: Demo) -> None:
    with demo.started(DEMO_RATE="0") as process:
        demo.await_ready(process)
        for name in ("order withdraws", "payment down"):
            demo.tell("PUT", f"/faults/{quote(name)}", {"on": True})
        demo.tell("POST", "/orders", {"count": 3})

        def compensated() -> list[dict[str, Any]]:
            items: list[dict[str, Any]] = demo.asked("/api/transactions?status=compensated")["items"]
            return items if len(items) == 3 else []

        for item in poll_until(compensated, 40, "all three orders to be compensated"):
            found = demo.asked(f"/api/transactions/{item['id']}")
            types = [event["type"] for event in found["events"]]
            assert set(types) >= {"OrderWithdrawn", "StockReleased", "CustomerInformed", "OrderCancelled"}
            (told,) = found["caused_by_us"]
            assert (told["announced"], found["missing_causes"]) == ("stuck", [])
            stuck, ended = (
                next(entry["at"] for entry in found["transitions"] if entry["kind"] == kind)
                for kind in ("stuck", "compensated")
            )
            assert stuck <= told["at"] <= ended
        assert demo.asked("/api/bus")["tripped_at"] is None
