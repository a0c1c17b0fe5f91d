"""Which event caused which, on what basis, and what is not known of it."""

from __future__ import annotations

from collector.correlation.causality import Causality, Clock, causality
from collector.correlation.events import Skeleton
from collector.correlation.lifecycle import evaluate
from tests.builders import choreography, happened, read_until, rule, rulebook, seconds, story

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


def test_the_sender_of_the_parent_span_is_the_cause_of_an_event_that_names_none() -> None:
    events = [happened("Placed", 0, "a", trace="t/1"), happened("Other", 1, "b", trace="t/2/1")]
    assert edges(of(events)) == ["a -> b (trace)"]
    assert edges(of([*events, happened("Else", 2, "c", trace="u/3/1")])) == ["a -> b (trace)"], "another trace"
    named = happened("Other", 1, "b", trace="t/2/1", causes=("z",))
    assert edges(of([events[0], named])) == [], "what it names outweighs its trace"


def test_a_span_outweighs_the_rules_and_one_that_is_not_here_does_not() -> None:
    placed = [happened("Placed", 0, "a", trace="t/1"), happened("Placed", 1, "b", trace="t/2")]
    assert edges(of([*placed, happened("Paid", 2, "p", trace="t/3/1")])) == ["a -> p (trace)"]
    assert edges(of([*placed, happened("Paid", 2, "p", trace="t/3/9")])) == ["b -> p (declared)"]


def test_a_span_that_is_its_own_parent_or_goes_on_unchanged_says_nothing() -> None:
    assert edges(of([happened("A", 0, "a", trace="t/1/1"), happened("B", 1, "b", trace="t/1")])) == []


def test_an_answer_is_paired_by_its_span() -> None:
    events = [happened("Placed", 0, "a", trace="t/1"), happened("Placed", 10, "b", trace="t/2")]
    (entry,) = evaluate(
        [*events, happened("Paid", 12, trace="t/3/2")],
        rulebook(choreography(rule("Placed", "Paid"))),
        read_until(None),
    ).pending
    assert entry.triggers == (("/services/any", "a"),)


def test_a_producer_that_is_earlier_than_what_caused_its_event_is_behind() -> None:
    events = [
        happened("A", 10, "a", source="/one", arrived=11),
        happened("B", 7, "b", source="/two", arrived=12, causes=("a",)),
        happened("C", 9, "c", source="/two", arrived=13, causes=("a",)),
    ]
    assert of(events).clocks == {"two": Clock(behind=seconds(3))}


def test_a_producer_whose_events_come_from_the_future_is_ahead_and_no_other_is_blamed_for_it() -> None:
    events = [
        happened("A", 10, "a", source="/one", arrived=4),
        happened("B", 5, "b", source="/two", arrived=6, causes=("a",)),
    ]
    assert of(events).clocks == {"one": Clock(ahead=seconds(6))}
    assert of("Placed@0 Paid@1").clocks == {}
