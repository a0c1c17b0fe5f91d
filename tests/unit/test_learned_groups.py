"""Whose consumer group it is, by what the service answered and what the group had read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from collector.correlation.verdicts import Group, Trigger, judge_likely
from collector.learning.groups import KEPT, LASTING, Asked, Evidence, Record, judged, likely, of_topics

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
LATER = NOW + LASTING


def answered(*offsets: int, at: datetime = NOW) -> dict[int, Asked]:
    return {0: Asked([Record(offset, at) for offset in offsets])}


def seen(*steps: tuple[dict[int, Asked], int, datetime]) -> Evidence:
    """What is known of a group after these looks: what was asked of the service, how far the group was, and when."""
    found = Evidence("group")
    for asked, committed, now in steps:
        found = judged(found, asked, {0: committed}, now)
    return found


def may_be(*found: Evidence, now: datetime = LATER) -> list[str]:
    return likely(found, now)


class TestOneGroup:
    def test_that_has_passed_what_was_answered_may_be_it(self) -> None:
        assert may_be(seen((answered(5, 9), 6, NOW))) == ["group"]

    def test_that_has_passed_nothing_yet_is_not_said_to_be_it(self) -> None:
        """A service that answers may read without any group; and one that never moves is nobody's."""
        assert may_be(seen((answered(5, 9), 5, NOW))) == []

    def test_that_commits_late_may_be_it(self) -> None:
        late = seen((answered(5), 0, NOW), (answered(5, 80), 6, NOW + 10 * MINUTE))
        assert may_be(late) == ["group"]

    def test_that_stands_still_where_the_service_goes_on_is_not_it(self) -> None:
        before = (answered(5), 6, NOW), (answered(9), 6, NOW + MINUTE)
        assert may_be(seen(*before, (answered(99, at=NOW + LASTING), 6, LATER))) == ["group"]
        assert may_be(seen(*before, (answered(99, at=NOW + MINUTE + LASTING), 6, LATER + MINUTE))) == []

    def test_that_is_far_behind_is_not_it_though_it_moves(self) -> None:
        moving = [(answered(1_000 + n, at=NOW + n * MINUTE), 6 + n, NOW + n * MINUTE) for n in range(20)]
        assert may_be(seen((answered(5), 6, NOW), *moving)) == []

    def test_that_was_killed_with_what_it_had_answered_uncommitted_may_still_be_it(self) -> None:
        """It stands behind what was answered; and nothing more is answered."""
        killed = [(answered(5, 9, at=NOW), 6, NOW + n * MINUTE) for n in range(60)]
        assert may_be(seen((answered(3), 6, NOW - MINUTE), *killed)) == ["group"]

    def test_what_spoke_against_it_is_forgotten_in_the_end(self) -> None:
        found = Evidence("group", passed_at=NOW, against_at=NOW)
        assert may_be(found) == []
        assert may_be(found, now=NOW + KEPT) == ["group"]


class TestSeveralGroups:
    def test_are_not_told_apart_while_all_keep_up(self) -> None:
        assert may_be(Evidence("a", passed_at=NOW), Evidence("b", passed_at=NOW)) == ["a", "b"]

    def test_the_one_that_stopped_with_the_service_is_it(self) -> None:
        owed = {0: Asked([Record(5, NOW)], [Record(offset, NOW + SECOND * offset) for offset in (6, 7, 8)])}
        stopped = seen((answered(5), 6, NOW), (owed, 6, LATER + MINUTE))
        went_on = seen((answered(5), 6, NOW), (owed, 9, LATER + MINUTE))
        assert (stopped.stopped_at, went_on.stopped_at) == (LATER + MINUTE, None)
        both = [Evidence("a", NOW, stopped.stopped_at), Evidence("b", NOW)]
        assert likely(both, LATER) == ["a"]

    def test_who_stopped_elsewhere_did_not_stop_with_it(self) -> None:
        some = [Record(offset, NOW) for offset in (6, 7, 8)]
        for owed, done, committed in (
            (some[:2], [Record(5, NOW)], 6),  # too little to be no accident
            (some, [Record(5, NOW)], 7),  # the group has read some of it
            (some, [Record(9, NOW + 5 * MINUTE)], 6),  # the service has gone on
        ):
            assert seen((answered(1), 2, NOW), ({0: Asked(done, owed)}, committed, LATER)).stopped_at is None
        assert seen((answered(1), 2, NOW), ({0: Asked([], some)}, 6, LATER - SECOND)).stopped_at is None
        assert seen((answered(1), 2, NOW), ({0: Asked([], some)}, 6, LATER)).stopped_at == LATER

    def test_having_stopped_with_it_counts_more_than_what_spoke_against_it_before(self) -> None:
        assert likely([Evidence("a", NOW, NOW + SECOND, NOW)], LATER) == ["a"]
        assert likely([Evidence("a", NOW, NOW, NOW + SECOND)], LATER) == []

    def test_each_topic_may_have_a_group_of_its_own(self) -> None:
        known = {"orders": [Evidence("a", NOW)], "stock": [Evidence("b", NOW)]}
        assert of_topics(known, ["orders", "stock"], NOW) == (["a", "b"], True)
        assert of_topics(known, ["orders", "else"], NOW) == (["a"], False)
        known["stock"].append(Evidence("c", NOW))
        assert of_topics(known, ["orders", "stock"], NOW) == (["a", "b", "c"], False)


class TestTheVerdictWhereItIsNotKnownWhich:
    PLACED = Trigger("orders", 0, 100)

    def judged(self, **committed: int) -> tuple[str, str, int | None]:
        groups = [Group(name, None, {self.PLACED.place: at}) for name, at in committed.items()]
        found = judge_likely("payment", [self.PLACED], groups)
        assert (set(found.groups), found.basis) == (set(committed), "likely")
        return found.kind, found.sentence, found.behind

    def test_is_certain_where_it_is_the_same_for_all(self) -> None:
        assert self.judged(a=101, b=200) == (
            "read",
            "payment has read it and published nothing: its group is one of a, b, and all have read it.",
            None,
        )
        assert self.judged(a=91, b=51) == (
            "behind",
            "payment has not come to it yet: its group is one of a, b, and none has.",
            10,
        )
        assert self.judged(a=99, b=51) == (
            "behind",
            "payment has not committed it, and may be at work on it: its group is one of a, b, and none has.",
            2,
        )

    def test_says_who_has_and_who_has_not_where_it_is_not(self) -> None:
        assert self.judged(a=101, b=99) == (
            "not known",
            "Whether it was read is not certain: the group of payment is one of a, b; a has read it, b has not.",
            None,
        )
