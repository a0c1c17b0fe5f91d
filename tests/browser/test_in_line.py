"""Small things stand in line with what is beside them."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Site, opened
from tests.feeding import Feed

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WORDS = """(element) => {
    const range = document.createRange();
    range.selectNodeContents([...element.childNodes].findLast(node => node.nodeType === 3 && node.data.trim()));
    const {left, top, right, bottom} = range.getBoundingClientRect();
    return {left, right, middle: (top + bottom) / 2};
}"""
"""Where the last words of an element are, whatever is around them."""


def middle(of: Locator) -> float:
    box = of.bounding_box()
    assert box
    return box["y"] + box["height"] / 2


def test_the_key_that_searches_is_shown_amid_the_height_of_the_field(page: Page, site: Site, company: Feed) -> None:
    assert company
    opened(page, site, "/")
    assert abs(middle(page.locator(".search kbd")) - middle(page.locator("#search"))) <= 1
    assert abs(middle(page.locator(".search .icon")) - middle(page.locator("#search"))) <= 1.5


@pytest.mark.parametrize(("address", "badge"), [("/transactions/stuck-1", ".state"), ("/services/inventory", ".note")])
def test_a_badge_is_on_the_line_of_the_words_beside_it(
    page: Page, site: Site, company: Feed, address: str, badge: str
) -> None:
    assert company
    opened(page, site, address)
    title = page.locator(".title")
    word = title.locator(badge).evaluate(WORDS)
    beside = title.locator("> .text-secondary").last.evaluate(WORDS)
    assert abs(word["middle"] - beside["middle"]) <= 1


@pytest.mark.parametrize(
    "address", ["/", "/transactions/done-1", "/choreographies/order-fulfilment", "/services/order"]
)
def test_tables_of_graphs_begin_where_the_card_s_text_does(page: Page, site: Site, company: Feed, address: str) -> None:
    assert company
    opened(page, site, address)
    if page.locator(".graph-place").count():
        expect(page.locator(".graph-place")).to_have_attribute("data-drawn", re.compile(".+"))
    for card in page.locator(".card", has=page.locator("summary", has_text="As a table")).all():
        summary = card.locator("summary", has_text="As a table").bounding_box()
        title = card.locator(".card-title").bounding_box()
        assert summary
        assert title
        assert abs(summary["x"] - title["x"]) <= 1, title


def test_on_a_phone_durations_stand_below_each_other(page: Page, site: Site, company: Feed) -> None:
    assert company
    page.set_viewport_size({"width": 390, "height": 900})
    opened(page, site, "/transactions")
    ends = {
        round(one.evaluate(WORDS)["right"]) for one in page.locator("[data-row] td:nth-child(6):not(:has(time))").all()
    }
    assert len(ends) == 1
    badges = {round(one.bounding_box()["x"] + one.bounding_box()["width"]) for one in page.locator(".state").all()}  # type: ignore[index]
    assert len(badges) == 1


@pytest.mark.parametrize("address", ["/", "/services", "/ingestion"])
def test_on_a_phone_the_entry_of_the_page_is_in_sight(page: Page, site: Site, company: Feed, address: str) -> None:
    assert company
    page.set_viewport_size({"width": 390, "height": 900})
    opened(page, site, address)
    box = page.locator(".entries .active").bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert page.evaluate("[scrollX, scrollY]") == [0, 0]


def test_commands_are_shown_as_code(page: Page, site: Site, company: Feed) -> None:
    """Nothing is alive here but the site."""
    assert company
    opened(page, site, "/alerts")
    expect(page.locator(".trouble code").first).to_have_text("python manage.py collect", timeout=20_000)
    expect(page.locator("#troubles")).not_to_contain_text("`")


@pytest.mark.parametrize("width", [390, 1280])
def test_a_rhythm_has_times_that_can_be_read(page: Page, site: Site, company: Feed, width: int) -> None:
    assert company
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, site, "/services/order")
    times = [one.bounding_box() for one in page.locator(".times text").all()]
    assert len(times) >= 3
    for one, after in pairwise(times):
        assert one
        assert after
        assert one["height"] >= 11
        assert one["x"] + one["width"] < after["x"]


@pytest.mark.parametrize("width", [1280, 1600])
def test_the_map_has_no_more_room_than_it_needs(page: Page, site: Site, company: Feed, width: int) -> None:
    """Neither alerts nor what is told below them make its card higher."""
    assert company
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, site, "/?view=events")
    graph = page.locator("#map")
    expect(graph).to_have_attribute("data-drawn", re.compile(".+"))
    card = page.locator(".card", has=graph).bounding_box()
    drawn = graph.bounding_box()
    alerts = page.locator(".reserved").bounding_box()
    assert card
    assert drawn
    assert alerts
    assert card["y"] + card["height"] - drawn["y"] - drawn["height"] <= 30
    assert alerts["height"] == card["height"]
