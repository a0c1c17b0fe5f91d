"""How long something took beside how long it usually takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from collector.queries import MinedMap, Taken
from collector.queries.mined import MinedEdge
from dashboard.pages import usual

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOOK = Taken(1.1, 1.0, 2.0, 3.0)


@dataclass
class Event:
    type: str
    time: datetime
    source: str = "/shop"

    @property
    def event_id(self) -> str:
        return f"{self.type}-{self.time.timestamp()}"


def course(*gaps: float) -> list[Event]:
    """A, then B after the first gap, then C after the second."""
    at = START
    events = [Event("A", at)]
    for kind, gap in zip("BC", gaps, strict=False):
        at += timedelta(seconds=gap)
        events.append(Event(kind, at))
    return events


MINED = MinedMap("x", None, None, 500, 0, 1000, Taken(5, 4.0, 6.0, 8.0), (), (MinedEdge("A", "B", 400, TOOK),), False)


@pytest.mark.parametrize(
    ("seconds", "verdict", "slow"), [(1.0, "", False), (2.5, "slower than 95%", False), (3.1, "slower than 99%", True)]
)
def test_a_step_is_judged_by_the_same_step_of_others(seconds: float, verdict: str, slow: bool) -> None:
    events = course(seconds, 1.0)
    found = usual.steps(events, MINED)
    assert list(found) == [(events[1].source, events[1].event_id)]  # nothing is known of B to C
    (band,) = found.values()
    assert (band.verdict, band.slow, band.after) == (verdict, slow, "A")
    assert band.words == "usually 1.0 s, 95% under 2.0 s"


def test_the_whole_is_from_the_first_event_to_the_last() -> None:
    band = usual.whole(course(3.0, 4.0), MINED)
    assert band
    assert (band.seconds, band.verdict) == (7.0, "slower than 95%")
    assert usual.whole([], MINED) is None


def test_of_few_nothing_is_usual() -> None:
    assert usual.whole(course(3.0), replace(MINED, transactions=usual.ENOUGH - 1)) is None
    assert usual.of(1.0, Taken(), 1000) is None


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 1.5, 1e9])
def test_everything_lies_within_the_picture(seconds: float) -> None:
    band = usual.of(seconds, TOOK, 1000)
    assert band
    assert 0 <= band.left < band.left + band.across <= usual.WIDE
    assert 0 <= band.here <= usual.WIDE
