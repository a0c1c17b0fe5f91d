"""Columns of maps stand as close as labels, bends and arrows allow."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.graphs.routing import curve, smooth
from dashboard.graphs.scene import overlap
from dashboard.graphs.spacing import CHANNEL, CLEAR, NARROWEST, ROUGH, Column, Label, across
from tests import graph_samples as samples
from tests.graph_measure import crosses

BOX = Column(wide=100.0)


def label(wide: float = 100.0) -> Column:
    """One above a wire at 0."""
    return Column(labels=[Label(wide, -28.0, -14.0)])


def widths(*curves: list[tuple[float, float]], middle: Column | None = None) -> list[float]:
    """Of the first channel, the column of labels, and the second channel."""
    zones, channels = across([BOX, middle or label(), BOX], [*curves, []])
    return [channels[0].end - channels[0].start, zones[1][1] - zones[1][0], channels[1].end - channels[1].start]


def test_where_wires_are_level_columns_are_close() -> None:
    assert widths([(0, 0)], [(0, 0)]) == [NARROWEST, 100 - 2 * 4, NARROWEST]


def test_what_bends_has_room_to() -> None:
    assert widths([(0, 0)], [(0, 20)])[2] == 16
    assert widths([(0, 0)], [(0, 400)])[2] == CHANNEL + 2


def test_labels_reach_over_bends_that_lead_away_more_than_over_others() -> None:
    away, towards = widths([(-40, 0)], [(0, 40)]), widths([(-40, 0)], [(0, -40)])
    assert widths([(40, 0)], [(0, 40)])[1] < towards[1] < 100
    assert away == towards, "it is amid its column, and the left wire is in its way in both"


def test_what_stays_in_a_column_has_its_room() -> None:
    assert widths([(0, 0)], [(0, 0)], middle=Column(wide=120.0))[1] == 120


HEIGHTS = st.integers(-300, 300).filter(lambda y: not -30 < y < -12)


@given(
    st.lists(st.tuples(st.integers(-300, 300), HEIGHTS), max_size=5),
    st.lists(st.tuples(HEIGHTS, st.integers(-300, 300)), max_size=5),
)
def test_no_wire_goes_through_a_label(before: list[tuple[float, float]], after: list[tuple[float, float]]) -> None:
    zones, channels = across([BOX, label(), BOX], [before, after, []])
    middle = (zones[1][0] + zones[1][1]) / 2
    text = (middle - 50, -28.0, middle + 50, -14.0)
    for channel, curves in zip(channels, (before, after), strict=True):
        for left, right in curves:
            xs, ys = curve([(channel.start - 1, channel.start, left), (channel.end, channel.end + 1, right)])
            segments = zip(xs, ys, xs[1:], ys[1:], strict=False)
            assert not any(crosses(segment, text) for segment in segments)
    assert not overlap(text, (*zones[0][:1], -inf, zones[0][1], inf))
    assert not overlap(text, (zones[2][0], -inf, zones[2][1], inf))


def test_labels_reach_as_far_as_they_may() -> None:
    run, wide, _ = widths([(-40, 0)], [(0, -40)])
    reach = (100 - wide) / 2
    assert 40 * smooth((reach + CLEAR) / run) == pytest.approx(14 - CLEAR - ROUGH * 40)


def test_the_demo_s_event_types_can_be_read_beside_the_alerts() -> None:
    """At 1280 the map has 936 pixels: what is wider than ten sevenths of that is scrolled."""
    assert samples.samples()["events"].width < 1250
