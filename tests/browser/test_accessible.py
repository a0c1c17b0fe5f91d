"""Everybody can use the pages: axe-core finds nothing serious on any of them, in light, in dark and on a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import ALL, LIVE, Site
from tests.feeding import Feed

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
AXE = (Path(__file__).parent / "vendor" / "axe" / "axe.min.js").read_text()
PAGES = [*ALL, "/transactions/done-1?view=time", "/transactions/done-1?view=sequence", "/transactions?status=completed"]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page) -> list[str]:
    """What is serious or critical, with the elements that show it."""
    found: dict[str, Any] = page.evaluate("(tags) => axe.run({runOnly: tags})", TAGS)
    return [
        f"{one['id']}: {one['help']} – {node['html'][:160]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:3]
    ]


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_nothing_serious_is_found(browser: Browser, site: Site, company: Feed, theme: str, width: int) -> None:
    assert company
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme, bypass_csp=True)  # type: ignore[arg-type]
    context.add_init_script(AXE)
    page = context.new_page()
    said = {}
    for address in PAGES:
        page.goto(site.url + address)
        page.locator("#connection").filter(has_text=LIVE).wait_for()
        if page.locator(".graph-place").count():
            page.locator(".graph-place[data-drawn]").wait_for()
        page.evaluate("document.querySelectorAll('details:not(.menu)').forEach(folded => { folded.open = true; })")
        said[address] = violations(page)
    context.close()
    wrong = [f"{address}: {one}" for address, found in said.items() for one in found]
    assert not wrong, "\n".join(wrong)


def test_axe_notices_what_is_wrong(browser: Browser) -> None:
    context = browser.new_context()
    context.add_init_script(AXE)
    page = context.new_page()
    page.goto("about:blank")
    page.set_content('<main><img src="data:,"><p style="color:#eee;background:#fff">hardly there</p></main>')
    found = violations(page)
    context.close()
    assert any(one.startswith("image-alt") for one in found)
    assert any(one.startswith("color-contrast") for one in found)
