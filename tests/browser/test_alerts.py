"""The pages of alerts as an operator sees them, on screens of all sizes; and logging in."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from dashboard.accounts.roles import Role, add_user
from dashboard.alerts.models import Alert
from dashboard.notifying import channels
from tests.browser.conftest import Site
from tests.feeding import Feed

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def ada(page: Page, site: Site, company: Feed) -> Page:
    """An operator's browser."""
    client = Client()
    client.force_login(add_user("ada", "a long enough word", Role.OPERATOR))
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site.url}
    page.context.add_cookies([cookie])  # type: ignore[list-item]
    channels.create("ops", "webhook", "https://hooks.example.com/services/do-not-show")
    return page


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
    expect(ada.locator("[data-row] .note", has_text="acknowledged")).to_be_visible()
    ada.locator("[data-row] a").first.click()
    expect(ada.locator("#live")).to_contain_text(re.compile("Acknowledged by ada: Looking at it"))


def test_logging_in_and_out(page: Page, site: Site) -> None:
    add_user("ben", "a long enough word", Role.VIEWER)
    page.goto(f"{site.url}/login?next=/alerts")
    page.get_by_label("Name").fill("ben")
    page.get_by_label("Password").fill("a long enough word")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Alerts")).to_be_visible()
    page.get_by_role("button", name="Log out ben").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
