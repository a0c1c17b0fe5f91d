"""Pages in a real browser follow what happens, lose no place meanwhile, and do not grow."""

from __future__ import annotations

import re
from unittest import mock

import pytest
from playwright.sync_api import Page, expect
from pytest_django import Settings

from collector.models import Heartbeat
from collector.publish import Publisher
from dashboard import pushed
from dashboard.pages.shared import shared
from tests.browser.conftest import LIVE, Site, free_port, opened
from tests.feeding import HAPPY, Feed

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def same_page(page: Page) -> None:
    """Marks the document: a reload would lose the mark."""
    page.evaluate("window.notReloaded = true")


def test_overview_follows_what_happens(page: Page, site: Site, company: Feed, publisher: Publisher) -> None:
    opened(page, site, "/")
    same_page(page)
    expect(page.locator("#map")).to_have_attribute("data-drawn", re.compile(".+"))
    expect(page.get_by_role("link", name="Stuck 3", exact=True)).to_be_visible()
    page.get_by_role("link", name="done-0").focus()
    page.evaluate("scrollTo(0, 120)")
    company.order("newcomer", steps=1, ago=0.5)
    company.order("stuck-9", steps=2, ago=60)
    company.read()
    publisher.tell(["newcomer", "stuck-9"], alerts=True)
    expect(page.get_by_role("link", name="newcomer")).to_be_visible(timeout=2_000)
    expect(page.locator(".alert-row b")).to_have_text("4 transactions wait for StockReserved from inventory")
    expect(page.get_by_role("link", name="done-0")).to_be_focused()
    assert page.evaluate("scrollY") == 120
    assert page.evaluate("window.notReloaded")


def test_transaction_follows_what_happens(page: Page, site: Site, company: Feed, publisher: Publisher) -> None:
    opened(page, site, "/transactions/stuck-1")
    same_page(page)
    statement = page.locator("#statement")
    expect(statement).to_contain_text("Waiting for StockReserved from inventory — ")
    said = statement.inner_text()
    expect(statement).not_to_have_text(said)  # the clock runs
    expect(page.locator("#graph")).to_have_attribute("data-drawn", re.compile(".+"))
    company.event("stuck-1", "StockReserved", "inventory", 0.2, ["OrderPlaced"])
    company.read()
    publisher.tell(["stuck-1"], alerts=True)
    expect(statement).to_contain_text("Waiting for ShipmentScheduled from shipping, due in", timeout=2_000)
    expect(page.locator("tr[data-event]")).to_have_count(3)
    assert page.evaluate("window.notReloaded")


def test_the_inspector_follows_its_event(page: Page, site: Site, company: Feed, publisher: Publisher) -> None:
    opened(page, site, "/transactions/running")
    led_to = page.locator("#inspector .facts div").filter(has_text="Led to").locator("dd")
    expect(led_to).to_have_text("nothing yet")
    page.locator("#inspector summary").click()
    company.event("running", "PaymentAuthorized", "payment", 0.2, ["OrderPlaced"])
    company.read()
    publisher.tell(["running"], alerts=False)
    expect(led_to).to_contain_text("PaymentAuthorized", timeout=3_000)
    expect(page.locator("#inspector h2")).to_have_text("OrderPlaced")
    expect(page.locator("#inspector details")).to_have_attribute("open", "")
    page.goto(f"{site.url}/transactions/done-1")
    expect(led_to).to_have_text("nothing")


def test_new_transactions_are_announced_not_shoved_in(
    page: Page, site: Site, company: Feed, publisher: Publisher
) -> None:
    opened(page, site, "/transactions")
    rows = page.locator("[data-row]")
    before = rows.count()
    company.order("newcomer", steps=1, ago=0.1)
    company.read()
    publisher.tell(["newcomer"], alerts=False)
    page.get_by_role("button", name="Show what is new").click()
    expect(rows).to_have_count(before + 1)


def test_listed_transactions_are_followed_in_their_place(
    page: Page, site: Site, company: Feed, publisher: Publisher
) -> None:
    opened(page, site, "/transactions?status=stuck")
    same_page(page)
    rows = page.locator("[data-row]")
    expect(rows).to_have_count(3)
    expect(page.locator("#alert-count")).to_have_text("1 open")
    row = rows.filter(has_text="stuck-1")
    row.get_by_role("link").focus()
    for name, service, causes in HAPPY[2:]:
        company.event("stuck-1", name, service, 0.2, causes)
    company.order("stuck-9", steps=2, ago=60)
    company.read()
    publisher.tell(["stuck-1", "stuck-9"], alerts=True)
    expect(row.locator(".state")).to_have_text("Completed", timeout=3_000)
    expect(row.locator(".pip")).to_have_count(7)
    expect(row.locator(".now")).not_to_contain_text("waits for")
    expect(row.locator("time[data-since]")).to_have_count(0)
    assert rows.all_inner_texts()[1].startswith("stuck-1")
    expect(rows).to_have_count(3)
    expect(row.get_by_role("link")).to_be_focused()
    assert page.evaluate("window.notReloaded")
    page.get_by_role("button", name="Show what is new").click()
    expect(rows.first).to_contain_text("stuck-")
    expect(page.get_by_role("link", name="stuck-9")).to_be_visible()
    expect(page.get_by_role("link", name="stuck-1")).to_have_count(0)
    expect(page.get_by_role("button", name="Show what is new")).to_be_hidden()


def test_nothing_is_announced_where_nothing_is_new(page: Page, site: Site, company: Feed, publisher: Publisher) -> None:
    opened(page, site, "/transactions")
    company.event("running", "StockReserved", "inventory", 0.2, ["OrderPlaced"])
    company.read()
    publisher.tell(["running"], alerts=False)
    expect(page.locator("[data-row]").filter(has_text="running").locator(".pip-done")).to_have_count(2)
    expect(page.locator("#news")).to_be_hidden()


