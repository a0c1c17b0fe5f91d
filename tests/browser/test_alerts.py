"""The pages of alerts as an operator sees them, on screens of all sizes; and logging in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from collector.publish import Publisher
from dashboard.accounts.roles import Role, add_user
from dashboard.alerts import lifecycle
from dashboard.alerts.models import Alert
from dashboard.notifying import channels
from tests.browser.conftest import Site, opened
from tests.browser.test_accessible import AXE, violations
from tests.feeding import Feed
from tests.stack.waiting import poll_until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


# In place of the browser's own: it is asked, remembers the answer, and keeps what it was told.
ASKED = """
window.told = [];
window.Notification = class {
  static get permission() { return localStorage.getItem("permission") ?? "default"; }
  static async requestPermission() { localStorage.setItem("permission", "granted"); return "granted"; }
  constructor(title, { body, tag }) { window.told.push([title, body, tag]); }
};
"""
ANOTHER = "1 transaction waits for ShipmentScheduled from shipping"


def log_in(page: Page, site: Site) -> None:
    client = Client()
    client.force_login(add_user("ada", "a long enough word", Role.OPERATOR))
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site.url}
    page.context.add_cookies([cookie])  # type: ignore[list-item]


@pytest.fixture
def ada(page: Page, site: Site, company: Feed) -> Page:
    """An operator's browser."""
    log_in(page, site)
    channels.create("ops", "webhook", "https://hooks.example.com/services/do-not-show")
    later = timezone.now() + timedelta(hours=1)
    lifecycle.silence({"service": "payment", "kind": "stuck"}, "ada", "The mail provider moves tonight.", later)
    return page


def another(company: Feed, publisher: Publisher) -> None:
    """One more alert."""
    company.order("unsent", steps=3, ago=60)
    company.read()
    publisher.tell(["unsent"], alerts=True)


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_page(ada: Page, site: Site, width: int) -> None:
    ada.set_viewport_size({"width": width, "height": 900})
    for address in ("/alerts", f"/alerts/{Alert.objects.get().pk}", "/channels", "/login"):
        ada.goto(site.url + address)
        assert ada.evaluate("document.documentElement.scrollWidth") <= width, address


def test_an_operator_acknowledges_what_is_ticked(ada: Page, site: Site) -> None:
    ada.goto(f"{site.url}/alerts")
    ada.get_by_role("checkbox").first.check()
    ada.get_by_label("Why").fill("Looking at it.")
    ada.get_by_role("button", name="Acknowledge").click()
    expect(ada.locator("[data-row] .state", has_text="Acknowledged")).to_be_visible()
    ada.locator("[data-row] a").first.click()
    expect(ada.locator("#live")).to_contain_text(re.compile("Acknowledged by ada: Looking at it"))


def test_many_are_ticked_by_key_and_stay_so(ada: Page, site: Site, company: Feed, publisher: Publisher) -> None:
    opened(ada, site, "/alerts")
    expect(ada.get_by_role("button", name="Acknowledge")).to_be_disabled()
    ada.keyboard.press("j")
    ada.keyboard.press("x")
    expect(ada.locator("#ticked")).to_have_text("1 ticked")
    another(company, publisher)
    expect(ada.locator("#live")).to_contain_text(ANOTHER)
    expect(ada.locator("#ticked")).to_have_text("1 ticked")
    ada.get_by_label("1 ticked").check()
    expect(ada.locator("#ticked")).to_have_text("2 ticked")
    ada.get_by_role("button", name="Snooze").press("Enter")
    expect(ada.get_by_role("status").filter(has_text="2 alerts snoozed until")).to_be_visible()
    expect(ada.locator(".state", has_text="Snoozed")).to_have_count(2)


def test_whoever_closes_transactions_says_why(ada: Page, site: Site) -> None:
    opened(ada, site, f"/alerts/{Alert.objects.get().pk}")
    ada.get_by_role("button", name="Abandon its transactions").click()
    why = ada.get_by_role("textbox", name="Why")
    assert why.evaluate("field => field.validity.valueMissing")
    why.fill("The warehouse burnt down.")
    ada.get_by_role("button", name="Abandon its transactions").click()
    expect(ada.get_by_role("status").filter(has_text="3 transactions closed.")).to_be_visible()


