"""The pages in a browser: they say what is so, follow what happens without a reload, and can be used by everybody."""

from __future__ import annotations

import json
import re
from typing import Literal
from unittest import mock
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect
from pytest_django import Settings

from collector.models import Heartbeat
from collector.publish import Publisher
from dashboard import pushed
from dashboard.pages.shared import shared
from tests.browser.conftest import ALL, Site, free_port, opened
from tests.builders import cloud_event
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


def test_events_are_inspected_by_pointer_keyboard_and_address(
    page: Page, site: Site, company: Feed, publisher: Publisher
) -> None:
    assert company
    opened(page, site, "/transactions/done-1")
    title = page.locator("#inspector h2")
    expect(title).to_have_text("OrderCompleted")
    page.get_by_role("link", name="PaymentAuthorized", exact=True).click()
    expect(title).to_have_text("PaymentAuthorized")
    expect(page.locator("tr[data-kept-shown]")).to_contain_text("PaymentAuthorized")
    assert "event=done-1%2FPaymentAuthorized" in page.url
    expect(page.locator("#graph")).to_have_attribute("data-drawn", re.compile(".+"))
    page.locator("#graph .cs-graph-stage").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(title).to_have_text("OrderPlaced")
    page.reload()
    expect(title).to_have_text("OrderPlaced")
    publisher.tell(["done-1"], alerts=False)
    expect(page.locator("tr[data-kept-shown]")).to_contain_text("OrderPlaced")


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


def test_a_transaction_is_drawn_in_three_ways_and_replayed(
    page: Page, site: Site, company: Feed, publisher: Publisher
) -> None:
    opened(page, site, "/transactions/running")
    graph = page.locator("#graph")
    expect(graph.locator(".textpoint", has_text="PaymentAuthorized")).to_be_visible()
    for name in ("Time", "Sequence"):
        before = graph.get_attribute("data-width")
        page.get_by_role("link", name=name, exact=True).click()
        expect(graph).not_to_have_attribute("data-width", before or "")
        assert f"view={name.lower()}" in page.url
    company.event("running", "PaymentAuthorized", "payment", 0.2, ["OrderPlaced"])
    company.read()
    publisher.tell(["running"], alerts=False)
    expect(page.locator("tr[data-event]")).to_have_count(2)
    expect(page.get_by_role("link", name="Sequence")).to_have_attribute("aria-current", "true")
    page.reload()
    expect(page.get_by_role("link", name="Sequence")).to_have_attribute("aria-current", "true")
    expect(page.locator("#then")).to_contain_text("Drag")
    page.locator("#replay-at").focus()
    page.keyboard.press("Home")
    expect(page.locator("#then")).to_contain_text("Waiting for")
    assert "at=" in page.url
    page.reload()
    expect(page.locator("#then")).to_contain_text("Waiting for")
    page.get_by_role("button", name="Replay").click()
    expect(page.locator("#then")).to_contain_text("Drag", timeout=8_000)
    assert "at=" not in page.url


def test_tables_and_graphs_are_taken_along_as_files(page: Page, site: Site, company: Feed) -> None:
    company.event("=1+1", "OrderPlaced", "order", 1)
    company.read()
    opened(page, site, "/transactions")

    def taken(role: Literal["button", "link"], name: str) -> str:
        with page.expect_download() as waiting:
            page.get_by_role(role, name=name, exact=True).first.click()
        return waiting.value.path().read_text()

    table = taken("link", "CSV").splitlines()
    assert table[0].startswith("transaction,status")
    assert any(row.startswith("'=1+1,") for row in table), f"no formula for a spreadsheet: {table}"
    assert any(row["status"] == "stuck" for row in json.loads(taken("link", "JSON"))["items"])
    opened(page, site, "/transactions/done-1")
    expect(page.locator("#graph")).to_have_attribute("data-drawn", re.compile(".+"))
    assert "PaymentAuthorized" in taken("button", "SVG")


