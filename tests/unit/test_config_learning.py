"""The `learning:` part of the configuration, and how lessons follow it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from collector.config import ConfigError, parse
from collector.config.summary import lines
from collector.mining.lessons import HOURS, NEWEST, Settings, Taken, counting, drifted, rounded, superfluous

BEGAN = datetime(2026, 11, 20, tzinfo=UTC)


def taken(minutes: range, *, disturbed: bool = False) -> list[Taken]:
    moments = [BEGAN + timedelta(minutes=minute) for minute in minutes]
    first = minutes.start * 10
    return [Taken(first + n, at - timedelta(minutes=1), at, disturbed) for n, at in enumerate(moments)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", Settings()),
        ("learning: on", Settings()),
        ("learning: off", Settings(acts=False)),
        (
            "learning: {support: 50, confidence: 0.95, floor: 1s, factor: 2.5, adopt: 2d, except: Noise}",
            Settings(True, 50, 0.95, timedelta(seconds=1), 2.5, timedelta(days=2), ("Noise",)),
        ),
        ("learning: {on: false}", Settings(acts=False)),
    ],
)
def test_learning_is_on_off_or_told_how(content: str, expected: Settings) -> None:
    found = parse("choreoscope.yaml", content)
    assert found.learning == expected
    assert found.rulebook.learns is expected.acts
    assert any(line.startswith("learning") for line in lines(found))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("learning: sometimes", "line 1, learning: expected on or true or off or false"),
        ("learning: {confidence: 2}", "learning.confidence: expected a share from 0.5 to 1"),
        ("learning: {factor: fast}", "learning.factor: expected a number from 1 up"),
        ("learning: {flor: 1s}", "did you mean 'floor'?"),
    ],
)
def test_mistakes_are_told_with_their_place(content: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse("choreoscope.yaml", content)
    assert complaint in str(error.value)


def test_the_newest_lessons_are_kept_and_one_of_each_hour() -> None:
    lessons = taken(range(60 * (HOURS + 10)))
    gone = set(superfluous(lessons))
    kept = [one for one in lessons if one.id not in gone]
    assert kept[-NEWEST:] == lessons[-NEWEST:]
    assert len(kept) == NEWEST + HOURS
    assert not superfluous(kept)


def test_disturbed_lessons_do_not_count_until_that_is_how_things_are() -> None:
    calm, disturbed = taken(range(60)), taken(range(60, 600), disturbed=True)
    assert counting([*calm, *disturbed], timedelta(hours=24)) == calm
    assert counting([*calm, *disturbed], timedelta(hours=5)) == disturbed[-300:]
    assert counting(disturbed, timedelta(hours=24)) == disturbed


def test_deadlines_are_round_and_stay_while_they_hardly_drift() -> None:
    assert [rounded(seconds).total_seconds() for seconds in (5, 3.21, 0.0512, 98.1)] == [5, 3.3, 0.052, 99]
    within = timedelta(seconds=5)
    assert not drifted(within, timedelta(seconds=6.2))
    assert drifted(within, timedelta(seconds=6.4))
    assert drifted(within, timedelta(seconds=3.7))
