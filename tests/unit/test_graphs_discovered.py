"""Discovered maps: as much as is asked for, always connected, and drawn without labels on anything."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.graphs import graph
from dashboard.graphs.discovered import MOST_STEPS, Discovered, Kind, Shown, Step, shown
from dashboard.graphs.discovered_map import discovered_figure
from dashboard.graphs.discovered_scene import percent
from tests.graph_measure import collisions, labels, traces
from tests.graph_samples import HOSTILE

TYPES = ["OrderPlaced", "PaymentAuthorized", "StockReserved", "Shipped", "x" * 60, *HOSTILE[:3], ""]


def of_ways(ways: list[list[str]]) -> Discovered:
    """The map of transactions that went so."""
    counts = Counter(name for way in ways for name in way)
    starts, ends = Counter(way[0] for way in ways), Counter(way[-1] for way in ways)
    steps = Counter(pair for way in ways for pair in pairwise(way))
    after = Counter[str]()
    for (source, _), count in steps.items():
        after[source] += count
    return Discovered(
        tuple(Kind(name, "shop", count, starts[name], ends[name]) for name, count in sorted(counts.items())),
        tuple(
            Step(source, target, count, count / after[source], 0.5 * count, 2.0 * count)
            for (source, target), count in sorted(steps.items())
        ),
    )


MAPS = st.lists(
    st.lists(st.sampled_from([name for name in TYPES if name]), min_size=1, max_size=9), min_size=1, max_size=20
)


def reached(part: Shown, *, onward: bool) -> set[str]:
    """What one gets to from where transactions start (or from where they end, backwards)."""
    found = {kind.name for kind in part.kinds if (kind.starts if onward else kind.ends)}
    while True:
        pairs = [(step.source, step.target) if onward else (step.target, step.source) for step in part.steps]
        more = {target for source, target in pairs if source in found} - found
        if not more:
            return found
        found |= more


@settings(max_examples=150)
@given(MAPS.map(of_ways), st.integers(0, 100) | st.none())
def test_every_part_is_connected_from_its_beginnings_to_its_ends(whole: Discovered, detail: int | None) -> None:
    part = shown(whole, detail)
    names = {kind.name for kind in part.kinds}
    assert names == reached(part, onward=True) == reached(part, onward=False)
    assert {name for step in part.steps for name in (step.source, step.target)} <= names
    assert part.share == pytest.approx(
        sum(step.count for step in part.steps) / max(1, sum(step.count for step in whole.steps)) if whole.steps else 1.0
    )


@settings(max_examples=60)
@given(MAPS.map(of_ways), st.integers(0, 99))
def test_more_detail_adds_and_takes_nothing_away(whole: Discovered, detail: int) -> None:
    less, more = shown(whole, detail), shown(whole, detail + 1)
    assert set(less.steps) <= set(more.steps)
    assert set(less.kinds) <= set(more.kinds)
    full = shown(whole, 100)
    assert set(full.steps) == set(whole.steps)
    assert set(full.kinds) == set(whole.kinds)


def test_the_most_frequent_come_first() -> None:
    whole = of_ways([["a", "b", "d"]] * 90 + [["a", "c", "d"]] * 9 + [["a", "d"]])
    assert [kind.name for kind in shown(whole, 0).kinds] == ["a", "b", "d"]
    half = {(step.source, step.target) for step in shown(whole, 60).steps}
    assert ("a", "c") in half
    assert ("a", "d") not in half
    assert shown(whole).share >= 0.95


def test_where_all_of_it_is_drawn_the_detail_is_whole() -> None:
    """The last steps often come with others before it is their turn."""
    assert shown(of_ways([["a", "b", "c", "d"]] * 10)).detail == 100
    rare = of_ways([["a", "b", "d"]] * 990 + [["a", "c", "d"]] * 9 + [["e"]])
    assert shown(rare).detail < 100
    assert shown(rare, 3).detail == 3


def test_a_rare_step_brings_the_way_to_it() -> None:
    """The usual way there, not a step that leads nowhere."""
    whole = of_ways([["a", "b", "c", "d", "e"]] * 50 + [["a", "x", "x", "x", "x", "x", "x", "x", "e"]] * 10)
    part = shown(whole, 1)
    assert {step.source for step in part.steps} == {"a", "x"}
    assert ("x", "e") in {(step.source, step.target) for step in part.steps}


def test_a_usual_order_stays_in_order_whatever_is_skipped_now_and_then() -> None:
    """Each event type one step further, though some transactions begin later, skip some or go back."""
    usual = [f"Step{n:02}" for n in range(16)]
    rare = (
        [usual[n:] for n in range(1, 16)] + [usual[:n] + usual[n + 3 :] for n in range(10)] + [[*usual[:9], *usual[4:]]]
    )
    part = shown(of_ways([usual] * 100 + rare), 100)
    assert [part.depths[name] for name in usual] == list(range(16))
    drawing = discovered_figure(part, "frequency")
    places = {stop["data"]["type"]: stop["x"] for stop in drawing.stops if stop["data"]["kind"] == "type"}
    assert sorted(usual, key=places.__getitem__) == usual


def test_a_tangle_is_bounded() -> None:
    names = [f"Type{n}" for n in range(60)]
    whole = of_ways(
        [[names[n], names[(n * 7 + k) % 60], names[(n + k * 11) % 60]] for n in range(60) for k in range(40)]
    )
    assert len(whole.steps) > 5 * MOST_STEPS
    part = shown(whole, 100)
    drawing = discovered_figure(part, "frequency")
    assert len(part.steps) <= MOST_STEPS
    assert part.of_steps == len(whole.steps)
    assert drawing.stops


@settings(max_examples=60)
@given(MAPS.map(of_ways), st.sampled_from(["frequency", "duration"]), st.booleans())
def test_no_label_touches_anything(whole: Discovered, overlay: str, compared: bool) -> None:
    words = ["new", "gone", "more often", "slower", ""]
    if compared:
        steps = [
            msgspec.structs.replace(one, word=words[n % 5], share_before=0.2, p50_before=90.0)
            for n, one in enumerate(whole.steps)
        ]
        whole = Discovered(whole.kinds, tuple(steps))
    drawing = discovered_figure(shown(whole, 100), overlay, compared=compared)  # type: ignore[arg-type]
    assert collisions(drawing) == []


def drawn(overlay: str, **changed: object) -> graph.Drawing:
    steps = (
        Step("Placed", "Paid", 90, 0.9, 1.0, 2.0),
        Step("Placed", "Declined", 10, 0.1, 4.0, 9.0, failure=True),
    )
    steps = tuple(msgspec.structs.replace(step, **changed) for step in steps)
    kinds = (
        Kind("Placed", "order", 100, starts=100),
        Kind("Paid", "payment", 90, ends=90),
        Kind("Declined", "", 10, ends=8, halted=2),
    )
    return discovered_figure(shown(Discovered(kinds, steps), 100), overlay, compared=bool(changed))  # type: ignore[arg-type]


def test_it_says_how_often_and_how_long() -> None:
    written = {name for name, _ in labels(drawn("frequency"))}
    assert {"Placed", "order · 100", "90 · 90%", "10 · 10%", "how often · share of what came after"} <= written
    assert {"1.0 s · 2.0 s", "4.0 s · 9.0 s", "half within · 95% within"} <= {
        name for name, _ in labels(drawn("duration"))
    }


def test_what_takes_long_looks_it() -> None:
    inks = {trace["line"]["color"]: trace["line"]["width"] for trace in traces(drawn("duration"), "line")}
    assert inks["--cs-heat-4"] > inks["--cs-heat-1"]


def test_changes_are_told_in_words() -> None:
    assert "gone · was 30%" in {name for name, _ in labels(drawn("frequency", word="gone", share_before=0.3))}
    assert "8.0 s → 1.0 s" in {name for name, _ in labels(drawn("frequency", word="faster", p50_before=8.0))}
    assert drawn("frequency", word="new").table.header[-1] == "Changed"


def test_a_click_knows_what_was_clicked() -> None:
    data = [stop["data"] for stop in drawn("frequency").stops]
    assert {"kind": "type", "type": "Placed"} in data
    assert {"kind": "step", "source": "Placed", "target": "Paid"} in data


def test_it_says_who_came_no_further() -> None:
    said = [stop["sentence"] for stop in drawn("frequency").stops]
    assert "Declined: 10 events, 8 transactions ended with it, 2 have come no further yet" in said
    assert "Placed: order, 100 events, 100 transactions start with it" in said


def test_nothing_says_so() -> None:
    part = shown(Discovered((), ()))
    drawing = discovered_figure(part, "frequency")
    assert (part.share, part.of_steps) == (1.0, 0)
    assert [name for name, _ in labels(drawing)] == ["No transaction began in this time"]


@pytest.mark.parametrize(
    ("share", "words"), [(0, "0.0%"), (0.0001, "<0.1%"), (0.004, "0.4%"), (0.5, "50%"), (0.9996, "100.0%"), (1, "100%")]
)
def test_percent(share: float, words: str) -> None:
    assert percent(share) == words
