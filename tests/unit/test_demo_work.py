"""What a demo service has to do, and when: joins, repetition, commits, faults. No Kafka, no clock."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from demo_services import work as work_module
from demo_services.events import Event
from demo_services.faults import HEALTHY, Behaviour, announced, behaviour
from demo_services.service import Outcome, Service
from demo_services.work import CAUGHT_UP, JOIN_HOLD, REMEMBERED, Position, Work


class Bench:
    """A service that joins A with B (unless C), and answers D; and what it has published."""

    def __init__(self) -> None:
        service = Service("bench", listens=["in"], publishes="out")
        service.on("A", "B", takes=(1, 1), unless="C", until=("Z",))(
            lambda a, b: Outcome("AB", {"of": [a.type, b.type]})
        )
        service.on("D", takes=(1, 1))(lambda d: Outcome("Answered", {"to": d.data["question"]}))
        self.published: list[Event] = []
        self.unacknowledged: list[Callable[[], None]] = []
        self.work = Work(service, self._publish)
        self._offset = 0

    def _publish(self, event: Event, acknowledged: Callable[[], None]) -> None:
        self.published.append(event)
        self.unacknowledged.append(acknowledged)

    def acknowledge(self) -> None:
        while self.unacknowledged:
            self.unacknowledged.pop(0)()

    def receive(self, event_type: str, *, order: str = "o-1", at: float = 0.0, question: str = "?") -> Event:
        event = Event(f"{event_type}-{order}", "/services/other", event_type, order, at, {"question": question})
        self.deliver(event, at=at)
        return event

    def deliver(self, event: Event, *, at: float = 0.0) -> None:
        position: Position = ("in", 0, self._offset)
        self._offset += 1
        self.work.receive(event, position, at)

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.published]

    def committed(self) -> int | None:
        """What is to be committed now, if that is news."""
        return self.work.progress.take().get(("in", 0))


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.mark.parametrize("order", ["AB", "BA"])
def test_a_join_waits_for_all_its_events_and_names_them_as_causes(bench: Bench, order: str) -> None:
    first, second = order[0], order[1]
    bench.receive(first)
    bench.work.run(now=10)
    assert bench.types == []
    bench.receive(second, at=10)
    bench.work.run(now=10.9)
    assert bench.types == []
    bench.work.run(now=11)
    (event,) = bench.published
    assert (event.type, event.order_id, event.source, event.time) == ("AB", "o-1", "/services/bench", 11)
    assert event.causes == ("A-o-1", "B-o-1")
    assert event.data == {"of": ["A", "B"]}


@pytest.mark.parametrize("order", ["AC", "CA", "BC", "CB"])
def test_the_alternative_ends_a_join_without_work(bench: Bench, order: str) -> None:
    for event_type in order:
        bench.receive(event_type)
    bench.work.run(now=100)
    assert bench.types == []
    assert bench.committed() == 2


def test_joins_of_different_orders_do_not_mix(bench: Bench) -> None:
    bench.receive("A", order="o-1")
    bench.receive("B", order="o-2")
    bench.work.run(now=10)
    assert bench.types == []


def test_an_event_that_comes_again_leads_to_nothing_at_any_time(bench: Bench) -> None:
    event = bench.receive("D")
    bench.deliver(event)  # while the work is under way
    bench.work.run(now=1)
    bench.deliver(event)  # while its acknowledgement is awaited
    bench.acknowledge()
    bench.deliver(event)  # after it
    bench.work.run(now=100)
    assert bench.types == ["Answered"]
    assert bench.committed() == 4


def test_the_same_work_done_by_a_new_process_makes_the_same_event(bench: Bench) -> None:
    again = Bench()
    for each in (bench, again):
        each.receive("A")
        each.receive("B")
        each.work.run(now=10)
    assert bench.published[0].id == again.published[0].id


def test_only_what_is_acknowledged_is_committed_and_nothing_beyond_the_first_gap(bench: Bench) -> None:
    bench.receive("D", order="o-1")
    bench.receive("D", order="o-2")
    bench.receive("Unheard")
    bench.work.run(now=1)
    assert bench.committed() == 0
    bench.unacknowledged.pop()()
    assert bench.committed() is None, "o-1 is still open"
    bench.acknowledge()
    assert bench.committed() == 3
    assert bench.committed() is None, "nothing new since"


def test_a_half_met_join_holds_the_commit_for_a_while_only(bench: Bench) -> None:
    bench.receive("A")
    bench.work.run(now=JOIN_HOLD - 1)
    assert bench.committed() == 0
    bench.work.run(now=JOIN_HOLD)
    assert bench.committed() == 1
    bench.receive("B", at=500)
    bench.work.run(now=501)
    assert bench.types == ["AB"], "it is still known"


def test_partitions_that_were_taken_away_are_committed_no_more(bench: Bench) -> None:
    bench.receive("D")
    bench.work.progress.forget()
    bench.work.run(now=1)
    bench.acknowledge()
    assert bench.types == ["Answered"]
    assert bench.committed() is None


def test_an_event_that_makes_no_sense_stops_nothing(bench: Bench) -> None:
    bench.deliver(Event("bad", "/services/other", "D", "o-1", 0, {}))
    bench.receive("D", order="o-2")
    bench.work.run(now=1)
    bench.acknowledge()
    assert bench.types == ["Answered"]
    assert bench.committed() == 2


def test_memory_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_module, "HELD", 2)
    monkeypatch.setattr(work_module, "REMEMBERED", 2)
    for order in ("o-1", "o-2", "o-3"):
        bench.receive("A", order=order)
    assert bench.committed() == 1, "the oldest join is given up"
    bench.receive("B", order="o-1")
    bench.receive("B", order="o-3")
    bench.work.run(now=1)
    assert [event.order_id for event in bench.published] == ["o-3"]
    assert len(bench.work._seen) <= 2 < REMEMBERED


def test_silence_commits_publishes_nothing_and_catches_up_later(bench: Bench) -> None:
    bench.work.behave(Behaviour(silent=True), now=0)
    bench.receive("D", order="o-1")
    bench.receive("D", order="o-2")
    bench.work.run(now=50)
    assert (bench.types, bench.committed(), bench.work.held) == ([], 2, 2)
    bench.work.behave(HEALTHY, now=60)
    bench.work.run(now=60)
    assert [event.order_id for event in bench.published] == ["o-1"], "at a pace that others can keep"
    bench.work.run(now=60 + 1 / CAUGHT_UP)
    assert [event.order_id for event in bench.published] == ["o-1", "o-2"]


def test_slowness_adds_to_what_the_work_takes(bench: Bench) -> None:
    bench.work.behave(Behaviour(delay=8), now=0)
    bench.receive("D")
    bench.work.run(now=8.9)
    assert bench.types == []
    bench.work.run(now=9)
    assert bench.types == ["Answered"]


def test_an_event_published_twice_is_the_same_event(bench: Bench) -> None:
    bench.work.behave(Behaviour(twice=1.0), now=0)
    bench.receive("D")
    bench.work.run(now=1)
    first, second = bench.published
    assert first == second


def test_a_service_knows_its_own_faults_only() -> None:
    switched_on = announced({"on": ["payment silent", "shipping slow", "unheard of"]})
    assert behaviour("payment", switched_on) == Behaviour(silent=True)
    assert behaviour("shipping", switched_on) == Behaviour(delay=8.0)
    assert behaviour("order", switched_on) == HEALTHY
    assert announced({"on": "payment silent"}) == announced({}) == set()


def test_an_event_type_belongs_to_one_reaction() -> None:
    service = Service("bench", listens=[], publishes="out")
    service.on("A", takes=(0, 0))(lambda _: Outcome("X", {}))
    with pytest.raises(ValueError, match="reacts to A already"):
        service.on("A", "B", takes=(0, 0))(lambda _, __: Outcome("Y", {}))


def test_what_ends_the_waiting_is_no_trigger_itself(bench: Bench) -> None:
    bench.receive("A")
    bench.receive("Z")
    assert bench.committed() == 2, "neither is held"
    bench.receive("B")
    bench.work.run(10)
    assert bench.types == []


def test_a_place_may_be_taken_by_one_of_several_types_once() -> None:
    published: list[Event] = []
    service = Service("bench", listens=["in"], publishes="out")
    service.on("A | X", "B", takes=(1, 1))(lambda a, b: Outcome("Done", {"of": [a.type, b.type]}))
    service.on("D", takes=(1, 1))(lambda _: None)
    work = Work(service, lambda event, _: published.append(event))
    for offset, kind in enumerate(["D", "X", "A", "B"]):
        work.receive(Event(kind, "/services/other", kind, "o-1", 0.0, {}), ("in", 0, offset), 0.0)
    work.run(10)
    assert [event.data["of"] for event in published] == [["X", "B"]], "and D leads to nothing"
