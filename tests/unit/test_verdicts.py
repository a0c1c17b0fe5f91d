"""Has the service read what asks for its answer? Told from what Kafka knows of its groups."""

from __future__ import annotations

import pytest

from collector.config import Service
from collector.correlation.verdicts import Group, Trigger, Verdict, judge
from collector.queries.why import groups_of

PLACED = Trigger("orders", 0, 100)
RESERVED = Trigger("stock", 1, 7)
HERE, THERE = PLACED.place, RESERVED.place


def group(members: int | None = 1, name: str = "payment-service", **committed: int) -> Group:
    """`here` and `there` are the next offsets of the two partitions."""
    places = {"here": HERE, "there": THERE}
    return Group(name, members, {places[key]: offset for key, offset in committed.items()})


@pytest.mark.parametrize(
    ("groups", "kind", "behind", "rest"),
    [
        ([group(here=101)], "read", None, "has read it and published nothing."),
        ([group(here=5_000)], "read", None, "has read it and published nothing."),
        (
            [group(0, here=101)],
            "read",
            None,
            "has read it and published nothing, and has no member alive now.",
        ),
        (
            [group(here=100)],
            "behind",
            1,
            "has not committed it, 1 record behind on its partition: it may be at work on it.",
        ),
        (
            [group(None, here=96)],
            "behind",
            5,
            "has not committed it, 5 records behind on its partition: it may be at work on it.",
        ),
        ([group(here=95)], "behind", 6, "has not come to it yet, 6 records behind on its partition."),
        ([group(here=0)], "behind", 101, "has not come to it yet, 101 records behind on its partition."),
        ([group(None, here=0)], "behind", 101, "has not come to it yet, 101 records behind on its partition."),
        ([group(0, here=1)], "no member", 100, "has no member alive, 100 records behind on its partition."),
        ([group(0, here=100)], "no member", 1, "has no member alive, 1 record behind on its partition."),
        ([group(0)], "no member", None, "has no member alive."),
        ([], "not known", None, "Whether it was read is not known: no consumer group of payment is known."),
        (
            [group(1)],
            "not known",
            None,
            "Whether it was read is not known: payment (group payment-service) has committed nothing there.",
        ),
    ],
)  # fmt: skip
def test_the_verdict(groups: list[Group], kind: str, behind: int | None, rest: str) -> None:
    found = judge("payment", [PLACED], groups)
    assert (found.kind, found.behind) == (kind, behind)
    assert found.sentence == (rest if kind == "not known" else f"payment (group payment-service) {rest}")


def test_a_member_that_reads_the_partition_and_has_committed_nothing_has_not_come_to_it() -> None:
    reading = Group("payment-service", 1, {}, frozenset([HERE]))
    found = judge("payment", [PLACED], [reading])
    assert (found.kind, found.sentence) == ("behind", "payment (group payment-service) has not come to it yet.")


def test_of_several_groups_the_one_that_came_furthest_counts() -> None:
    groups = [group(name="payment-a", here=50), group(name="payment-b", here=99)]
    assert judge("payment", [PLACED], groups).behind == 2
    assert judge("payment", [PLACED], [*groups, group(name="payment-c", here=101)]).kind == "read"


def test_groups_that_have_nothing_to_do_with_it_do_not_count() -> None:
    elsewhere = group(name="payment-mail", there=9_999)
    assert judge("payment", [PLACED], [group(here=101), elsewhere]).groups == ("payment-service",)
    assert judge("payment", [PLACED], [group(0, here=1), elsewhere]).kind == "no member"


def test_a_join_needs_all_of_its_triggers_read() -> None:
    assert judge("shipping", [PLACED, RESERVED], [group(here=101, there=8)]).kind == "read"
    half = judge("shipping", [PLACED, RESERVED], [group(here=101, there=5)])
    assert (half.kind, half.behind) == ("behind", 3)
    assert "may be at work on it" in half.sentence
    assert "may be" not in judge("shipping", [PLACED, RESERVED], [group(here=90, there=7)]).sentence


def test_very_many_groups_are_not_all_named() -> None:
    found: Verdict = judge("payment", [PLACED], [group(name=f"payment-{number}", here=101) for number in range(9)])
    assert "(group payment-0, payment-1, payment-2, …)" in found.sentence


def test_groups_are_those_that_are_declared_or_named_after_the_service() -> None:
    def listed() -> list[str]:
        return ["payment", "payment-service", "payments", "billing-1", "xpayment"]

    assert groups_of("payment", {}, listed) == ["payment", "payment-service"]
    assert groups_of("payment", {"payment": Service(groups=("billing-.*",))}, listed) == ["billing-1"]
    assert groups_of("payment", {"payment": Service()}, listed) == ["payment", "payment-service"]
    assert groups_of("a.b", {}, lambda: ["axb", "a.b"]) == ["a.b"]


def test_a_group_that_is_named_plainly_is_not_looked_for() -> None:
    def listed() -> list[str]:
        raise AssertionError

    assert groups_of("payment", {"payment": Service(groups=("payment.v1-service",))}, listed) == ["payment.v1-service"]
