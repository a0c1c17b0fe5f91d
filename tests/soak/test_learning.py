"""The demo without a declared choreography: the map draws itself, deadlines are learned, and only what is stuck alarms.

With SOAK set (`make soak`) it runs in good health for a quarter of an hour first; else for a minute.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.stack.demo import Demo, demo
from tests.stack.place import ROOT
from tests.stack.waiting import poll_until

__all__ = ["demo"]
pytestmark = pytest.mark.slow

HEALTHY = 15 * 60 if os.environ.get("SOAK") else 60
LEARNED_WITHIN = 5 * 60
FAULT = "/faults/payment%20silent"
ABOUT_TRANSACTIONS = ("stuck", "stuck_compensating", "failed", "service_silent")


def undeclared(folder: Path) -> Path:
    """The demo's configuration without the choreographies."""
    found, count = re.subn(r"(?ms)^choreographies:\n.*?(?=^\S)", "", (ROOT / "choreoscope.yaml").read_text())
    assert count == 1
    path = folder / "choreoscope.yaml"
    path.write_text(found)
    return path


def alarms(demo: Demo) -> list[dict[str, Any]]:
    """Alerts about transactions; that the machine is busy is no false alarm."""
    return [alert for alert in demo.asked("/api/alerts")["items"] if alert["kind"] in ABOUT_TRANSACTIONS]


def test_deadlines_are_learned_and_a_silent_service_is_found(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with demo.started(CHOREOSCOPE_CONFIG=str(undeclared(tmp_path)), DEMO_RATE="2") as process:
        demo.await_ready(process)
        began = time.monotonic()

        def learned() -> Any:
            status, body = demo.get("/api/choreographies/OrderPlaced/rules")
            found = json.loads(body)["learned"] if status == http.HTTPStatus.OK else []
            return {(*rule["after"], *rule["expect"]) for rule in found if "ShipmentScheduled" in rule["expect"]}

        poll_until(learned, LEARNED_WITHIN, "deadlines to be learned", every=1)
        took = time.monotonic() - began
        drawn = demo.asked("/api/choreographies/OrderPlaced")
        assert {"PaymentAuthorized", "StockReserved", "OrderCompleted"} <= {node["type"] for node in drawn["nodes"]}

        def a_while() -> bool:
            assert alarms(demo) == []
            return time.monotonic() - began - took > HEALTHY

        poll_until(a_while, HEALTHY + 10, "the time to pass", every=1)
        healthy = demo.asked("/api/choreographies/OrderPlaced")["transactions"]
        demo.tell("PUT", FAULT, {"on": True})
        silent = time.monotonic()
        poll_until(lambda: alarms(demo), 60, "an alert", every=0.5)
        after = time.monotonic() - silent
        stuck = [alert for alert in alarms(demo) if alert["kind"] == "stuck"]
        assert {alert["service"] for alert in stuck} == {"payment"}
        assert all("PaymentAuthorized" in alert["sentence"] and "learned" in alert["sentence"] for alert in stuck)
        demo.tell("PUT", FAULT, {"on": False})
        poll_until(
            lambda: not demo.asked("/api/transactions?status=stuck")["items"], 60, "payment to catch up", every=1
        )
    with capsys.disabled():
        print(
            f"\nNothing declared: deadlines learned after {took:.0f} s; no alert in {HEALTHY} s and {healthy} orders;"
            f" payment silent: an alert after {after:.1f} s"
        )
