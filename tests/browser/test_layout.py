"""How pages lie on screens of all sizes, and whether everybody can read them."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from playwright.sync_api import Page, expect

from collector.models import Event, Payload, Topic
from collector.publish import Publisher
from dashboard.pages.shared import shared
from tests.browser.conftest import ALL, Site, opened
from tests.feeding import Feed

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("width", [390, 1280, 1600])
def test_nothing_is_wider_than_the_page(page: Page, site: Site, company: Feed, width: int) -> None:
    assert company
    page.set_viewport_size({"width": width, "height": 900})
    for address in ALL:
        opened(page, site, address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address


@pytest.mark.parametrize("width", [1280, 1600])
def test_events_with_marks_are_rows_of_a_line_or_two(page: Page, site: Site, company: Feed, width: int) -> None:
    assert company
    Event.objects.update(
        notes=["no id: its coordinates stand for it", "no time: the record's stands for it"], redeliveries=1
    )
    Topic.objects.update(name="partner.loyalty")
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, site, "/transactions/done-1")
    table = page.locator(".table-responsive", has=page.locator(".events"))
    assert table.evaluate("(box) => box.scrollWidth - box.clientWidth") == 0
    heights = table.locator("tbody tr").evaluate_all("(rows) => rows.map((row) => row.offsetHeight)")
    assert max(heights) <= 60, heights
    expect(table.locator(".note").first).to_have_attribute("title", "no id: its coordinates stand for it")


@pytest.mark.parametrize("height", [900, 600])
def test_the_inspector_ends_in_the_window_and_says_that_it_goes_on(
    page: Page, site: Site, company: Feed, height: int
) -> None:
    assert company
    long = b'{"lines": [' + b", ".join(b'{"sku": "MUG"}' for _ in range(60)) + b"]}"
    Payload.objects.update(value=long)
    page.set_viewport_size({"width": 1280, "height": height})
    opened(page, site, "/transactions/stuck-1")
    inspector = page.locator("#inspector")
    for down in (0, 120):
        page.mouse.wheel(0, down)
        expect(inspector).to_have_attribute("data-more", "")
        page.wait_for_function("document.querySelector('#inspector').getBoundingClientRect().bottom <= innerHeight - 8")
    body = inspector.locator(".card-body")
    body.evaluate("(body) => body.scrollTo(0, body.scrollHeight)")
    expect(inspector).not_to_have_attribute("data-more", "")
    page.set_viewport_size({"width": 390, "height": height})
    expect(inspector).not_to_have_attribute("data-more", "")
    assert body.evaluate("(body) => body.scrollHeight - body.clientHeight") == 0


def test_alerts_do_not_move_what_is_below_them(page: Page, site: Site, company: Feed, publisher: Publisher) -> None:
    opened(page, site, "/")
    expect(page.locator("#map")).to_have_attribute("data-drawn", re.compile(".+"))
    below = page.locator("#newest-title")
    before = below.bounding_box()
    for number in range(3):
        company.order(f"unpaid-{number}", steps=1, ago=60)
    company.order("undispatched", steps=5, ago=200)
    company.read()
    publisher.tell(["unpaid-1"], alerts=True)
    expect(page.locator(".alert-row")).to_have_count(3)
    assert below.bounding_box() == before


@pytest.mark.parametrize("width", [390, 800, 1280])
def test_what_is_wrong_is_in_sight_at_once(page: Page, site: Site, company: Feed, width: int) -> None:
    assert company
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, site, "/")
    row = page.locator(".alert-row").first.bounding_box()
    assert row
    assert row["y"] + row["height"] <= 900


@pytest.mark.parametrize(
    ("address", "parts", "last", "said"),
    [
        (
            "/transactions?status=stuck",
            (".state", ".id", "td:last-child"),
            ".now",
            "waits for inventory: StockReserved",
        ),
        ("/alerts", (".alert-what", ".alert-state", "time"), "td:last-child", "team-warehouse · #warehouse · Runbook"),
    ],
)
def test_on_a_phone_rows_say_on_whom_they_wait(
    page: Page, site: Site, company: Feed, address: str, parts: tuple[str, ...], last: str, said: str
) -> None:
    assert company
    page.set_viewport_size({"width": 390, "height": 900})
    opened(page, site, address)
    for part in (*parts, last):
        box = page.locator(f"[data-row] {part}").first.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    expect(page.locator(f"[data-row] {last}").first).to_have_text(said)


@pytest.mark.parametrize(("width", "more"), [(390, "left right"), (1800, "")])
def test_a_map_says_where_it_goes_on(page: Page, site: Site, company: Feed, width: int, more: str) -> None:
    assert company
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, site, "/?view=events")
    expect(page.locator("#map")).to_have_attribute("data-more", more)
    page.locator("#map .cs-graph-stage").evaluate("stage => stage.scrollLeft = 1e6")
    expect(page.locator("#map")).to_have_attribute("data-more", "left" if more else "")


@pytest.mark.parametrize("width", [390, 1000, 1280, 1600])
def test_the_words_of_bars_are_ten_pixels_high(page: Page, site: Site, company: Feed, width: int) -> None:
    assert company
    with connection.cursor() as cursor:  # as if they had ended before, and been more
        cursor.execute("UPDATE collector_outcome SET bucket = bucket - interval '20 min', count = count * 1000")
    shared.clear()
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, site, "/")
    sizes = page.locator(".bars svg text").evaluate_all(
        "(texts) => texts.map((text) => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a)"
    )
    assert len(sizes) > 4
    assert min(sizes) >= 10
    edges = page.locator(".bars svg text").evaluate_all(
        "(texts) => texts.map((text) => text.getBoundingClientRect().x)"
    )
    card = page.locator(".card", has=page.locator(".bars")).last.bounding_box()
    assert card
    assert min(edges) > card["x"]


UNNAMED = """() => [...document.querySelectorAll("a, button, input:not([type=hidden]), select")]
    .filter(element => element.checkVisibility() && !(element.textContent.trim() || element.ariaLabel || element.title
        || [...(element.labels ?? [])].some(label => label.textContent.trim())))
    .map(element => element.outerHTML)"""
TWICE = """() => [...document.querySelectorAll("[id]")].map(element => element.id)
    .filter((id, index, all) => all.indexOf(id) !== index)"""


def test_everything_has_a_name_and_a_landmark(page: Page, site: Site, company: Feed) -> None:
    assert company
    for address in ALL:
        opened(page, site, address)
        assert page.evaluate(UNNAMED) == [], address
        assert page.evaluate(TWICE) == [], address
        for role in ("banner", "main", "contentinfo", "search"):
            assert page.get_by_role(role).count() == 1, (address, role)  # type: ignore[arg-type]
        assert page.locator("h1").count() == 1


CONTRASTS = """() => {
    const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = (colour) => {
        const [r, g, b] = colour.map(value => value / 255).map(
            value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
        for (; element; element = element.parentElement) {
            const colour = rgba(getComputedStyle(element).backgroundColor);
            if (colour[3] === 255) return colour;
        }
        return [255, 255, 255, 255];
    };
    const poor = [];
    const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    for (let node; (node = walker.nextNode());) {
        const element = node.parentElement;
        if (!node.data.trim() || !element.checkVisibility() || element.closest("svg, .visually-hidden")) continue;
        const [one, other] = [light(rgba(getComputedStyle(element).color)), light(ground(element))];
        const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        if (contrast < 4.5) poor.push(`${contrast.toFixed(2)} ${element.className} ${node.data.trim()}`);
    }
    return poor;
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_can_be_read(page: Page, site: Site, company: Feed, theme: str) -> None:
    assert company
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    for address in ALL:
        opened(page, site, address)
        assert page.evaluate(CONTRASTS) == [], address


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("address", ["/", "/transactions/done-1?view=time", "/choreographies/order-fulfilment"])
def test_nothing_moves_when_a_graph_is_drawn(page: Page, site: Site, company: Feed, width: int, address: str) -> None:
    """There is room for it as wide as the screen is, and one task or another does not draw it bit by bit."""
    assert company
    page.set_viewport_size({"width": width, "height": 900})
    page.add_init_script(
        "window.bottoms = [];"
        "const look = () => {"
        "  const place = document.querySelector('.graph-place');"
        "  if (place) window.bottoms.push(Math.round(place.getBoundingClientRect().bottom));"
        "  requestAnimationFrame(look);"
        "};"
        "requestAnimationFrame(look);"
    )
    opened(page, site, address)
    expect(page.locator(".graph-place")).to_have_attribute("data-drawn", re.compile(".+"))
    page.evaluate("() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")
    bottoms = page.evaluate("window.bottoms")
    assert max(bottoms) - min(bottoms) <= 2, bottoms
