"""Text made safe, short and measured."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.graphs import Drawing, text
from tests import graph_samples as samples


@given(st.text(max_size=500))
def test_clean_text_is_one_printable_line_and_never_empty(raw: str) -> None:
    cleaned = text.clean(raw)
    assert cleaned
    assert all(char == " " or char.isprintable() for char in cleaned)
    assert text.clean(cleaned) == cleaned


@given(st.text(max_size=500), st.integers(20, 200), st.booleans())
def test_short_text_fits_its_room(raw: str, room: int, bold: bool) -> None:
    assert text.width(text.short(raw, room, 12, bold), 12, bold) <= room


def test_the_middle_is_what_goes() -> None:
    cut = text.short("com.example.orders.OrderPlaced.v1", 120, 12)
    assert cut.startswith("com.")
    assert cut.endswith("ed.v1")


@pytest.mark.parametrize("sign", ["\u202e", "\u200b", "\u200d", "\ufeff", "\x00", "\x1b", "\u2066", "\n"])
def test_invisible_and_override_characters_are_gone(sign: str) -> None:
    assert sign not in text.clean(f"a{sign}b")


def test_towers_of_marks_are_cut_down() -> None:
    assert len(text.clean("a" + "\u0301" * 50)) == 3


def test_escaped_text_holds_neither_markup_nor_tex() -> None:
    assert text.escape("<a href='x'>$x^2$ & more") == "&lt;a href='x'&gt;&#36;x^2&#36; &amp; more"


def strings(drawing: Drawing) -> list[str]:
    """Everything in the figure that Plotly reads as its subset of HTML."""
    return [
        string for trace in drawing.figure["data"] for key in ("text", "hovertext") for string in trace.get(key, [])
    ]


@pytest.mark.parametrize(
    "drawing",
    [samples.hostile(), samples.services(samples.hostile_flows()), samples.repeated()],
    ids=["transaction", "map", "folded"],
)
def test_no_figure_holds_markup_of_others(drawing: Drawing) -> None:
    for string in strings(drawing):
        assert not re.search("<(?!br>)", string), string
        assert "$" not in string
        assert len(html.unescape(string)) < 1000


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 ms"),
        (0.038, "38 ms"),
        (0.0999, "100 ms"),
        (1.44, "1.4 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (168, "2 min 48 s"),
        (3780, "1 h 03 min"),
        (273_600, "3 d 4 h"),
        (-0.2, "−200 ms"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert text.duration(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 ms"), (0.004, "4 ms"), (0.0384, "38 ms"), (0.4983, "500 ms"), (0.9934, "990 ms"), (0.997, "1.0 s"),
        (3.02, "3.0 s"), (9.96, "10 s"), (48.4, "48 s"), (59.6, "1 min"), (123.4, "2.1 min"), (271, "4.5 min"),
        (1000, "17 min"), (3599, "1 h"), (8000, "2.2 h"), (50_000, "14 h"), (86_000, "1 d"),
        (273_600, "3.2 d"), (1e6, "12 d"),
    ],
)  # fmt: skip
def test_what_is_known_within_a_hundredth_has_two_digits(seconds: float, said: str) -> None:
    assert text.about(seconds) == said


@pytest.mark.parametrize(
    ("count", "most", "said"),
    [
        (3720, 3720, "12.4/s"),
        (60_000, 60_000, "200/s"),
        (3, 60_000, "0.01/s"),
        (1, 60_000, "<0.01/s"),
        (300, 300, "60.0/min"),
        (3, 300, "0.6/min"),
        (0, 300, "0/min"),
        (3, 3, "36.0/h"),
        (0, 0, "0/s"),
    ],
)
def test_rates_over_five_minutes_in_the_unit_that_the_greatest_asks_for(count: int, most: int, said: str) -> None:
    assert text.rate(count, 300, text.pace(most, 300)) == said


@pytest.mark.parametrize(("count", "said"), [(7, "7"), (999, "999"), (1234, "1.2k"), (12_345, "12k"), (10**7, "10M")])
def test_numbers_for_badges(count: int, said: str) -> None:
    assert text.number(count) == said


@pytest.mark.parametrize(
    ("lengths", "said"),
    [
        ([0, 1.4, 2.1], ["0 ms", "1.4 s", "2.1 s"]),
        ([0.591, 204.6, 205.0, 205.4], ["591 ms", "3 min 24.6 s", "3 min 25.0 s", "3 min 25.4 s"]),
        ([12.0, 12.04, 12.04, 60], ["12.00 s", "12.04 s", "12.04 s", "1 min 00.00 s"]),
        ([3600, 3605.2, 7200], ["1 h 00 min 00 s", "1 h 00 min 05 s", "2 h 00 min 00 s"]),
        ([90_000, 90_000.5], ["1 d 1 h 00 min 00.0 s", "1 d 1 h 00 min 00.5 s"]),
        ([5.0, 5.0001], ["5.0 s", "5.0 s"]),
        ([], []),
    ],
)
def test_lengths_are_as_exact_as_it_takes_to_tell_them_apart(lengths: list[float], said: list[str]) -> None:
    assert text.apart(lengths) == said


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("ShipmentDispatched", ("Shipment", "Dispatched")),
        ("order.line_item-added", ("order.line_", "item-added")),
        ("Line confirmed again", ("Line", "confirmed again")),
        ("Placed", ("Placed",)),
        ("", ("",)),
    ],
)
def test_names_are_broken_between_words(name: str, lines: tuple[str, ...]) -> None:
    assert text.halves(name) == lines