def test_search_offers_what_a_text_may_mean(page: Page, site: Site, company: Feed) -> None:
    assert company
    opened(page, site, "/ingestion")
    page.keyboard.press("/")
    page.keyboard.type("paym")
    offers = page.get_by_role("option")
    expect(offers.first).to_contain_text("payment")
    page.keyboard.press("ArrowDown")
    expect(offers.first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(offers).to_have_count(0)
    page.keyboard.type("e")
    page.keyboard.press("Backspace")
    expect(offers.first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("payment")


def test_keys(page: Page, site: Site, company: Feed) -> None:
    assert company
    opened(page, site, "/transactions?status=stuck")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="stuck-0")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.get_by_role("link", name="stuck-1")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("stuck-2")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("stuck-2")


def test_a_drawing_that_cannot_be_had_is_no_error_of_the_page(page: Page, site: Site, company: Feed) -> None:
    """As when the page is left before it has come."""
    assert company
    with page.expect_console_message(lambda said: said.text.startswith("Not done:")):
        page.route(re.compile("/live/drawing/"), lambda route: route.abort())
        page.goto(f"{site.url}/transactions/stuck-1")
    expect(page.get_by_role("link", name="PaymentAuthorized")).to_be_visible()


def test_filters_are_in_the_address(page: Page, site: Site, company: Feed) -> None:
    assert company
    opened(page, site, "/transactions")
    page.get_by_label("With an event of type").fill("PaymentDeclined")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("[data-row]")).to_have_count(1)
    assert page.url == f"{site.url}/transactions?event_type=PaymentDeclined"


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


def test_colours_follow_the_choice_and_the_system(page: Page, site: Site, company: Feed) -> None:
    assert company
    page.emulate_media(color_scheme="dark")
    opened(page, site, "/")
    root = page.locator("html")
    expect(root).to_have_attribute("data-bs-theme", "dark")
    page.emulate_media(color_scheme="light")
    expect(root).to_have_attribute("data-bs-theme", "light")
    button = page.locator("#theme")
    button.click()
    button.click()
    expect(root).to_have_attribute("data-bs-theme", "dark")
    page.reload()
    expect(root).to_have_attribute("data-bs-theme", "dark")
    expect(button).to_have_attribute("aria-label", "Colours: dark")


def test_hostile_texts_stay_texts(page: Page, site: Site, feed: Feed) -> None:
    hostile = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    headers = cloud_event(hostile, hostile, hostile, f"/services/{hostile}", feed.now)
    feed.raw(*headers, value=hostile.encode())
    feed.read()
    opened(page, site, f"/transactions/{quote(hostile, safe='')}")
    expect(page.locator("#graph")).to_have_attribute("data-drawn", re.compile(".+"))
    expect(page.locator("h1")).to_contain_text("<script>alert(1)")
    for address in ALL:
        if address.startswith(("/services/inventory", "/transactions/stuck", "/choreographies/order")):
            continue  # there are none here
        opened(page, site, address)
        if page.locator("#map").count():
            expect(page.locator("#map")).to_have_attribute("data-drawn", re.compile(".+"))
        assert page.locator("main script, main img").count() == 0, address
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280, address


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


def test_the_timezone_is_chosen_below_each_page(page: Page, site: Site, company: Feed) -> None:
    assert company
    opened(page, site, "/transactions?status=stuck")
    row = page.locator("[data-row] td:last-child").first
    before = row.inner_text()
    page.get_by_role("button", name="UTC", exact=True).click()
    page.get_by_label("Timezone").fill("Asia/Kathmandu")
    page.get_by_role("button", name="Choose").click()
    expect(page.get_by_role("button", name="Asia/Kathmandu")).to_be_visible()
    assert page.url.endswith("/transactions?status=stuck")
    expect(row).not_to_have_text(before)
    page.get_by_role("button", name="Asia/Kathmandu").click()
    page.locator("#times").get_by_role("button", name="UTC", exact=True).click()
    expect(row).to_have_text(before)


def test_the_map_is_narrowed_and_its_groups_open(page: Page, site: Site, feed: Feed) -> None:
    for number in range(3):
        causes: list[str] = []
        for service in ("shop-cart", "shop-till", "depot-yard"):
            feed.event(f"sale-{number}", f"{service}-done", service, 20, causes)
            causes = [f"{service}-done"]
    feed.read()
    opened(page, site, "/")
    names = page.locator("#map .textpoint")
    expect(names.filter(has_text=re.compile("^shop-cart$"))).to_be_visible()
    page.get_by_text("Narrow, group, detail").click()
    page.get_by_label("Services as one").select_option("name")
    group = names.filter(has_text="shop (2 services)")
    expect(group).to_be_visible()
    assert "detail" not in page.url
    place = group.bounding_box()
    assert place
    page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    expect(page).to_have_url(re.compile("unfold=shop"))
    expect(names.filter(has_text=re.compile("^shop-till$"))).to_be_visible()


def test_documentation_of_the_api_needs_no_exception_from_the_policy(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/api/docs")
    expect(page.get_by_text("/api/transactions", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Back to the overview")).to_have_attribute("href", "/")
    assert "'unsafe" not in page.request.get(f"{site.url}/api/docs").headers["content-security-policy"]
