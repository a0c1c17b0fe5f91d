"""How well reading is: every state, the moment it begins, and the sentence that says it."""

from __future__ import annotations

from datetime import datetime

import pytest

from collector.health.liveness import Beat, Kind, Liveness, State, TopicReading, TopicState, clock, liveness
from tests.builders import NOON, at, seconds

NOW = at(0)
ALIVE = Beat("one", at(-1), started_at=at(-7200))


def topic(
    name: str = "orders",
    watermark: float | None = -0.3,
    *,
    unread: int = 0,
    held: int = 0,
    unreadable: dict[int, float] | None = None,
    seen: float = -7200,
) -> TopicReading:
    missing = tuple((number, at(since)) for number, since in (unreadable or {}).items())
    return TopicReading(name, at(seen), None if watermark is None else at(watermark), unread, held, missing)


def judged(*topics: TopicReading, beats: tuple[Beat, ...] = (ALIVE,), now: datetime = NOW) -> Liveness:
    return liveness(beats, topics, now)


def said(found: Liveness) -> list[tuple[Kind, str, bool]]:
    return [(trouble.kind, trouble.names, trouble.alarming) for trouble in found.troubles]


def test_all_is_well() -> None:
    found = judged(topic("orders", -0.3), topic("payments", -0.5))
    assert (found.state, found.since, found.troubles) == (State.LIVE, None, ())
    assert found.behind == seconds(0.5)
    assert found.standing_still == frozenset()


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (topic(watermark=-10), TopicState.READ),
        (topic(watermark=-10.1), TopicState.BEHIND),
        (topic(watermark=-10.1, unread=2, held=1), TopicState.BEHIND),  # the other one could be read
        (topic(watermark=-5, unread=2, held=2), TopicState.READ),  # transactions are open for a moment all the time
        (topic(watermark=-5.1, unread=2, held=2), TopicState.HELD),
        (topic(watermark=None, seen=-3), TopicState.READ),
        (topic(watermark=None, seen=-11), TopicState.BEHIND),
        (topic(watermark=None, seen=-11, unread=1, held=1), TopicState.HELD),
        (topic(watermark=-5, unreadable={2: -2.9}), TopicState.READ),  # a partition that gets a new leader
        (topic(watermark=-5, unreadable={2: -3}), TopicState.UNREADABLE),
        (topic(watermark=-60, unread=1, held=1, unreadable={2: -3}), TopicState.UNREADABLE),
    ],
)
def test_a_topic(reading: TopicReading, expected: TopicState) -> None:
    assert reading.state(NOW) == expected
    assert (expected == TopicState.READ) == ("orders" not in judged(reading).standing_still)


class TestCollectors:
    def test_silence_is_down_after_ten_seconds_and_calls_somebody(self) -> None:
        beats = (Beat("one", at(-60)), Beat("two", at(-10)))
        assert judged(beats=beats).state == State.LIVE
        found = judged(beats=beats, now=at(0.5))
        assert (found.state, found.since) == (State.DOWN, at(-10))
        assert said(found) == [(Kind.DOWN, "", True)]
        assert "no sign of life since 11:59:50 UTC" in found.troubles[0].sentence
        assert "manage.py collect" in found.troubles[0].sentence

    def test_one_that_says_goodbye_is_gone_at_once_but_nobody_is_called_for_a_restart(self) -> None:
        found = judged(beats=(Beat("one", at(-2), stopped=True),))
        assert said(found) == [(Kind.DOWN, "", False)]
        assert "stopped at 11:59:58" in found.troubles[0].sentence
        assert said(judged(beats=(Beat("one", at(-11), stopped=True),))) == [(Kind.DOWN, "", True)]

    def test_one_that_is_alive_is_enough(self) -> None:
        assert judged(beats=(Beat("one", at(-2), stopped=True), Beat("two", at(-900)), ALIVE)).state == State.LIVE

    def test_none_was_ever_there(self) -> None:
        found = judged(beats=())
        assert (found.state, found.since, found.last_sign) == (State.DOWN, None, None)
        assert said(found) == [(Kind.DOWN, "", False)]
        assert found.troubles[0].sentence.startswith("The collector has never run.")


class TestBehind:
    @pytest.mark.parametrize(("age", "alarming"), [(11, False), (60, False), (61, True)])
    def test_somebody_is_called_after_a_minute(self, age: float, alarming: bool) -> None:
        found = judged(topic("orders", -0.5), topic("payments", -age))
        assert (found.state, found.since, found.behind) == (State.BEHIND, at(-age), seconds(age))
        assert said(found) == [(Kind.BEHIND, "payments", alarming)]

    def test_one_that_has_just_started_may_catch_up(self) -> None:
        found = judged(topic(watermark=-3600), beats=(Beat("new", at(-1), started_at=at(-20)),))
        assert said(found) == [(Kind.BEHIND, "orders", False)]

    def test_the_worst_is_named(self) -> None:
        found = judged(topic("orders", -15), topic("payments", -30), topic("stock", -12))
        assert found.troubles[0].sentence == (
            "Reading is behind: payments (and 2 more) was last read to its end at 11:59:30 UTC;"
            " deadlines that depend on it wait."
        )

    def test_not_read_to_its_end_yet(self) -> None:
        found = judged(topic("orders", None, seen=-90), topic("payments", -0.2))
        assert (found.state, found.behind) == (State.BEHIND, None)
        assert "has not been read to its end yet, since 11:58:30 UTC" in found.troubles[0].sentence

    def test_what_is_held_or_unreadable_is_not_the_collectors_fault(self) -> None:
        found = judged(topic("a", -99, unread=1, held=1), topic("b", -99, unreadable={0: -99}), topic("c", -0.2))
        assert (found.state, found.behind) == (State.LIVE, seconds(0.2))
        assert found.standing_still == {"a", "b"}

    def test_a_collector_that_is_down_is_not_called_behind_as_well(self) -> None:
        assert said(judged(topic(watermark=-99), beats=(Beat("one", at(-99)),))) == [(Kind.DOWN, "", True)]


def test_partitions_that_cannot_be_read_are_named() -> None:
    found = judged(topic(watermark=-20, unreadable={2: -20, 3: -4, 5: -1}))
    assert said(found) == [(Kind.UNREADABLE, "orders[2] and orders[3]", True)]
    assert found.troubles[0].sentence == (
        "orders[2] and orders[3] cannot be read since 11:59:40 UTC: no broker answers for it;"
        " deadlines that depend on it wait."
    )
    assert said(judged(topic(unreadable={2: -14}))) == [(Kind.UNREADABLE, "orders[2]", False)]
    many = judged(topic(unreadable=dict.fromkeys(range(9), -5.0)))
    assert many.troubles[0].names == "orders[0], orders[1], orders[2] and 6 more"


def test_a_topic_that_is_held_says_since_when() -> None:
    found = judged(topic("payments", -20, unread=1, held=1))
    assert found.troubles[0].sentence == (
        "payments is held by an open producer transaction since 11:59:40 UTC; deadlines that depend on it wait."
    )
    assert (found.troubles[0].subject, found.troubles[0].alarming) == ("payments", False)


def test_another_day_is_named() -> None:
    assert clock(at(-1), NOON) == "11:59:59 UTC"
    assert clock(at(-86_400), NOON) == "2026-11-19 12:00:00 UTC"
