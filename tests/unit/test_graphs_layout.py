"""Labels never cover nodes, lines or other labels; layouts are stable; big graphs stay bounded."""

from __future__ import annotations

import string
import time
from collections.abc import Callable
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.correlation.choreography import undeclared
from collector.correlation.events import Skeleton
from collector.correlation.state import Pending
from dashboard.graphs import Drawing, Flow, View, Waiting, events_figure, services_figure, wiring
from dashboard.graphs.fold import MAX_STEPS
from tests import graph_samples as samples
from tests.graph_measure import boxes, collisions, labels, traces

VIEWS: tuple[View, ...] = get_args(View)

NAMES = st.one_of(
    st.sampled_from([*samples.SERVICE, *samples.HOSTILE]),
    st.text(string.ascii_letters + ".-_ ", min_size=1, max_size=40),
    st.text(max_size=30),
)
SERVICES = st.one_of(st.sampled_from(["order", "payment", "shipping", "a", ""]), NAMES)


@pytest.mark.parametrize("name", list(samples.samples()))
def test_no_label_touches_anything_in_the_samples(name: str) -> None:
    assert collisions(samples.samples()[name]) == []


@st.composite
def transactions(draw: st.DrawFn) -> Drawing:
    names = draw(st.lists(NAMES, min_size=1, max_size=6))
    lanes = draw(st.lists(SERVICES, min_size=1, max_size=6))
    events: list[Skeleton] = []
    for number in range(draw(st.integers(1, 30))):
        causes = draw(st.lists(st.integers(-2, number - 1), max_size=3))
        ids = [events[i].id if i >= 0 else f"lost {i}" for i in causes]
        name, lane = draw(st.sampled_from(names)), draw(st.sampled_from(lanes))
        events.append(samples.event(name, number * 1.7, *ids, service=lane, number=number + 1))
    pending = [
        Pending(
            rule=str(number),
            kind="response",
            after=(trigger.type,),
            expect=tuple(draw(st.lists(NAMES, min_size=1, max_size=3))),
            service=draw(SERVICES),
            triggers=(trigger.key,),
            deadline=samples.START,
            overdue=draw(st.booleans()),
        )
        for number, trigger in enumerate(draw(st.lists(st.sampled_from(events), max_size=4)))
    ]
    late = draw(st.lists(st.sampled_from(events), max_size=5))
    view, after = draw(st.sampled_from(VIEWS)), draw(st.floats(60, 1e6))
    return samples.transaction(events, pending, undeclared(names[0]), after=after, late=late, view=view)


@settings(max_examples=60)
@given(transactions())
def test_no_label_touches_anything_in_any_transaction(drawing: Drawing) -> None:
    assert collisions(drawing) == []


FLOWS = st.lists(
    st.builds(
        Flow,
        SERVICES,
        NAMES,
        SERVICES,
        NAMES,
        st.integers(0, 10**7),
        st.none() | st.floats(0, 1e5),
        st.booleans(),
    ),
    max_size=40,
)
WAITING = st.lists(
    st.builds(
        Waiting,
        st.lists(NAMES, min_size=1, max_size=2).map(tuple),
        NAMES,
        SERVICES,
        st.integers(0, 10**6),
        st.integers(0, 10**6),
    ),
    max_size=6,
)


@settings(max_examples=60)
@given(FLOWS, WAITING)
def test_no_label_touches_anything_in_any_map(flows: list[Flow], waiting: list[Waiting]) -> None:
    assert collisions(services_figure(flows, waiting, window_seconds=300)) == []
    assert collisions(events_figure(flows, waiting, window_seconds=300)) == []


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("make", [samples.unanswered, samples.belated, samples.declined])
def test_in_every_view_each_step_has_its_name_uncut(make: Callable[..., Drawing], view: View) -> None:
    said = "".join(name for name, _ in labels(make(view)))
    names = [stop["sentence"].split(",")[0] for stop in make(view).stops]
    for name in {word for words in names for word in words.split(" ")}:
        assert name in said
    assert "…" not in said


@pytest.mark.parametrize("view", ["time", "sequence"])
def test_times_that_differ_are_told_apart(view: View) -> None:
    said = [name for name, _ in labels(samples.belated(view)) if name.startswith("+")]
    assert len(said) >= 5
    assert len({*said}) == len(said)


def test_every_step_has_its_name_beside_it() -> None:
    """Latencies may be left to the pointer; names never are."""
    written = {name for name, _ in labels(samples.overdue())}
    assert {*samples.SERVICE} - {"PaymentDeclined", "StockReleased", "OrderCancelled"} <= written


def places(drawing: Drawing) -> tuple[object, ...]:
    lines = sorted((str(t["x"]), str(t["y"])) for t in traces(drawing, "line") if not t["meta"]["fixed"])
    stops = [(stop["id"], stop["x"], stop["y"]) for stop in drawing.stops]
    return sorted(boxes(drawing)), [points for pair in lines for points in pair], stops, drawing.width


def test_numbers_do_not_move_a_map() -> None:
    """Only looks change: rates, thickness, badges, what is overdue."""
    first = services_figure(samples.FLOWS, samples.WAITING, window_seconds=300)
    other = services_figure(
        [msgspec.structs.replace(flow, count=flow.count // 7, p95_seconds=123.4) for flow in samples.FLOWS],
        [msgspec.structs.replace(one, count=98_765, overdue=0) for one in samples.WAITING],
        window_seconds=300,
    )
    for one in (0, 2, 3):
        assert places(first)[one] == places(other)[one]


def test_a_map_whose_places_are_remembered_is_as_one_placed_anew() -> None:
    for flows in (samples.FLOWS, [msgspec.structs.replace(flow, failure=not flow.failure) for flow in samples.FLOWS]):
        services_figure(flows, (), window_seconds=300)
        remembered = services_figure(flows, samples.WAITING, window_seconds=60)
        wiring._placed.cache_clear()
        assert remembered == services_figure(flows, samples.WAITING, window_seconds=60)


def test_order_does_not_matter_and_figures_are_deterministic() -> None:
    assert services_figure(samples.FLOWS[::-1], samples.WAITING[::-1], window_seconds=300) == samples.services(
        samples.FLOWS, samples.WAITING
    )
    assert samples.overdue() == samples.overdue()


@pytest.mark.parametrize("drawing", [samples.repeated(2000), samples.chained(2000), samples.dense(400)])
def test_huge_transactions_are_folded(drawing: Drawing) -> None:
    assert len(drawing.stops) <= MAX_STEPS
    assert len(msgspec.json.encode(drawing)) < 1_000_000


def test_repeats_are_counted() -> None:
    assert "StockReserved × 499" in [name for name, _ in labels(samples.repeated(1000))]


def test_a_hundred_events_are_drawn_in_an_instant() -> None:
    """The benchmark measures; this only notices an algorithm that has become another."""
    start = time.process_time()
    samples.dense(100)
    assert time.process_time() - start < 0.5
