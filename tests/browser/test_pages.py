"""The pages in a browser: they say what is so, and can be used by everybody, by keyboard too."""

from __future__ import annotations

import json
import re
from typing import Literal
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, Route, expect

from collector.publish import Publisher
from dashboard.pages.shared import shared
from tests.browser.conftest import ALL, Site, opened
from tests.builders import cloud_event
from tests.feeding import HAPPY, Feed

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


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


@pytest.mark.parametrize("width", [390, 1280])
def test_a_replay_moves_nothing_and_says_what_is_of_now(page: Page, site: Site, feed: Feed, width: int) -> None:
    feed.order("order", steps=2, ago=60)
    feed.read()
    for name, service, causes in HAPPY[2:]:
        feed.event("order", name, service, 0.1, causes)
    feed.read()
    shared.clear()
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, site, "/transactions/order")
    graph, now = page.locator("#graph"), page.get_by_text("As it is now, not as at the moment that is drawn")
    expect(graph).to_have_attribute("data-drawn", re.compile(".+"))
    before = graph.bounding_box()
    later = page.locator("tr[data-kept-later]")
    expect(now).to_be_hidden()
    expect(later).to_have_count(0)
    page.locator("#replay-at").focus()
    page.keyboard.press("Home")
    expect(page.locator("#then")).to_contain_text("Waiting for")
    expect(now).to_be_visible()
    expect(later).to_have_count(len(HAPPY) - 2)
    assert before
    assert (graph.bounding_box() or {})["y"] == before["y"]
    page.reload()
    expect(now).to_be_visible()
    expect(later).to_have_count(len(HAPPY) - 2)
    page.locator("#replay-at").focus()
    page.keyboard.press("End")
    expect(later).to_have_count(0)
    expect(now).to_be_hidden()


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
    expect(page.get_by_role("heading", name="Keys")).to_be_in_viewport()
    expect(page.locator("#help .words")).to_contain_text("a transaction of which something is overdue")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("stuck-2")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("stuck-2")


def test_a_slider_moved_before_its_script_has_come_is_heeded(page: Page, site: Site, company: Feed) -> None:
    assert company
    held: list[Route] = []
    script = re.compile(r"/js/replay[^/]*\.js")

    def hold(route: Route) -> None:
        held.append(route)

    page.route(script, hold)
    with page.expect_request(script):
        page.goto(f"{site.url}/transactions/done-1", wait_until="commit")
    page.locator("#replay-at").press("Home")
    held[0].continue_()
    expect(page.locator("#then time").first).to_be_visible()
    expect(page).to_have_url(re.compile("at="))


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
