"""The figures of an alert: how long answers take, usually and now; how a count went."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta, timezone

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collector.correlation.buckets import bucket
from dashboard.graphs import Drawing, Happened, course_figure, meanwhile, spread_figure, usually, waiting
from tests.graph_measure import labels

START = 1_800_000_000.0
DURATIONS = st.lists(st.floats(0.0005, 3e6), max_size=30)


def counted(*seconds: float) -> Counter[int]:
    return Counter(bucket(timedelta(seconds=one)) for one in seconds)


def covering(drawing: Drawing) -> list[tuple[str, str]]:
    """Labels that touch each other, or reach over an edge."""
    found = labels(drawing)
    touching = [
        (one, other)
        for number, (one, a) in enumerate(found)
        for other, b in found[number + 1 :]
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]
    outside = [(name, "edge") for name, rect in found if rect[0] < 0 or rect[2] > drawing.width]
    return touching + outside


def test_usual_answers_beside_those_that_wait() -> None:
    drawing = spread_figure([usually(counted(*[0.8] * 99, 1.2)), waiting(counted(7, 7, 40), whole=True)], 5.0)
    assert drawing.table.header == ("How long", "Usually", "Now")
    assert drawing.table.rows[0] == ("In short", "half within 800 ms, 95% within 800 ms", "3 waiting, longest 40 s")
    assert sum(int(row[1]) for row in drawing.table.rows[1:]) == 100
    assert sum(int(row[2]) for row in drawing.table.rows[1:]) == 3
    assert "due after 5 s" in {name for name, _ in labels(drawing)}
    assert [stop["sentence"] for stop in drawing.stops][1] == "Now: 3 waiting, longest 40 s"


def test_what_is_not_known_is_said() -> None:
    drawing = spread_figure([usually({}), meanwhile({})], None)
    assert drawing.table.rows == (("In short", "not known: nothing was, answered just before", "nothing was answered"),)
    assert waiting(counted(3), whole=False).name == "Overdue by"


@settings(max_examples=60)
@given(DURATIONS, DURATIONS, st.none() | st.floats(0.001, 1e6))
@example([0.001], [2e6], None)
def test_no_label_covers_another_whatever_was_measured(usual: list[float], now: list[float], due: float | None) -> None:
    for second in (waiting(counted(*now), whole=True), meanwhile(counted(*now))):
        assert covering(spread_figure([usually(counted(*usual)), second], due)) == []


def test_a_course_with_what_happened() -> None:
    happened = [
        Happened(START, "raised"),
        Happened(START + 30, "acknowledged", "<b>ada"),
        Happened(START + 90, "resolved"),
    ]
    drawing = course_figure([(START, 3), (START + 20, 60), (START + 80, 0)], happened, START + 90)
    assert [row[1:] for row in drawing.table.rows] == [
        ("3", ""), ("", "raised"), ("60", ""), ("", "acknowledged by <b>ada"), ("0", ""), ("", "resolved"),
    ]  # fmt: skip
    hovers = [text for trace in drawing.figure["data"] for text in trace.get("hovertext", ())]
    assert any("acknowledged by &lt;b&gt;ada" in text for text in hovers)
    line = next(trace for trace in drawing.figure["data"] if trace["uid"].startswith("line-overdue"))
    there = course_figure([(START, 3)], happened, START + 90, timezone(timedelta(hours=1), "CET"))
    assert (drawing.table.rows[0][0], there.table.rows[0][0]) == ("08:00:00 UTC", "09:00:00 CET")
    assert line["x"][-1] == pytest.approx(drawing.width - 14, abs=1), "the last count lasts until now"


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 10**7)), min_size=1, max_size=30),
    st.lists(st.floats(-10, 2e6), max_size=5),
    st.floats(0, 2e6),
)
def test_no_label_of_a_course_covers_another(
    points: list[tuple[float, int]], happened: list[float], more: float
) -> None:
    course = sorted((START + at, count) for at, count in points)
    signs = [Happened(START + at, "escalated") for at in happened]
    assert covering(course_figure(course, signs, course[-1][0] + more)) == []
