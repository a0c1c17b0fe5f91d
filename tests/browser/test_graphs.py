"""Graphs as a browser draws them: what the layout promises, measured on the page; and what a person can do there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Page, expect

from dashboard.graphs import Drawing
from tests import graph_samples as samples
from tests.graph_page import all_drawn, show

pytestmark = pytest.mark.browser

# Rectangles of labels and nodes as they are on the screen, and lines as points along their paths, for one graph.
MEASURE = """
(graph) => {
  const rect = (node) => { const r = node.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
  const all = (query) => [...graph.querySelectorAll(query)];
  const texts = all(".textpoint text").map((node) => [node.textContent, ...rect(node)]);
  const marks = all(".tracemarks .point, .tracearrows .point").map(rect);
  const points = [];
  for (const path of all(".js-line")) {
    if (path.closest('[class*="tracebox"], [class*="traceband"]')) continue;
    const to = path.getScreenCTM();
    for (let at = 0, end = path.getTotalLength(); at <= end; at += 3) {
      const point = path.getPointAtLength(at).matrixTransform(to);
      points.push([point.x, point.y]);
    }
  }
  const frame = rect(graph.querySelector(".main-svg"));
  const badge = ([, l, t, r, b]) => marks.some((m) => m[0] <= l && m[1] <= t && m[2] >= r && m[3] >= b);
  const overlap = (a, b) => a[0] < b[2] - 0.5 && b[0] < a[2] - 0.5 && a[1] < b[3] - 0.5 && b[1] < a[3] - 0.5;
  const free = texts.filter((text) => !badge(text));
  const found = [];
  free.forEach(([name, ...one], i) => {
    if (one[0] < frame[0] || one[1] < frame[1] - 1 || one[2] > frame[2] || one[3] > frame[3] + 1)
      found.push(`${name} is cut off`);
    for (const [other, ...two] of free.slice(i + 1)) if (overlap(one, two)) found.push(`${name} touches ${other}`);
    if (marks.some((mark) => overlap(one, mark))) found.push(`${name} touches a node`);
    if (points.some(([x, y]) => x > one[0] && x < one[2] && y > one[1] + 0.5 && y < one[3] - 0.5))
      found.push(`${name} touches a line`);
  });
  return { found, labels: texts.length, lines: points.length };
}
"""


@pytest.fixture
def tab(page: Page) -> Iterator[Page]:
    """A page in which whatever the console says, a warning or a refusal of the security policy too, fails the test."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    yield page
    assert said == []


@pytest.fixture(scope="module")
def drawings() -> dict[str, Drawing]:
    return samples.samples()


@pytest.mark.parametrize("width", [800, 1280, 1600])
def test_no_label_touches_anything_on_the_page(tab: Page, drawings: dict[str, Drawing], width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 900})
    show(tab, drawings)
    for name in drawings:
        measured = tab.locator(f'[data-name="{name}"]').evaluate(MEASURE)
        assert measured["found"] == [], name
        assert measured["labels"]


@pytest.mark.parametrize("width", [390, 800, 1280])
def test_words_are_ten_pixels_high_on_every_screen(tab: Page, drawings: dict[str, Drawing], width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 900})
    some = ("overdue", "belated", "belated over time", "belated as sequence", "services", "events", "large")
    show(tab, {name: drawings[name] for name in some})
    sizes = "(texts) => texts.map((text) => parseFloat(getComputedStyle(text).fontSize))"
    assert min(tab.locator(".textpoint text").evaluate_all(sizes)) >= 9.99


def test_measuring_notices_a_label_on_a_line(tab: Page) -> None:
    show(tab, {"overdue": samples.overdue()})
    graph = tab.locator(".graph")
    graph.evaluate("(graph) => Plotly.restyle(graph.querySelector('.js-plotly-plot'), {textposition: 'bottom center'})")
    assert graph.evaluate(MEASURE)["found"]


def test_the_demo_fits_at_1280_without_scrolling(tab: Page) -> None:
    show(tab, {"overdue": samples.overdue(), "services": samples.services(samples.FLOWS, samples.WAITING)})
    for graph in tab.locator(".cs-graph-stage").all():
        assert graph.evaluate("(graph) => graph.scrollWidth <= graph.clientWidth")


