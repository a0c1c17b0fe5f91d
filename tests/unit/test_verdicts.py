"""Has the service read what asks for its answer? Told from what Kafka knows of its groups."""

from __future__ import annotations

import pytest

from collector.config import Service
from collector.correlation.verdicts import Group, Trigger, Verdict, judge, judge_all, judge_all_likely, judge_likely
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


def waiting(*offsets: int) -> list[list[Trigger]]:
    """One that waits for each of these records of the first partition."""
    return [[Trigger(*HERE, offset)] for offset in offsets]


@pytest.mark.parametrize(
    ("groups", "rest"),
    [
        (
            [group(here=1_012)],
            (
                "read 12 and published nothing, and has not come to 170 (170 records behind the last of them; it may be"
                " at work on the next few)."
            ),
        ),
        ([group(here=9_999)], "read all and published nothing."),
        ([group(here=1_179)], "read 179 and published nothing, and has not committed 3 (it may be at work on them)."),
        ([group(None, here=500)], "not come to any (682 records behind the last of them)."),
        (
            [group(0, here=1_181)],
            (
                "read 181 and published nothing, and has not come to 1 (1 record behind the last of them);"
                " it has no member alive."
            ),
        ),
    ],
)  # fmt: skip
def test_of_all_that_is_overdue_it_is_counted_how_many_were_read(groups: list[Group], rest: str) -> None:
    """Each stands where it stands: what the oldest is like says nothing of the others."""
    found = judge_all("payment", waiting(*range(1_000, 1_182)), groups)
    assert found == f"Of 182 that are overdue, payment (group payment-service) has {rest}"


def test_what_is_not_known_of_all_is_said_of_all() -> None:
    nothing = judge_all("payment", waiting(1, 2), [group(1)])
    assert nothing.startswith("Whether they were read is not known: payment (group payment-service) has committed no")
    assert judge_all("payment", waiting(1, 2), []) == judge("payment", [PLACED], []).sentence


def test_of_very_many_the_newest_are_judged_and_that_is_said() -> None:
    said = judge_all("payment", waiting(1, 2), [group(here=9)], newest=True)
    assert said.startswith("Of the newest 2 that are overdue, payment (group payment-service) has read all")


def test_of_one_that_is_overdue_it_is_said_as_ever() -> None:
    assert judge_all("payment", waiting(100), [group(here=0)]) == judge("payment", [PLACED], [group(here=0)]).sentence


def test_partitions_are_counted_each_by_itself_and_what_is_not_known_is_said() -> None:
    elsewhere = [[Trigger("stock", 2, 5)], [Trigger("stock", 1, 5)]]
    said = judge_all("payment", [*waiting(90, 99), *elsewhere], [group(here=80, there=0)], ", as learned")
    assert said == (
        "Of 4 that are overdue, payment (group payment-service, as learned) has not come to 3 (26 records behind the"
        " last of them), and of 1 it is not known."
    )


def test_where_it_is_not_known_which_group_is_its_own_what_is_the_same_for_all_is_counted() -> None:
    both = [group(name="a", here=95), group(name="b", here=91)]
    assert judge_all_likely("payment", waiting(80, 93, 99, 200), both) == (
        "Of 4 that are overdue, payment has read 1 and published nothing, has not come to 2 (it may be at work on the"
        " next few), and of 1 it is not known: its group is one of a, b."
    )
    said = judge_all_likely("payment", waiting(92, 93), both)
    assert said == "Whether they were read is not certain: the group of payment is one of a, b."
    assert judge_all_likely("payment", waiting(80), both) == judge_likely("payment", waiting(80)[0], both).sentence
