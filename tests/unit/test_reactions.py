"""How fast services react: from the last of the events that they need together, not from the first."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from collector.queries import FlowEdge, FlowMap, ServiceFigures, service_figures

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 30, 16, 20, tzinfo=UTC)


def led(after: str, emits: str, count: int = 100, p95: float | None = None, name: str = "order") -> FlowEdge:
    """From an event of whatever service to one of shipping; without `after`, how often the latter came at all."""
    return FlowEdge(name, after, after and "other", emits, "shipping", "t", count, NOW, p95, p95)


def flowing(*edges: FlowEdge) -> FlowMap:
    return FlowMap(
        NOW, 300, tuple(one for one in edges if one.source_type), tuple(one for one in edges if not one.source_type)
    )


def shipping(*edges: FlowEdge) -> ServiceFigures:
    (found,) = service_figures(flowing(*edges), [], ["shipping"])
    return found


JOIN = (led("", "Scheduled"), led("Paid", "Scheduled", 100, 222.0), led("Reserved", "Scheduled", 97, 8.5))


def test_of_what_is_needed_together_the_last_counts() -> None:
    """Payment was late: shipping answered 8.5 s after the last of the two."""
    found = shipping(*JOIN)
    assert found.p95 == 8.5
    assert {one.after: one.together for one in found.reactions} == {"Paid": ("Reserved",), "Reserved": ("Paid",)}
    assert [one.p95 for one in found.reactions] == [222.0, 8.5]


def test_what_is_needed_for_it_only_now_and_then_is_no_part_of_that() -> None:
    found = shipping(*JOIN[:2], led("Reserved", "Scheduled", 94, 8.5))
    assert (found.p95, {one.together for one in found.reactions}) == (222.0, {()})


def test_of_alternatives_the_slowest_counts() -> None:
    found = shipping(led("", "Sent"), led("Paid", "Sent", 60, 3.0), led("Invoiced", "Sent", 40, 7.0))
    assert (found.p95, {one.together for one in found.reactions}) == (7.0, {()})


def test_the_slowest_of_its_reactions_counts_each_choreography_by_itself() -> None:
    elsewhere = (led("", "Scheduled", 100, name="refund"), led("Paid", "Scheduled", 100, 30.0, name="refund"))
    assert shipping(*JOIN, *elsewhere).p95 == 30.0
    assert shipping(*JOIN, led("", "Sent"), led("Scheduled", "Sent", 100, 9.0)).p95 == 9.0


def test_what_is_only_remembered_has_no_times() -> None:
    found = shipping(led("", "Scheduled", 0), led("Paid", "Scheduled", 0), led("Reserved", "Scheduled", 0))
    assert (found.p95, {one.together for one in found.reactions}) == (None, {()})


def test_usual_for_a_join_is_from_its_last_event() -> None:
    found = flowing(*JOIN, led("Reserved", "Scheduled", 100, 1.0, name="refund"))
    joined = found.between(("Paid", "Reserved"), ("Scheduled",))
    alone = found.between(("Paid",), ("Scheduled",))
    assert joined is not None
    assert alone is not None
    assert (joined.p95, alone.p95) == (8.5, 222.0)
    assert found.between(("Paid", "Reserved"), ("Nothing",)) is None
