"""What a collector remembers of the transactions that it stored just now."""

from __future__ import annotations

import pytest

from collector.storage import memory
from collector.storage.memory import Memory
from tests.builders import story

EVENTS = story("Placed@0 Paid@1 Sent@2")


def test_events_are_remembered_for_the_version_they_were_kept_for() -> None:
    known = Memory()
    known.keep(1, 4, EVENTS)
    assert known.events(1, 4) == EVENTS
    assert known.events(1, 5) is None, "somebody else changed it meanwhile"
    assert known.events(2, 4) is None


def test_the_latest_version_counts() -> None:
    known = Memory()
    known.keep(1, 4, EVENTS[:1])
    known.keep(1, 5, EVENTS)
    assert known.events(1, 4) is None
    assert known.events(1, 5) == EVENTS


def test_memory_is_bounded_and_forgets_what_was_kept_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "EVENTS", 6)
    known = Memory()
    known.keep(1, 1, EVENTS)
    known.keep(2, 1, EVENTS)
    known.keep(1, 2, EVENTS)
    known.keep(3, 1, EVENTS)
    assert known.events(2, 1) is None
    assert known.events(1, 2) == EVENTS
    assert known.events(3, 1) == EVENTS


def test_what_is_forgotten_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "EVENTS", 6)
    known = Memory()
    known.keep(1, 1, EVENTS)
    known.keep(2, 1, EVENTS)
    known.forget(2)
    known.keep(3, 1, EVENTS)
    assert known.events(1, 1) == EVENTS