def test_the_figures_of_an_alert_follow_what_happens(
    page: Page, site: Site, company: Feed, publisher: Publisher
) -> None:
    opened(page, site, f"/alerts/{Alert.objects.get().pk}")
    for figure in ("#spread", "#course"):
        expect(page.locator(figure)).to_have_attribute("data-drawn", re.compile(".+"))
    page.locator("#spread").get_by_text("As a table").click()
    expect(page.locator("#spread table")).to_contain_text("3 waiting, longest 1 min")
    expect(page.locator("#common")).to_contain_text("Nothing sets 3 of those that wait apart")
    company.order("stuck-9", steps=2, ago=70)
    company.read()
    publisher.tell(["stuck-9"], alerts=True)
    expect(page.locator("h1")).to_have_text("4 transactions wait for StockReserved from inventory")
    expect(page.locator("#spread table")).to_contain_text("4 waiting, longest 1 min")


def test_on_a_phone_the_figures_of_an_alert_are_in_sight(page: Page, site: Site, company: Feed) -> None:
    assert company
    page.set_viewport_size({"width": 390, "height": 900})
    opened(page, site, f"/alerts/{Alert.objects.get().pk}")
    for name in ("spread", "course"):
        expect(page.locator(f"#{name}")).to_have_attribute("data-drawn", re.compile(".+"))
        expect(page.locator(f"#{name}")).to_have_attribute("data-more", "")


def test_a_browser_tells_of_new_alerts_if_asked_to(page: Page, site: Site, company: Feed, publisher: Publisher) -> None:
    page.add_init_script(ASKED)
    opened(page, site, "/alerts")
    expect(page).to_have_title("(1) Alerts · Choreoscope")
    page.get_by_role("button", name="Tell me in this browser").click()
    expect(page.get_by_role("button", name="Told in this browser: stop")).to_be_visible()
    opened(page, site, "/ingestion")
    another(company, publisher)
    told = poll_until(lambda: page.evaluate("window.told"), 5, "the browser to be told")
    assert told == [[ANOTHER, "order-fulfilment", "shipping"]]
    expect(page).to_have_title("(2) Ingestion · Choreoscope")
    publisher.tell([], alerts=True)
    opened(page, site, "/alerts")
    assert page.evaluate("window.told") == [], "once"
    page.get_by_role("button", name="Told in this browser: stop").click()
    expect(page.get_by_role("button", name="Tell me in this browser")).to_be_visible()


@pytest.fixture
def examined(browser: Browser, site: Site, company: Feed, request: pytest.FixtureRequest) -> Iterator[Page]:
    """An operator's browser with axe-core in it."""
    theme, width = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme, bypass_csp=True)
    context.add_init_script(AXE)
    page = context.new_page()
    log_in(page, site)
    yield page
    context.close()


@pytest.mark.parametrize("examined", [("light", 1280), ("dark", 390)], indirect=True)
def test_everybody_can_use_them(examined: Page, site: Site) -> None:
    for address in ("/alerts", f"/alerts/{Alert.objects.get().pk}", "/channels", "/login"):
        examined.goto(site.url + address)
        if "/alerts/" in address:
            examined.locator("#spread[data-drawn]").wait_for()
        assert violations(examined) == [], address


@pytest.mark.parametrize("examined", [("light", 390)], indirect=True)
def test_on_a_phone_ticks_lie_on_nothing(examined: Page, site: Site) -> None:
    examined.goto(f"{site.url}/alerts")
    tick = examined.locator(".tick input").first.bounding_box()
    said = examined.locator("td.alert-what").first.bounding_box()
    assert tick
    assert said
    assert tick["x"] + tick["width"] <= said["x"]


def test_logging_in_and_out(page: Page, site: Site) -> None:
    add_user("ben", "a long enough word", Role.VIEWER)
    page.goto(f"{site.url}/login?next=/alerts")
    page.get_by_label("Name").fill("ben")
    page.get_by_label("Password").fill("a long enough word")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Alerts")).to_be_visible()
    page.get_by_role("button", name="Log out ben").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
