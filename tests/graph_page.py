"""A page that draws figures as the real ones do, served to a browser without a server: to look at, and to measure."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path

import msgspec
from playwright.sync_api import Page, Route, expect

from dashboard.graphs import Drawing

STATIC = Path(__file__).parent.parent / "dashboard" / "static"
ADDRESS = "http://graphs.test/"
STRICT = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:"
"""A content security policy without any exception: graphs need none."""
TYPES = {".js": "text/javascript", ".css": "text/css"}

MAIN_JS = """
import { draw } from "/static/js/graph.js";
window.drawings = JSON.parse(document.getElementById("drawings").textContent);
window.chosen = [];
addEventListener("graph:select", (event) => window.chosen.push(event.detail));
window.draw = draw;
for (const element of document.querySelectorAll(".graph")) draw(element, drawings[element.dataset.name]);
"""
MAIN_CSS = """
body { margin: 16px; background: var(--cs-paper); color: var(--cs-ink); font: 14px sans-serif; }
h2 { font-size: 13px; margin: 18px 0 6px; }
[hidden] { display: none; }
"""


def markup(drawings: Mapping[str, Drawing], theme: str, hidden: bool) -> str:
    names = [html.escape(name) for name in drawings]
    sections = "".join(
        f'<h2>{name}</h2><div {"hidden" if hidden else ""}><div class="graph" data-name="{name}"></div></div>'
        for name in names
    )
    encoded = msgspec.json.encode(drawings).decode().replace("<", "\\u003c")
    return f"""<!doctype html><html lang="en" data-bs-theme="{theme}"><head><meta charset="utf-8"><title>Graphs</title>
<link rel="stylesheet" href="/static/css/graph.css"><link rel="stylesheet" href="/main.css">
<link rel="stylesheet" id="plotly.js-style-global" class="no-inline-styles" href="/static/vendor/plotly/plotly.css">
<link rel="icon" href="data:,"><script src="/static/vendor/plotly/plotly-basic.min.js"></script></head>
<body>{sections}<script type="application/json" id="drawings">{encoded}</script>
<script type="module" src="/main.js"></script></body></html>"""


def show(page: Page, drawings: Mapping[str, Drawing], *, theme: str = "light", hidden: bool = False) -> None:
    """Opens a page with a graph below each heading, and waits until all are drawn (unless they are hidden)."""
    pages = {
        "/": ("text/html", markup(drawings, theme, hidden)),
        "/main.js": ("text/javascript", MAIN_JS),
        "/main.css": ("text/css", MAIN_CSS),
    }

    def answer(route: Route) -> None:
        path = "/" + route.request.url.removeprefix(ADDRESS)
        if path in pages:
            kind, body = pages[path]
            route.fulfill(body=body, content_type=kind, headers={"Content-Security-Policy": STRICT})
        else:
            file = STATIC / path.removeprefix("/static/")
            route.fulfill(path=file, content_type=TYPES[file.suffix])

    page.route(ADDRESS + "**", answer)
    page.goto(ADDRESS)
    if not hidden:
        all_drawn(page)


def all_drawn(page: Page) -> None:
    expect(page.locator(".graph:not([data-drawn])")).to_have_count(0, timeout=30_000)
