"""Choreographies in a browser: the map, its slider, and where clicks lead."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from collector import miner
from collector.publish import Publisher
from dashboard.pages.shared import shared
from tests.browser.conftest import Site, opened
from tests.feeding import Feed

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ONE = "/choreographies/order-fulfilment"


@pytest.fixture
def mined(company: Feed) -> Feed:
    for number in range(30):
        company.order(f"more-{number}", ago=30 + number)
    company.read()
    miner.mine(company.rulebook)
    shared.clear()
    return company


def drawn(page: Page, site: Site, address: str = ONE) -> None:
    opened(page, site, address)
    expect(page.locator("#map")).to_have_attribute("data-drawn", re.compile(".+"))


def names(page: Page) -> set[str]:
    """What is written in the map."""
    return set(page.locator("#map .textpoint text").all_text_contents())


def test_from_the_list_to_one(page: Page, site: Site, mined: Feed) -> None:
    assert mined
    opened(page, site, "/")
    page.get_by_role("link", name="Choreographies", exact=True).click()
    page.get_by_role("link", name="order-fulfilment").click()
    expect(page).to_have_url(site.url + ONE)
    expect(page.locator("#map")).to_have_attribute("data-drawn", re.compile(".+"))
    assert {"OrderPlaced", "order · 38"} <= names(page)
    expect(page.locator("#rules")).to_contain_text("PaymentAuthorized + StockReserved")


def test_the_slider_says_how_much_is_drawn_and_so_does_the_address(page: Page, site: Site, mined: Feed) -> None:
    assert mined
    drawn(page, site)
    page.evaluate("window.notReloaded = true")
    slider = page.get_by_role("slider", name="Detail")
    slider.fill("0")
    expect(page.locator("#detail-said")).to_contain_text("6 of")
    assert "PaymentDeclined" not in names(page)
    slider.fill("100")
    expect(page.locator("#detail-said")).to_have_text("all of it")
    expect(page.locator("#map .textpoint text").get_by_text("PaymentDeclined")).to_be_attached()
    expect(page).to_have_url(site.url + ONE + "?detail=100")
    assert page.evaluate("window.notReloaded")
    page.get_by_role("link", name="Duration").click()
    expect(page).to_have_url(re.compile("detail=100"))
    expect(page).to_have_url(re.compile("overlay=duration"))
    expect(page.locator("#detail-said")).to_have_text("all of it")


def test_a_step_opens_its_transactions(page: Page, site: Site, mined: Feed) -> None:
    assert mined
    drawn(page, site, f"{ONE}?detail=100")
    page.locator("#map").evaluate(
        """map => map.dispatchEvent(new CustomEvent("graph:select", {bubbles: true, detail: {
            kind: "step", source: "PaymentDeclined", target: "StockReleased"}}))"""
    )
    expect(page.locator("tr[data-row]")).to_have_count(1)
    expect(page.get_by_role("link", name="declined")).to_be_visible()


def test_the_keyboard_walks_the_map_and_opens_a_type(page: Page, site: Site, mined: Feed) -> None:
    assert mined
    drawn(page, site)
    page.locator("#map .cs-graph-stage").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#map .cs-graph-says")).to_contain_text("OrderPlaced: order, 38 events")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("event_type=OrderPlaced"))
    expect(page).to_have_url(re.compile("choreography=order-fulfilment"))


def test_a_variant_opens_its_transactions(page: Page, site: Site, mined: Feed) -> None:
    assert mined
    opened(page, site, ONE)
    page.get_by_role("link", name=re.compile("^OrderPlaced, then StockReserved, then PaymentDeclined")).click()
    expect(page.locator("tr[data-row]")).to_have_count(1)


def test_rare_variants_come_when_they_are_opened(page: Page, site: Site, mined: Feed) -> None:
    for number in range(12):
        for step in range(number + 1):
            mined.event(f"long-{number}", f"Step{step}", "worker", 60 - step)
    mined.read()
    miner.mine(mined.rulebook)
    drawn(page, site, "/choreographies/Step0")
    expect(page.locator(".variants meter")).to_have_count(8)
    page.locator(".more-ways summary").click()
    expect(page.locator(".variants meter")).to_have_count(12)
    fetch = "htmx.ajax('GET', document.getElementById('live').dataset.fragment, {target: '#live', swap: 'innerMorph'})"
    page.evaluate(fetch)
    expect(page.locator(".more-ways")).to_have_attribute("open", "")
    expect(page.locator(".variants meter")).to_have_count(12)


def test_what_happens_shows_without_a_reload(page: Page, site: Site, mined: Feed, publisher: Publisher) -> None:
    drawn(page, site, f"{ONE}?detail=100")
    assert "order · 38" in names(page)
    page.locator(".heat summary").click()
    page.evaluate("window.notReloaded = true; scrollTo(0, 90)")
    for number in range(12):
        mined.order(f"newcomer-{number}", ago=9)
    mined.read()
    miner.mine(mined.rulebook)
    publisher.tell([f"newcomer-{number}" for number in range(12)], alerts=False)
    expect(page.locator("#summary")).to_contain_text("50 transactions", timeout=15_000)
    expect(page.locator("#map .textpoint text").get_by_text("order · 50").first).to_be_attached(timeout=15_000)
    assert page.evaluate("window.notReloaded")
    assert page.evaluate("scrollY") == 90
    expect(page.locator(".heat details")).to_have_attribute("open", "")


def test_what_was_learned_is_offered_as_configuration(page: Page, site: Site, mined: Feed) -> None:
    assert mined
    opened(page, site, ONE)
    expect(page.locator("#conformance")).to_contain_text("did what is declared")
    page.get_by_role("button", name="Adopt as YAML").click()
    expect(page.locator("#adopted")).to_contain_text("it takes 20 settled transactions")


def test_a_range_is_asked_for_by_the_form(page: Page, site: Site, mined: Feed) -> None:
    assert mined
    opened(page, site, ONE)
    page.get_by_text("Another range").click()
    page.locator("[name=since]").fill("2h")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(site.url + ONE + "?since=2h")
    page.get_by_text("Compare", exact=True).click()
    page.get_by_role("link", name="with the time before").click()
    expect(page.locator("#changed-title")).to_be_visible()
    expect(page.locator("#map")).to_have_attribute("data-drawn", re.compile(".+"))
