"""Events that keep leading to their own kind, and one that leads to very many."""

from __future__ import annotations

import pytest

from collector.correlation.choreography import Limits
from collector.correlation.events import Skeleton
from collector.correlation.lifecycle import evaluate
from tests.builders import choreography, happened, read_until, rule, rulebook

LIMITS = Limits(loop=3, fan_out=4)


def chain(*kinds: str, rounds: int) -> list[Skeleton]:
    """Each event names the one before it as its cause."""
    told = list(kinds) * rounds
    return [happened(kind, i, f"e{i}", causes=(f"e{i - 1}",) if i else ()) for i, kind in enumerate(told)]


def fan(children: int) -> list[Skeleton]:
    return [
        happened("Placed", 0, "root"),
        *(happened("Sent", i, f"e{i}", causes=("root",)) for i in range(1, children)),
    ]


def found(events: list[Skeleton], *declared) -> list[str]:
    state = evaluate(events, rulebook(*declared, limits=LIMITS), read_until(None))
    return [entry.sentence for entry in state.deviations if entry.kind in ("loop", "fan-out")]


@pytest.mark.parametrize(("rounds", "loops"), [(3, 0), (4, 2)])
def test_types_that_lead_to_one_another_again_and_again_are_a_loop(rounds: int, loops: int) -> None:
    assert len(found(chain("Asked", "Answered", rounds=rounds))) == loops


def test_a_loop_is_told_where_it_went_beyond_the_limit() -> None:
    state = evaluate(chain("Retried", rounds=6), rulebook(limits=LIMITS), read_until(None))
    (deviation,) = state.deviations
    assert deviation.sentence == "Retried led to Retried again, 6 times in one chain: a loop."
    assert deviation.event == ("/services/any", "e3")


def test_many_of_one_type_beside_each_other_are_no_loop() -> None:
    assert found([happened("Sent", i, f"e{i}", causes=("root",) if i else ()) for i in range(10)]) == []


def test_one_event_that_leads_to_very_many_runs_away() -> None:
    assert found(fan(5)) == []
    assert found(fan(6)) == ["Placed led to 5 events at once: a runaway fan-out."]


def test_declared_choreographies_can_loop_as_well() -> None:
    asking = choreography(rule("Asked", "Answered"), rule("Answered", "Asked"), starts=("Asked",))
    events = [happened(kind, i) for i, kind in enumerate(["Asked", "Answered"] * 4)]
    assert found(events, asking) == [
        "Asked led to Asked again, 4 times in one chain: a loop.",
        "Answered led to Answered again, 4 times in one chain: a loop.",
    ]


def test_events_that_name_each_other_in_a_circle_do_not_hang_it() -> None:
    events = [happened("A", i, f"e{i}", causes=(f"e{(i + 1) % 6}",)) for i in range(6)]
    assert found(events) == ["A led to A again, 6 times in one chain: a loop."]
