"""Which event caused which, on what basis, and what is not known of it."""

from __future__ import annotations

from collector.correlation.causality import Causality, causality
from collector.correlation.events import Skeleton
from tests.builders import choreography, happened, rule, seconds, story

UNDECLARED = choreography()
SHOP = choreography(
    rule("Placed", "Paid | Declined"),
    rule("Placed", "Reserved"),
    rule("Paid + Reserved", "Shipped"),
)


def edges(found: Causality) -> list[str]:
    return [f"{edge.parent[1]} -> {edge.child[1]} ({edge.basis})" for edge in found.edges]


def of(events: list[Skeleton] | str, by=SHOP) -> Causality:
    return causality(story(events) if isinstance(events, str) else events, by)


def test_causes_that_events_name_make_explicit_edges() -> None:
    found = of([happened("A", 0, "a"), happened("B", 1, "b", causes=("a",)), happened("C", 3, "c", causes=("a", "b"))])
    assert edges(found) == ["a -> b (explicit)", "a -> c (explicit)", "b -> c (explicit)"]
    assert [edge.latency for edge in found.edges] == [seconds(1), seconds(3), seconds(2)]
    assert [found.depth["/services/any", name] for name in "abc"] == [0, 1, 2]
    assert (found.missing, found.cyclic) == ((), ())


def test_rules_make_declared_edges_where_no_cause_is_named() -> None:
    found = of("Placed@0 Paid@1 Reserved@2 Shipped@3")
    assert edges(found) == [
        "Placed@0 -> Paid@1 (declared)",
        "Placed@0 -> Reserved@2 (declared)",
        "Paid@1 -> Shipped@3 (declared)",
        "Reserved@2 -> Shipped@3 (declared)",
    ]


def test_a_declared_edge_comes_from_the_latest_earlier_trigger() -> None:
    assert edges(of("Placed@0 Placed@1 Paid@2 Placed@3")) == ["Placed@1 -> Paid@2 (declared)"]


def test_a_join_whose_triggers_are_not_all_there_makes_no_edge() -> None:
    assert edges(of("Paid@1 Shipped@3 Reserved@4")) == []


def test_what_an_event_names_outweighs_the_rules() -> None:
    events = [*story("Placed@0 Placed@5"), happened("Paid", 6, "paid", causes=("Placed@0",))]
    assert edges(of(events)) == ["Placed@0 -> paid (explicit)"]


def test_a_cause_that_has_not_arrived_is_missing_and_not_guessed() -> None:
    found = of([*story("Placed@0"), happened("Paid", 6, "paid", causes=("elsewhere",))])
    assert edges(found) == []
    assert found.missing == ((("/services/any", "paid"), "elsewhere"),)


def test_a_cause_named_twice_counts_once() -> None:
    assert edges(of([*story("A@0"), happened("B", 1, "b", causes=("A@0", "A@0"))])) == ["A@0 -> b (explicit)"]


def test_a_child_that_is_earlier_than_its_parent_shows_clocks_that_disagree() -> None:
    (edge,) = of([happened("A", 5, "a"), happened("B", 3, "b", causes=("a",))]).edges
    assert (edge.latency, edge.skewed) == (seconds(-2), True)


def test_an_event_that_names_itself_makes_a_cycle_that_is_marked() -> None:
    found = of([happened("A", 0, "a", causes=("a",))])
    assert edges(found) == []
    assert [(edge.parent[1], edge.child[1]) for edge in found.cyclic] == [("a", "a")]
    assert found.depth == {("/services/any", "a"): 0}


def test_of_a_cycle_the_edge_that_closes_it_is_left_out_and_marked() -> None:
    names = {"a": ("c",), "b": ("a",), "c": ("b",)}
    found = of([happened(name, when, name, causes=causes) for when, (name, causes) in enumerate(names.items())])
    assert edges(found) == ["c -> a (explicit)", "a -> b (explicit)"]
    assert [(edge.parent[1], edge.child[1]) for edge in found.cyclic] == [("b", "c")]
    assert [found.depth["/services/any", name] for name in "cab"] == [0, 1, 2]


def test_the_longest_way_from_a_root_is_the_depth() -> None:
    events = [
        happened("A", 0, "a"),
        happened("B", 1, "b", causes=("a",)),
        happened("C", 2, "c", causes=("b",)),
        happened("D", 3, "d", causes=("a", "c")),
    ]
    assert of(events).depth["/services/any", "d"] == 3


def test_of_two_events_with_one_id_the_earlier_is_the_cause() -> None:
    first, second = happened("A", 0, "same", source="/one"), happened("A", 1, "same", source="/two")
    (edge,) = of([second, first, happened("B", 2, "b", causes=("same",))]).edges
    assert edge.parent == ("/one", "same")


def test_without_a_declaration_only_what_events_name_is_known() -> None:
    assert edges(of("Placed@0 Paid@1", by=UNDECLARED)) == []


def test_the_order_in_which_events_are_given_makes_no_difference() -> None:
    events = [*story("Placed@0 Paid@1 Reserved@2 Shipped@3"), happened("X", 4, "x", causes=("x", "Paid@1", "?"))]
    assert of(events) == of(events[::-1])


def test_a_long_chain_is_no_trouble() -> None:
    chain = [happened("A", i, f"e{i}", causes=(f"e{i - 1}",) if i else ()) for i in range(2_000)]
    assert of(chain).depth["/services/any", "e1999"] == 1999
