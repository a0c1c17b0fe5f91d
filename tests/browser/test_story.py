"""The story that Choreoscope is for, from `manage.py demo` to the browser: a service falls silent, one sees at once
which transactions wait for it, and when it speaks again all of it ends as it truly is."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import free_port
from tests.stack.demo import Demo
from tests.stack.waiting import poll_until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AWAITED = "PaymentAuthorized or PaymentDeclined from payment"

# Notes when the statement first speaks of being overdue, by the browser's clock.
NOTE_WHEN_OVERDUE = """() => {
    const statement = document.getElementById("live");
    const look = () => {
        if (!window.overdueAt && statement.textContent.includes(" overdue.")) window.overdueAt = Date.now();
    };
    new MutationObserver(look).observe(statement, {subtree: true, childList: true, characterData: true});
    look();
}"""


@pytest.fixture
def demo() -> Iterator[Demo]:
    with tempfile.TemporaryDirectory(prefix="choreoscope-test-") as folder:
        demo = Demo(Path(folder) / "var", free_port())
        with demo.started() as process:
            demo.await_ready(process)
            yield demo


def address(demo: Demo, path: str = "/") -> str:
    return f"http://127.0.0.1:{demo.port}{path}"


def asked(demo: Demo, path: str) -> Any:
    status, content = demo.get(path)
    assert status == 200, content
    return json.loads(content)


def switch(page: Page, name: str, on: bool) -> None:
    button = page.get_by_role("switch", name=name)
    expect(button).to_have_attribute("aria-checked", "false" if on else "true")
    button.click()
    expect(button).to_have_attribute("aria-checked", "true" if on else "false")


def place_order(page: Page) -> str:
    page.get_by_role("button", name="Place one order").click()
    placed = page.locator(".said a")
    expect(placed).to_be_visible()
    return placed.inner_text()


def test_story(browser: Browser, page: Page, demo: Demo) -> None:
    expect.set_options(timeout=20_000)
    overview_changes_by_itself(page, demo)
    panel = browser.new_page()
    panel.goto(address(demo, "/demo"))
    switch(panel, "payment silent", on=True)
    order = place_order(panel)
    known, visible = becomes_stuck(page, demo, order)
    print(f"After the deadline: known in the database in {known:.2f} s, visible in the browser in {visible:.2f} s")
    is_alarmed_about(page, demo)
    switch(panel, "payment silent", on=False)
    panel.close()
    all_is_well_again(page, demo, order)
    assert visible < 10, "how fast it is depends on the machine; that it takes seconds, not minutes, does not"


def overview_changes_by_itself(page: Page, demo: Demo) -> None:
    page.goto(address(demo))
    page.evaluate("window.notReloaded = true")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    expect(page.locator(".rows .state-completed").first).to_be_visible(timeout=30_000)
    newest = page.locator(".rows tbody tr").first.get_attribute("id")
    expect(page.locator(".rows tbody tr").first).not_to_have_id(newest or "")
    expect(page.locator("#map")).to_have_attribute("data-drawn", re.compile(".+"))
    assert page.evaluate("window.notReloaded")


def becomes_stuck(page: Page, demo: Demo, order: str) -> tuple[float, float]:
    """Seconds from the deadline until the database knows, and until the page says so."""
    poll_until(lambda: demo.get(f"/api/transactions/{order}")[0] == 200, 10, "the order to be read")
    page.goto(address(demo, f"/transactions/{order}"))
    page.evaluate(NOTE_WHEN_OVERDUE)
    statement = page.locator("#statement")
    expect(statement).to_contain_text(f"Waiting for {AWAITED}")
    expect(statement).to_contain_text(re.compile(f"Waiting for {AWAITED} — .* overdue"))
    expect(page.locator(".title .state")).to_have_text("Stuck")
    expect(page.locator("#why")).to_contain_text("payment (group payment-service) has read it and published nothing")
    found = asked(demo, f"/api/transactions/{order}")
    deadline = moment(next(entry["deadline_at"] for entry in found["waiting_for"] if entry["from"] == "payment"))
    known = moment(next(entry["at"] for entry in found["transitions"] if entry["overdue_since"]))
    seen: float = page.evaluate("window.overdueAt")
    return known - deadline, seen / 1000 - deadline


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def is_alarmed_about(page: Page, demo: Demo) -> None:
    page.goto(address(demo))
    alert = page.locator(".alert-row b")
    expect(alert).to_have_text(re.compile(rf"^\d+ transactions? waits? for {AWAITED}$"))
    expect(page.locator(".tile-bad")).to_contain_text("all wait for payment")
    expect(page.locator("#alert-count")).to_contain_text("1")


def all_is_well_again(page: Page, demo: Demo, order: str) -> None:
    expect(page.locator(".alert-row")).to_have_count(0, timeout=40_000)
    expect(page.locator("#alert-count")).to_have_text("")
    expect(page.locator(".tile", has_text="Stuck").locator("b")).to_have_text("0")

    def ended() -> str:
        found: str = asked(demo, f"/api/transactions/{order}")["status"]
        return found if found in ("completed", "compensated", "failed") else ""

    status = poll_until(ended, 20, f"{order} to end")
    page.goto(address(demo, f"/transactions/{order}"))
    expect(page.locator(".title .state")).to_have_text(status.capitalize())
    expect(page.locator("#statement")).to_contain_text(f"{status.capitalize()} ")
    page.goto(address(demo, "/alerts"))
    expect(page.locator("section", has_text="Resolved lately")).to_contain_text(f"waited for {AWAITED}")