def test_on_a_phone_what_is_overdue_is_in_sight_from_the_start(tab: Page) -> None:
    tab.set_viewport_size({"width": 390, "height": 844})
    show(tab, {view: samples.unanswered(view) for view in ("causal", "time", "sequence")})
    for graph in tab.locator(".graph").all():
        mark = graph.locator(".textpoint text", has_text="PaymentAuthorized").bounding_box()
        assert mark
        assert mark["x"] >= 0
        assert mark["x"] + mark["width"] <= 390
    moved = tab.locator(".cs-graph-stage").nth(1)
    moved.evaluate("(stage) => (stage.scrollLeft = 7)")
    newer = msgspec.json.encode(samples.belated("time")).decode()
    wide = samples.belated("time").width
    tab.evaluate("(text) => draw(document.querySelectorAll('.graph')[1], JSON.parse(text))", newer)
    tab.locator(f"[data-width='{wide}']").wait_for()
    assert moved.evaluate("(stage) => stage.scrollLeft") == 7, "what a viewer scrolled to stays"
    tab.evaluate(
        "(text) => draw(document.querySelectorAll('.graph')[1], {...JSON.parse(text), height: 400}, true)", newer
    )
    expect(moved).to_have_js_property("scrollLeft", 0)


def test_on_a_phone_the_box_with_most_overdue_is_in_sight_from_the_start(tab: Page) -> None:
    tab.set_viewport_size({"width": 390, "height": 844})
    show(tab, {"services": samples.services(samples.FLOWS, samples.WAITING)})
    overdue = tab.locator(".graph .textpoint text", has_text=re.compile("overdue$")).first.bounding_box()
    assert overdue
    assert overdue["x"] >= 0
    assert overdue["x"] + overdue["width"] <= 390


def test_rows_are_named_where_the_drawing_was_scrolled_beyond_their_names(tab: Page) -> None:
    tab.set_viewport_size({"width": 390, "height": 844})
    show(tab, {view: samples.unanswered(view) for view in ("causal", "time", "sequence")})
    for graph, row in zip(tab.locator(".graph").all(), ("payment", "payment", "start"), strict=True):
        stage, name = graph.locator(".cs-graph-stage"), graph.locator(".cs-graph-rows span", has_text=row).first
        stage.evaluate("(stage) => (stage.scrollLeft = 60)")
        expect(graph).to_have_attribute("data-more", re.compile("left"))
        expect(name).to_be_in_viewport()
        within = graph.locator(".textpoint text", has_text=re.compile(f"^{row}$")).first
        beside, drawn = name.bounding_box(), within.bounding_box()
        assert beside
        assert drawn
        assert beside["x"] >= 0
        assert abs(beside["y"] + beside["height"] / 2 - drawn["y"] - drawn["height"] / 2) < 3
        stage.evaluate("(stage) => (stage.scrollLeft = 0)")
        expect(name).to_be_hidden()


def test_colours_follow_the_theme(tab: Page) -> None:
    show(tab, {"overdue": samples.overdue()})
    title = tab.locator(".textpoint text", has_text="OrderPlaced")
    light = title.evaluate("(node) => getComputedStyle(node).fill")
    tab.evaluate("document.documentElement.dataset.bsTheme = 'dark'")
    expect(tab.locator(".graph")).to_have_attribute("data-drawn", re.compile("dark"))
    dark = title.evaluate("(node) => getComputedStyle(node).fill")
    assert (light, dark) == ("rgb(27, 36, 51)", "rgb(231, 236, 244)")


def test_a_running_clock_runs(tab: Page) -> None:
    tab.clock.install(time=samples.START + timedelta(seconds=172))
    show(tab, {"overdue": samples.overdue()})
    tab.clock.pause_at(samples.START + timedelta(seconds=772))
    tab.locator(".textpoint", has_text="waiting 12 min 48 s").wait_for()
    tab.clock.run_for(70_000)
    tab.locator(".textpoint", has_text="waiting 13 min 58 s").wait_for()


def test_clicking_a_step_says_which(tab: Page) -> None:
    show(tab, {"overdue": samples.overdue()})
    place = tab.locator(".tracemarks .point").nth(1).bounding_box()
    assert place
    tab.mouse.move(place["x"] + 8, place["y"] + 8, steps=3)
    tab.locator(".hoverlayer .hovertext").wait_for()
    tab.mouse.click(place["x"] + 8, place["y"] + 8)
    tab.wait_for_function("chosen.length")
    assert tab.evaluate("chosen[0]") == {"kind": "event", "source": "/services/payment", "id": "PaymentAuthorized"}