@pytest.mark.parametrize("address", ["/transactions", "/transactions?since=soon", "/demo"])
def test_what_is_not_well_shows_on_pages_that_stand_still(
    page: Page, site: Site, company: Feed, publisher: Publisher, settings: Settings, address: str
) -> None:
    assert company
    settings.ROOT_URLCONF = "tests.demo_urls"
    settings.DEMO_CONTROL_URL = f"http://127.0.0.1:{free_port()}"
    opened(page, site, address)
    expect(page.locator("#troubles")).not_to_contain_text("was stopped at")
    Heartbeat.objects.filter(name="collector:test").update(detail={"stopped": True})
    publisher.tell(["running"], alerts=True)
    expect(page.locator("#troubles")).to_contain_text("The collector was stopped at", timeout=3_000)
    expect(page.locator("#behind")).to_have_class("bad")


def test_a_lost_connection_shows_heals_and_catches_up(page: Page, site: Site, company: Feed) -> None:
    opened(page, site, "/")
    same_page(page)
    site.stop()
    expect(page.locator("#connection")).to_have_attribute("data-state", "lost")
    company.order("meanwhile", steps=1, ago=0.1)
    company.read()
    site.start()
    expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=15_000)
    expect(page.get_by_role("link", name="meanwhile")).to_be_visible(timeout=3_000)
    assert page.evaluate("window.notReloaded")


def test_what_cannot_be_made_anew_stays_as_it_was_and_that_is_said(
    page: Page, site: Site, company: Feed, publisher: Publisher
) -> None:
    opened(page, site, "/")
    expect(page.locator("#map")).to_have_attribute("data-drawn", re.compile(".+"))
    with mock.patch("dashboard.pages.overview._newest", side_effect=RuntimeError("the database is away")):
        publisher.tell(["running"], alerts=False)
        expect(page.locator("#connection .connection-word")).to_have_text("Not refreshed")
        expect(page.get_by_role("link", name="done-0")).to_be_visible()
        expect(page.locator("#map .textpoint").first).to_be_visible()
    company.order("afterwards", steps=1, ago=0.1)
    company.read()
    publisher.tell(["afterwards"], alerts=False)
    expect(page.locator("#connection")).to_have_text(LIVE)
    expect(page.get_by_role("link", name="afterwards")).to_be_visible()
    expect(page.locator("#map .textpoint").first).to_be_visible()


def test_what_is_new_comes_with_the_news(page: Page, site: Site, company: Feed, publisher: Publisher) -> None:
    """Nothing has to be asked for; and what cannot be sent, is asked for."""
    opened(page, site, "/?view=events&status=running")
    expect(page.locator("#map")).to_have_attribute("data-drawn", re.compile(".+"))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    company.order("fresh", steps=1, ago=1)
    company.event("fresh", "<i>New</i> & ünusual", "newcomer", ago=0.1, causes=["OrderPlaced"])
    company.read()
    shared.clear()  # of the counts for the map, which may be two seconds old
    publisher.tell(["fresh"], alerts=True)
    expect(page.get_by_role("link", name="fresh")).to_be_visible(timeout=3_000)
    expect(page.locator("#map")).to_contain_text("ünusual", timeout=3_000)
    assert [url for url in asked if "/live/overview" in url] == []
    with mock.patch.object(pushed, "_made", side_effect=RuntimeError("nothing can be made")):
        company.order("later", steps=1, ago=0.1)
        company.read()
        publisher.tell(["later"], alerts=False)
        expect(page.get_by_role("link", name="later")).to_be_visible(timeout=3_000)
    assert any("/live/overview?view=events&status=running" in url for url in asked)


def test_hidden_tabs_rest_and_catch_up(page: Page, site: Site, company: Feed, publisher: Publisher) -> None:
    opened(page, site, "/")
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    company.order("meanwhile", steps=1, ago=0.1)
    company.read()
    publisher.tell(["meanwhile"], alerts=False)
    page.wait_for_timeout(1_000)  # nothing is to happen: there is nothing to wait for
    assert asked == []
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.get_by_role("link", name="meanwhile")).to_be_visible(timeout=2_000)


def test_a_page_that_is_left_open_does_not_grow(page: Page, site: Site, company: Feed, publisher: Publisher) -> None:
    """Nodes and listeners, after the garbage was collected: what the page shows may grow, what else is held may not."""
    with page.expect_websocket() as connected:
        opened(page, site, "/")
    expect(page.locator("#map")).to_have_attribute("data-drawn", re.compile(".+"))
    inside = page.context.new_cdp_session(page)
    inside.send("Performance.enable")

    def changed(times: int) -> tuple[float, float]:
        """How many nodes are held for each element that the page shows, and how many listeners there are."""
        for _ in range(times):
            with connected.value.expect_event("framereceived", lambda frame: '"changed"' in frame):
                publisher.tell(["running"], alerts=False)
        inside.send("HeapProfiler.collectGarbage")
        found = {one["name"]: one["value"] for one in inside.send("Performance.getMetrics")["metrics"]}
        shown = page.evaluate("document.getElementsByTagName('*').length")
        return found["Nodes"] / shown, found["JSEventListeners"]

    before, listeners = changed(5)
    changed(40)
    for _ in range(10):  # a copy that was replaced just now may still be held
        after, listening = changed(5)
        if after <= before * 1.03:
            break
    assert after <= before * 1.03
    assert listening <= listeners + 10
