"""What graphs show: roles, ghosts, clocks, what flows and what waits; the table twin and what a click opens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from collector.correlation.causality import causality
from collector.correlation.choreography import undeclared
from collector.correlation.state import Pending
from dashboard.graphs import Drawing, Flow, View, Waiting, events_figure, services_figure, topics_figure
from dashboard.graphs.looks import STEPS
from dashboard.graphs.whole import steps
from tests import graph_samples as samples
from tests.graph_measure import labels, traces


def row(drawing: Drawing, name: str) -> dict[str, str]:
    found = next(row for row in drawing.table.rows if row[0] == name)
    return dict(zip(drawing.table.header, found, strict=True))


def shape(drawing: Drawing, name: str) -> str:
    """The symbol of the step whose hover begins with this name."""
    (trace,) = traces(drawing, "marks")[:1]
    at = next(i for i, hover in enumerate(trace["hovertext"]) if hover.split("<br>")[0] == name)
    return str(trace["marker"]["symbol"][at])


def words(drawing: Drawing) -> list[str]:
    return [name for name, _ in labels(drawing)]


def test_an_overdue_step_is_marked_with_a_clock() -> None:
    drawing = samples.overdue()
    assert shape(drawing, "ShipmentDispatched") == "diamond"
    assert "waiting 2 min 48 s" in words(drawing)
    trigger = samples.START + timedelta(seconds=3.9)
    assert drawing.clocks == ({"point": 0, "at": trigger.timestamp() * 1000, "down": False},)
    assert row(drawing, "ShipmentDispatched")["State"] == "overdue, waiting 2 min 48 s"


def test_an_awaited_step_says_when_it_is_due() -> None:
    drawing = samples.early()
    assert words(drawing).count("due in 3 s") == 2
    assert row(drawing, "PaymentAuthorized or PaymentDeclined")["State"] == "awaited, due in 3 s"


def test_what_follows_from_what_is_awaited_is_drawn_fainter() -> None:
    """The whole happy path is there from the first event on; the failure path is not."""
    drawing = samples.early()
    for name in ("ShipmentScheduled", "ShipmentDispatched", "CustomerNotified", "OrderCompleted"):
        assert row(drawing, name)["State"] == "expected later, expected"
    assert not any("StockReleased" in cell for line in drawing.table.rows for cell in line)


def test_nothing_is_expected_after_the_end() -> None:
    assert {line[2].split(",")[0] for line in samples.completed().table.rows} == {"event", "end"}


def test_a_half_met_join_waits_for_what_is_missing() -> None:
    graph = steps(
        samples.HAPPY[:2],
        causality(samples.HAPPY[:2], samples.DEMO),
        [
            Pending(
                rule="schedule",
                kind="join",
                after=("PaymentAuthorized", "StockReserved"),
                expect=("ShipmentScheduled",),
                service="shipping",
                triggers=(samples.HAPPY[1].key,),
            )
        ],
        samples.DEMO,
        ended=False,
        now=samples.START,
        late={},
    )
    by_key = {step.key: step for step in graph.steps}
    into = {
        (by_key[link.source].title[0], by_key[link.source].role, by_key[link.source].lane)
        for link in graph.links
        if by_key[link.target].title == ("ShipmentScheduled",)
    }
    assert into == {("PaymentAuthorized", "event", "payment"), ("StockReserved", "expected", "inventory")}


def test_roles_differ_in_shape_and_word() -> None:
    drawing = samples.declined()
    shown = {
        name: (shape(drawing, name), row(drawing, name)["State"]) for name in samples.SERVICE if shown_in(drawing, name)
    }
    assert shown == {
        "OrderPlaced": ("circle", "event"),
        "StockReserved": ("circle", "event"),
        "PaymentDeclined": ("triangle-up", "failure path"),
        "StockReleased": ("triangle-left", "compensation"),
        "OrderCancelled": ("square", "end after a failure"),
        "CustomerNotified": ("cross", "after the end"),
    }


@pytest.mark.parametrize("view", ["causal", "time", "sequence"])
def test_what_came_after_its_deadline_is_marked_and_what_came_after_the_end_is_not_blamed(view: View) -> None:
    drawing = samples.belated(view)
    states = {
        name: row(drawing, name)["State"] for name in (*samples.SERVICE, "PointsCredited") if shown_in(drawing, name)
    }
    assert states["PaymentAuthorized"] == "event, late"
    assert states["OrderCompleted"] == "end, late"
    assert states["PointsCredited"] == "after the end"
    assert [name for name, state in states.items() if "late" in state] == ["PaymentAuthorized", "OrderCompleted"]
    assert {"late: after its deadline", "after the end"} <= set(words(drawing))
    hourglasses = [place for symbol, place in symbols(drawing) if symbol == "hourglass"]
    late = [stop for stop in drawing.stops if stop["data"]["id"] in {"PaymentAuthorized", "OrderCompleted"}]
    assert len(hourglasses) == 3, "beside each, and in the legend"
    for stop in late:
        assert any(abs(x - stop["x"]) < 12 and abs(y - stop["y"]) < 12 for x, y in hourglasses)
    if view != "time":
        assert "late" in words(drawing)
    (trace,) = traces(drawing, "marks")[:1]
    assert any("PaymentAuthorized came 2.5 s after its deadline." in hover for hover in trace["hovertext"])


def symbols(drawing: Drawing) -> list[tuple[str, tuple[float, float]]]:
    found = []
    for trace in traces(drawing, "marks", "arrows"):
        found += list(zip(trace["marker"]["symbol"], zip(trace["x"], trace["y"], strict=True), strict=True))
    return found


def test_what_is_not_known_yet_is_not_late_yet() -> None:
    assert row(samples.belated(known=100), "PaymentAuthorized")["State"] == "expected later"
    assert "hourglass" not in [symbol for symbol, _ in symbols(samples.belated(known=100))]


def test_of_many_drawn_as_one_it_says_how_many_were_late() -> None:
    events = [samples.event("Counted", i, number=i + 1) for i in range(150)]
    drawing = samples.transaction(events, choreography=undeclared("Counted"), late=events[3:5])
    assert row(drawing, "Counted × 150")["State"] == "event, 2 late"
    assert "hourglass" in [symbol for symbol, _ in symbols(drawing)]


def shown_in(drawing: Drawing, name: str) -> bool:
    return any(line[0] == name for line in drawing.table.rows)


def test_no_two_roles_look_the_same_without_colour() -> None:
    looks = [(look.symbol, look.legend) for look in STEPS.values()]
    assert len({legend for _, legend in looks}) == len(looks)
    filled = [look.symbol for role, look in STEPS.items() if look.fill not in {"paper", "overdue-soft"}]
    assert len({*filled}) == len(filled) - 1, "only the good and the bad end share a shape; their words differ"


def test_a_missing_parent_is_a_marked_ghost() -> None:
    drawing = samples.missing()
    assert row(drawing, "StockReserved")["State"] == "not arrived"
    assert {"kind": "missing", "id": "StockReserved"} in [stop["data"] for stop in drawing.stops]


def test_declared_edges_are_dashed_and_explicit_ones_are_not() -> None:
    named = samples.transaction(samples.HAPPY[:2])
    inferred = samples.transaction([samples.event("OrderPlaced", 0), samples.event("PaymentAuthorized", 1)])
    assert [trace["line"]["dash"] for trace in traces(named, "line")] == ["solid"]
    assert "solid" not in [trace["line"]["dash"] for trace in traces(inferred, "line")]
    assert "inferred from a rule" in words(inferred)


def test_an_overdue_whole_transaction_waits_for_an_end() -> None:
    timeout = Pending(rule="timeout", kind="timeout", after=(), expect=(), deadline=samples.START, overdue=True)
    drawing = samples.transaction(samples.HAPPY, [timeout])
    assert row(drawing, "OrderCancelled or OrderCompleted")["State"].startswith("overdue, waiting 2 min 52 s")


def test_a_click_opens_what_was_clicked() -> None:
    data = [stop["data"] for stop in samples.overdue().stops]
    assert {"kind": "event", "source": "/services/order", "id": "OrderPlaced"} in data
    assert {"kind": "pending", "rule": "dispatch", "awaited": "ShipmentDispatched", "service": "shipping"} in data
    (hits,) = traces(samples.overdue(), "hits")
    assert {
        "kind": "edge",
        "parent": ["/services/order", "OrderPlaced"],
        "child": ["/services/payment", "PaymentAuthorized"],
    } in hits["customdata"]


def test_ids_are_unique_and_stay() -> None:
    before, after = samples.overdue(), samples.completed()
    kept = {stop["id"] for stop in before.stops} & {stop["id"] for stop in after.stops}
    assert len(kept) == len(samples.HAPPY)
    for drawing in samples.samples().values():
        for trace in drawing.figure["data"]:
            assert len(trace.get("ids", [])) == len(set(trace.get("ids", [])))
        uids = [trace["uid"] for trace in drawing.figure["data"]]
        assert len(uids) == len(set(uids))


def wire(drawing: Drawing, source: str, event: str, target: str) -> dict[str, str]:
    found = next(row for row in drawing.table.rows if row[:3] == (source, event, target))
    return dict(zip(drawing.table.header, found, strict=True))


def test_reactions_to_one_event_are_one_edge() -> None:
    """OrderPlaced leads to an authorisation or to a decline in payment: one edge, its rate their sum."""
    drawing = samples.services(samples.FLOWS, samples.WAITING)
    assert wire(drawing, "order", "OrderPlaced", "payment") == {
        "From": "order",
        "Event": "OrderPlaced",
        "To": "payment",
        "Rate": "12.3/s",
        "p95": "1.1 s",
        "Waiting": "14",
        "Overdue": "0",
        "Deadline": "declared",
        "Path": "",
    }
    assert wire(drawing, "payment", "PaymentDeclined", "inventory")["Path"] == "failure path"


def test_what_waits_is_on_its_edge_in_shape_and_word() -> None:
    drawing = samples.services(samples.FLOWS, samples.WAITING)
    assert {"14", "22", "317", "17 overdue", "4 awaited"} <= {*words(drawing)}
    badges = {symbol for trace in traces(drawing, "marks", "arrows") for symbol in trace["marker"]["symbol"]}
    assert {"circle", "octagon"} <= badges


def test_a_join_is_shown_on_each_edge_that_leads_into_it() -> None:
    drawing = samples.services(samples.FLOWS, samples.WAITING)
    for service, name in (("payment", "PaymentAuthorized"), ("inventory", "StockReserved")):
        assert wire(drawing, service, name, "shipping")["Waiting"] == "9"


def test_a_service_that_never_answered_is_on_the_map() -> None:
    """Its edge is known from what is awaited alone."""
    drawing = samples.services(samples.FLOWS[:1], samples.WAITING[:1])
    assert wire(drawing, "order", "OrderPlaced", "payment")["Rate"] == "0/s"


def test_events_can_be_the_boxes() -> None:
    drawing = events_figure(samples.FLOWS, samples.WAITING, window_seconds=300)
    assert wire(drawing, "OrderPlaced", "OrderPlaced", "PaymentAuthorized")["Waiting"] == "14"
    assert wire(drawing, "OrderPlaced", "OrderPlaced", "PaymentDeclined")["Waiting"] == "0"


def test_a_click_on_an_edge_opens_exactly_its_transactions() -> None:
    data: list[dict[str, Any]] = [stop["data"] for stop in samples.services(samples.FLOWS, samples.WAITING).stops]
    assert {
        "kind": "flow",
        "types": ["ShipmentScheduled"],
        "awaited": ["ShipmentDispatched"],
        "source_service": "shipping",
        "target_service": "shipping",
    } in data


def test_very_many_edges_are_bundled_and_very_many_boxes_bounded() -> None:
    flows = [Flow(f"s{i % 4}", f"Type{i}", f"s{(i + 1) % 4}", "Done", i) for i in range(200)]
    assert "50 event types" in words(services_figure(flows, (), window_seconds=300, detail=100))
    flows = [Flow(f"s{i}", "Seen", f"t{i}", "Done", i) for i in range(400)]
    boxes = [
        stop
        for stop in services_figure(flows, (), window_seconds=300, detail=100).stops
        if stop["data"]["kind"] == "service"
    ]
    assert len(boxes) == 300


def test_of_many_ways_the_busiest_are_drawn_and_those_that_somebody_is_overdue_on() -> None:
    flows, waiting = samples.large()
    drawing = services_figure(flows, waiting, window_seconds=300)
    assert drawing.note.startswith("the 41 busiest of 361 ways, ")
    counts = [row[3] for row in drawing.table.rows]
    overdue = [row for row in drawing.table.rows if row[6] != "0"]
    assert len(counts) == 41
    assert [row[2] for row in overdue] == [waiting[0].service]
    fewer = services_figure(flows, waiting, window_seconds=300, detail=5)
    assert fewer.note.startswith("the 20 busiest of 361 ways, ")
    assert {row[:3] for row in fewer.table.rows} < {row[:3] for row in drawing.table.rows}
    whole = services_figure(flows, waiting, window_seconds=300, detail=100)
    assert whole.note == ""
    assert len([stop for stop in whole.stops if stop["data"]["kind"] == "service"]) == 60


def test_topics_as_boxes_with_the_services_between_them() -> None:
    flows = [
        Flow("", "", "order", "OrderPlaced", 9, topic="orders"),
        Flow("order", "OrderPlaced", "payment", "PaymentAuthorized", 8, 1.5, topic="payments"),
        Flow("payment", "PaymentAuthorized", "order", "OrderCompleted", 7, topic="orders"),
    ]
    drawing = topics_figure(flows, [Waiting(("OrderPlaced",), "PaymentAuthorized", "payment", 3, 1)], window_seconds=60)
    assert [row[:3] for row in drawing.table.rows] == [
        ("orders", "payment", "payments"),
        ("payments", "order", "orders"),
    ]
    assert drawing.table.rows[0][5:7] == ("3", "1")
    assert next(stop["data"] for stop in drawing.stops if stop["data"]["kind"] == "hop")["services"] == ["payment"]


def test_waits_by_learned_deadlines_are_told_apart_by_word_and_by_shape() -> None:
    flows = [
        Flow("", "", "order", "OrderPlaced", 9),
        Flow("order", "OrderPlaced", "payment", "PaymentAuthorized", 8, 1.5),
        Flow("order", "OrderPlaced", "inventory", "StockReserved", 8, 1.5),
    ]
    learned = Waiting(("OrderPlaced",), "PaymentAuthorized", "payment", 3, 1, learned=True)
    declared = Waiting(("OrderPlaced",), "StockReserved", "inventory", 2)
    drawing = services_figure(flows, [learned, declared], window_seconds=60)
    assert wire(drawing, "order", "OrderPlaced", "payment")["Deadline"] == "learned"
    assert wire(drawing, "order", "OrderPlaced", "inventory")["Deadline"] == "declared"
    assert {"overdue by a learned deadline", "transactions waiting there"} <= set(words(drawing))
    assert "some of them overdue" not in words(drawing)
    said = " ".join(str(stop) for stop in drawing.stops)
    assert "3 wait for PaymentAuthorized, 1 of them overdue, by a learned deadline" in said
    assert shapes(drawing) >= {"pentagon", "circle"}
    both = [learned, Waiting(("OrderPlaced",), "Receipt", "payment", 4)]
    mixed = services_figure(flows, both, window_seconds=60)
    assert wire(mixed, "order", "OrderPlaced", "payment")["Deadline"] == "declared and learned"
    assert "3 of them by a learned deadline" in " ".join(str(stop) for stop in mixed.stops)
    assert "pentagon" not in shapes(mixed)


def shapes(drawing: Drawing) -> set[str]:
    return {symbol for trace in drawing.figure["data"] for symbol in listed(trace.get("marker", {}).get("symbol", []))}


def listed(symbols: str | list[str]) -> list[str]:
    return [symbols] if isinstance(symbols, str) else list(symbols)


@pytest.mark.parametrize("name", ["nothing", "no flows"])
def test_nothing_says_so(name: str) -> None:
    drawing = samples.samples()[name]
    assert words(drawing) in (["No events yet"], ["No events in this time"])
    assert drawing.table.rows == ()


def test_waiting_for_a_type_nobody_emits_comes_from_a_box_not_known() -> None:
    drawing = services_figure((), [Waiting(("Lost",), "Found", "office", 3)], window_seconds=60)
    assert wire(drawing, "not known", "Lost", "office")["Waiting"] == "3"