def test_pointing_at_a_badge_tells_and_clicking_it_opens(tab: Page) -> None:
    show(tab, {"services": samples.services(samples.FLOWS, samples.WAITING)})
    place = tab.locator(".textpoint", has_text="317").bounding_box()
    assert place
    tab.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2, steps=3)
    told = tab.locator(".hoverlayer .hovertext")
    told.wait_for()
    assert "317 wait for ShipmentDispatched, 17 of them overdue" in (told.text_content() or "")
    tab.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    tab.wait_for_function("chosen.length")
    assert tab.evaluate("chosen[0].awaited") == ["ShipmentDispatched"]


def test_steps_can_be_walked_by_keyboard(tab: Page) -> None:
    show(tab, {"overdue": samples.overdue()})
    tab.locator(".cs-graph-stage").focus()
    said = []
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Enter"):
        tab.keyboard.press(key)
        said.append(tab.locator(".cs-graph-says").inner_text())
    assert said[:3] == [
        "OrderPlaced, order: event",
        "PaymentAuthorized, payment: event",
        "StockReserved, inventory: event",
    ]
    assert tab.evaluate("chosen[0].id") == "StockReserved"
    ring = tab.locator(".cs-graph-ring").bounding_box()
    mark = tab.locator(".tracemarks .point").nth(2).bounding_box()
    assert ring
    assert mark
    assert abs(ring["x"] + ring["width"] / 2 - mark["x"] - mark["width"] / 2) < 2
    assert abs(ring["y"] + ring["height"] / 2 - mark["y"] - mark["height"] / 2) < 2


def test_zoom_and_the_chosen_step_survive_an_update(tab: Page) -> None:
    show(tab, {"a": samples.overdue()})
    tab.locator(".cs-graph-stage").focus()
    tab.keyboard.press("ArrowRight")
    box = tab.locator(".nsewdrag").bounding_box()
    assert box
    tab.mouse.move(box["x"] + 100, box["y"] + 40)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 700, box["y"] + 300, steps=5)
    tab.mouse.up()
    ranges = "['xaxis', 'yaxis'].map((one) => plot._fullLayout[one].range.map(Math.round))"
    range_now = f"(() => {{ const plot = document.querySelector('.js-plotly-plot'); return {ranges} }})()"
    zoomed: Any = tab.evaluate(range_now)
    assert zoomed[0][0] > 50
    newer = show_newer(tab, samples.completed())
    assert newer == "OrderCompleted"
    assert tab.evaluate(range_now) == zoomed
    show_newer(tab, msgspec.structs.replace(samples.completed(), width=2_000, stretch=()))
    tab.locator("[data-width='2000']").wait_for()
    assert tab.evaluate(range_now) == zoomed
    assert tab.locator(".cs-graph-ring").is_visible()


def show_newer(tab: Page, drawing: Drawing) -> str | None:
    """Draws over what is there, as a live update does; returns the title of the end, once it is there."""
    tab.evaluate(
        "(text) => draw(document.querySelector('.graph'), JSON.parse(text))", msgspec.json.encode(drawing).decode()
    )
    return tab.locator(".textpoint text", has_text="OrderCompleted").text_content()


def test_a_hidden_graph_is_drawn_when_it_is_shown(tab: Page) -> None:
    show(tab, {"overdue": samples.overdue()}, hidden=True)
    assert tab.locator(".main-svg").count() == 0
    tab.evaluate("document.querySelectorAll('[hidden]').forEach((one) => (one.hidden = false))")
    all_drawn(tab)
    assert tab.locator(".textpoint").count()


def test_hostile_names_are_text_and_nothing_else(tab: Page) -> None:
    show(tab, {"one": samples.hostile(), "two": samples.services(samples.hostile_flows())})
    assert tab.locator(".textpoint a, .textpoint tspan, .textpoint script").count() == 0
    assert tab.locator(".textpoint text", has_text="<b>Überweis").count()
    assert tab.locator(".textpoint text", has_text="--cs-ok").count()


def test_every_graph_has_a_table_twin(tab: Page) -> None:
    show(tab, {"overdue": samples.overdue()})
    tab.locator("summary", has_text="As a table").click()
    tab.locator(".cs-graph-twin td").first.wait_for()
    cells = tab.locator(".cs-graph-twin tr").nth(1).locator("td").all_inner_texts()
    assert cells == ["OrderPlaced", "order", "event", "2026-11-20 12:01:43.120 UTC", "—"]
