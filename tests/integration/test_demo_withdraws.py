"""A service dies without a word, and with no human the order comes to a good bad end: told on the bus, and undone."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from dashboard.parts import addresses
from tests.integration.test_demo import Demo, demo
from tests.stack.waiting import poll_until

__all__ = ["demo"]

pytestmark = pytest.mark.slow


def tell(demo: Demo, method: str, path: str, body: dict[str, Any]) -> None:
    """To the company's control process."""
    control = urlsplit(addresses.running(demo.var)["demo_control"])
    connection = http.client.HTTPConnection(control.hostname or "", control.port, timeout=10)
    connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
    assert connection.getresponse().status < 300


def asked(demo: Demo, path: str) -> Any:
    status, content = demo.get(path)
    assert status == 200, content
    return json.loads(content)


def test_what_payment_leaves_undone_is_withdrawn(demo: Demo) -> None:
    with demo.started(DEMO_RATE="0") as process:
        demo.await_ready(process)
        for name in ("order withdraws", "payment down"):
            tell(demo, "PUT", f"/faults/{quote(name)}", {"on": True})
        tell(demo, "POST", "/orders", {"count": 3})

        def compensated() -> list[dict[str, Any]]:
            items: list[dict[str, Any]] = asked(demo, "/api/transactions?status=compensated")["items"]
            return items if len(items) == 3 else []

        for item in poll_until(compensated, 40, "all three orders to be compensated"):
            found = asked(demo, f"/api/transactions/{item['id']}")
            types = [event["type"] for event in found["events"]]
            assert set(types) >= {"OrderWithdrawn", "StockReleased", "CustomerInformed", "OrderCancelled"}
            (told,) = found["caused_by_us"]
            assert (told["announced"], found["missing_causes"]) == ("stuck", [])
            stuck, ended = (
                next(entry["at"] for entry in found["transitions"] if entry["kind"] == kind)
                for kind in ("stuck", "compensated")
            )
            assert stuck <= told["at"] <= ended
        assert asked(demo, "/api/bus")["tripped_at"] is None
