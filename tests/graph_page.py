"""A page that draws figures as the real ones do, from files only: for looking at them and for measuring them."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path

import msgspec

from dashboard.graphs import Drawing

STATIC = Path(__file__).parent.parent / "dashboard" / "static"


def page(drawings: Mapping[str, Drawing], *, theme: str = "light") -> str:
    """A standalone page with a graph below each heading. graph.js is inlined, since files cannot import modules."""
    script = (STATIC / "js" / "graph.js").read_text().replace("export function", "function")
    sections = "".join(
        f'<h2>{html.escape(name)}</h2><div class="graph" data-name="{html.escape(name)}"></div>' for name in drawings
    )
    encoded = msgspec.json.encode(drawings).decode().replace("<", "\\u003c")
    return f"""<!doctype html>
<html lang="en" data-bs-theme="{theme}"><head><meta charset="utf-8"><title>Graphs</title>
<link rel="stylesheet" href="{(STATIC / "css" / "graph.css").as_uri()}">
<script src="{(STATIC / "vendor" / "plotly" / "plotly-cartesian.min.js").as_uri()}"></script>
<style>
  body {{ margin: 16px; background: var(--cs-paper); color: var(--cs-ink); font: 14px sans-serif; }}
  h2 {{ font-size: 13px; margin: 18px 0 6px; }}
</style></head><body>{sections}
<script type="module">
{script}
const drawings = {encoded};
for (const element of document.querySelectorAll(".graph")) draw(element, drawings[element.dataset.name]);
</script></body></html>"""
