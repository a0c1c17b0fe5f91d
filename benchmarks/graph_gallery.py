"""Draws the sample graphs and takes pictures of them, to be looked at: what a test cannot judge.

python -m benchmarks.graph_gallery FOLDER [NAME …]      # light and dark, 1280 and 1600 wide
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.graph_page import show
from tests.graph_samples import samples


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    drawings = {name: drawing for name, drawing in samples().items() if not names or name in names}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        for theme, width in (("light", 1280), ("dark", 1600), ("light", 960)):
            tab = browser.new_page(viewport={"width": width, "height": 900})
            tab.on("console", lambda message: print(message.text))
            show(tab, drawings, theme=theme)
            for name in drawings:
                picture = folder / f"{name.replace(' ', '-')}-{theme}-{width}.png"
                tab.locator(f'[data-name="{name}"]').screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
