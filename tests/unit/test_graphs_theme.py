"""The colours of css/graph.css: all that figures name are there, in both themes, and text can be read."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from tests import graph_samples as samples

CSS = (Path(__file__).parents[2] / "dashboard" / "static" / "css" / "graph.css").read_text()
LIGHT, DARK = (
    dict(re.findall(r"--cs-([\w-]+): (#[0-9a-f]{6});", block))
    for block in re.findall(r"\{([^}]*--cs-[^}]*#[^}]*)\}", CSS)
)
ON_PAPER = ("paper", "lane")
GROUNDS = {
    "ink": (*ON_PAPER, "box"),
    "muted": (*ON_PAPER, "box"),
    "faint": ON_PAPER,
    "ok-text": ON_PAPER,
    "fail-text": ON_PAPER,
    "undo-text": ON_PAPER,
    "overdue-text": (*ON_PAPER, "overdue-soft"),
    "on-wait": ("wait",),
    "on-overdue": ("overdue",),
}
LINES = ("line", "ok-edge", "fail-edge", "undo-edge", "overdue", "box-edge", "ghost-edge")


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """As WCAG 2.2 defines it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_both_themes_have_the_same_colours() -> None:
    assert LIGHT.keys() == DARK.keys()


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"), [(text, ground) for text, grounds in GROUNDS.items() for ground in grounds]
)
def test_text_can_be_read(theme: dict[str, str], text: str, ground: str) -> None:
    assert contrast(theme[text], theme[ground]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("line", LINES)
def test_lines_and_outlines_can_be_seen(theme: dict[str, str], line: str) -> None:
    assert contrast(theme[line], theme["paper"]) >= 3


def test_figures_name_no_other_colours() -> None:
    figures = [drawing.figure for name, drawing in samples.samples().items() if "hostile" not in name]
    used = set(re.findall(r'"--cs-([\w-]+)"', msgspec.json.encode(figures).decode()))
    assert used <= LIGHT.keys()
    assert {one for one in used if one.endswith("-text") or one.startswith("on-")} <= GROUNDS.keys()
