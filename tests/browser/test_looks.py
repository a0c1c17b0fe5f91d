"""Pictures of all pages, light, dark and on a phone, to be looked at: kept in the folder SCREENSHOTS or var/."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from dashboard.alerts.models import Alert
from tests.browser.conftest import ALL, LIVE, Site
from tests.feeding import Feed
from tests.stack import place

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ALONE = ["/login", "/no-such-page"]
"""Without what is around the other pages."""
KEPT = Path(os.environ.get("SCREENSHOTS") or place.ROOT / "var" / "screenshots")
PAGES = [*ALL, "/transactions/declined?view=time", "/transactions/done-1?view=sequence", "/channels", *ALONE]
ALERT = "/alert"
"""Stands for the page of the alert that there is."""


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)])
def test_each_page_has_its_picture(browser: Browser, site: Site, company: Feed, theme: str, width: int) -> None:
    assert company
    KEPT.mkdir(parents=True, exist_ok=True)
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)  # type: ignore[arg-type]
    page = context.new_page()
    pictures = []
    for address in (*PAGES, ALERT):
        page.goto(site.url + (f"/alerts/{Alert.objects.get().pk}" if address == ALERT else address))
        if address not in ALONE:
            page.locator("#connection").filter(has_text=LIVE).wait_for()
        if page.locator(".graph-place").count():
            page.locator(".graph-place[data-drawn]").first.wait_for()
        if address == ALERT:
            page.get_by_text("Compared").wait_for()
        name = re.sub(r"[^a-z0-9]+", "-", address.lower()).strip("-") or "overview"
        pictures.append(KEPT / f"{name}-{theme}-{width}.png")
        page.screenshot(path=pictures[-1], full_page=True)
    page.keyboard.press("?")
    pictures.append(KEPT / f"help-{theme}-{width}.png")
    page.screenshot(path=pictures[-1])
    context.close()
    assert len(set(pictures)) == len(PAGES) + 2
    assert all(picture.stat().st_size > 5_000 for picture in pictures)
