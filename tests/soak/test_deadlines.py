"""From a deadline to the answer that says so: how long it takes, with Redis and without, and that nobody cries wolf.

On real parts, in processes as the demo starts them. With SOAK set (`make soak`) each takes minutes; else some seconds.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta

import pytest

from tests.integration.reliability.processes import CollectorProcess
from tests.soak.dances import WITHIN, Dances, prompt_but
from tests.soak.stage import Api, Stage, Watch, leave
from tests.stack.brokers import Broker
from tests.stack.kafka import Server
from tests.stack.waiting import poll_until

IS_LONG = bool(os.environ.get("SOAK"))
PACE = 1_000
"""Events a second."""
SECONDS, SILENT_ONE_IN = (120, 80) if IS_LONG else (6, 15)
WITHOUT_REDIS = 30 if IS_LONG else 6
WITHOUT_COLLECTOR = 120 if IS_LONG else 12
SOON, WITHOUT_REDIS_SOON = 2.0 if IS_LONG else 3.0, 8.0
"""Seconds after which at the latest an answer says what is stuck; others may work beside the short form."""

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


class Troupe:
    """The stage, and the one collector that reads."""

    def __init__(self, stage: Stage, collector: CollectorProcess) -> None:
        self.stage, self.collector = stage, collector

    def dances(self, first: str, one_in: int) -> Dances:
        return Dances(self.stage.broker, first, PACE, prompt_but(one_in))

    def completed(self, dances: Dances) -> int:
        ((count,),) = self.stage.ask(
            "SELECT count(*) FROM collector_transaction WHERE phase = 'completed' AND transaction_id LIKE %s",
            f"{dances.prefix}%",
        )
        return int(count)

    def ever_stuck(self, dances: Dances) -> set[str]:
        """By the log of transitions."""
        found = self.stage.ask(
            "SELECT DISTINCT t.transaction_id FROM collector_transition l JOIN collector_transaction t"
            " ON t.id = l.transaction WHERE l.overdue_since IS NOT NULL AND t.transaction_id LIKE %s",
            f"{dances.prefix}%",
        )
        return {name for (name,) in found}

    def known_after(self, deadlines: Mapping[str, datetime]) -> list[float]:
        """How many seconds after its deadline each of these was found to be stuck, in order."""
        found = self.stage.ask(
            "SELECT t.transaction_id, l.at FROM collector_transition l JOIN collector_transaction t"
            " ON t.id = l.transaction WHERE l.kind = 'stuck' AND t.transaction_id = ANY(%s)",
            list(deadlines),
        )
        return sorted((at - deadlines[name]).total_seconds() for name, at in found)

    def make_up(self, dances: Dances) -> None:
        """What was silent is answered after all, and leaves nothing behind."""
        dances.relent()
        poll_until(lambda: self.completed(dances) == len(dances.placed), 60, "all to be completed", every=0.2)
        with closing(Api(self.stage.port)) as api:
            poll_until(lambda: not (api.stuck() or api.alarms()), 30, "nothing to be stuck", every=0.2)


@pytest.fixture(scope="module")
def troupe(kafka: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Troupe]:
    with Stage("deadlines", Broker("kafka", kafka.bootstrap), tmp_path_factory.mktemp("deadlines")) as stage:
        stage.start("web", "worker", "beat")
        collector = stage.collect()
        stage.await_ready()
        yield Troupe(stage, collector)


def deadlines(dances: Dances) -> dict[str, datetime]:
    within = timedelta(seconds=WITHIN[dances.first])
    return {order: dances.placed[order] + within for order in dances.silent}


def percentile(ordered: list[float], share: float) -> float:
    return ordered[math.ceil(len(ordered) * share) - 1]


def test_what_is_stuck_is_said_within_two_seconds(troupe: Troupe, capsys: pytest.CaptureFixture[str]) -> None:
    with Watch(troupe.stage.port) as watch, troupe.dances("ExpressOrderPlaced", SILENT_ONE_IN) as dances:
        poll_until(lambda: dances.seconds > SECONDS, SECONDS + 5, "the time to pass")
        pace = dances.finish()
        poll_until(lambda: watch.seen.keys() >= dances.silent, 20, "all that are stuck to be seen")
        assert watch.seen.keys() == dances.silent
    after = watch.after(deadlines(dances))
    known = troupe.known_after(deadlines(dances))
    with capsys.disabled():
        print(
            f"\nFrom deadline to answer, {len(after)} stuck of {len(dances.placed)} at {pace:.0f} events/s:"
            f" median {percentile(after, 0.5):.2f} s, p99 {percentile(after, 0.99):.2f} s, worst {after[-1]:.2f} s;"
            f" known to the database after {percentile(known, 0.5):.2f} s, p99 {percentile(known, 0.99):.2f} s"
        )
    assert pace > 0.95 * PACE
    assert after[0] > 0
    assert percentile(after, 0.99) < SOON
    troupe.make_up(dances)


def test_without_redis_collectors_find_what_is_stuck(troupe: Troupe, capsys: pytest.CaptureFixture[str]) -> None:
    """Celery's worker is cut off from its clock then; and comes back by itself."""
    with Watch(troupe.stage.port) as watch, troupe.dances("ExpressOrderPlaced", SILENT_ONE_IN) as dances:
        troupe.stage.redis.stop()
        poll_until(lambda: dances.seconds > WITHOUT_REDIS, WITHOUT_REDIS + 5, "the time to pass")
        dances.finish()
        poll_until(lambda: watch.seen.keys() >= dances.silent, 20, "all that are stuck to be seen")
        assert watch.seen.keys() == dances.silent
    after = watch.after(deadlines(dances))
    troupe.stage.redis.start()
    back = time.monotonic()
    poll_until(lambda: _age(troupe.stage, "alerts") < 2, 60, "the worker to be back")
    with capsys.disabled():
        print(
            f"\nWithout Redis, {len(after)} stuck: median {percentile(after, 0.5):.2f} s, worst {after[-1]:.2f} s after"
            f" the deadline; the worker back {time.monotonic() - back:.1f} s after Redis"
        )
    assert after[-1] < WITHOUT_REDIS_SOON
    troupe.make_up(dances)


def _age(stage: Stage, heart: str) -> float:
    ((age,),) = stage.ask(
        "SELECT extract(epoch FROM clock_timestamp() - at)::float FROM collector_heartbeat WHERE name = %s", heart
    )
    return float(age)


def test_nobody_cries_wolf_while_the_collector_is_away(troupe: Troupe, capsys: pytest.CaptureFixture[str]) -> None:
    """Many times as long as answers may take: nothing that was answered meanwhile is ever said to be stuck."""
    alarms = set[str]()
    with closing(Api(troupe.stage.port)) as api, troupe.dances("OrderPlaced", 10**9) as dances:
        poll_until(lambda: troupe.completed(dances) > PACE / 10, 30, "work")
        leave(troupe.collector)
        began = dances.seconds

        def a_while() -> bool:
            alarms.update(api.alarms())
            return dances.seconds - began > WITHOUT_COLLECTOR

        poll_until(a_while, WITHOUT_COLLECTOR + 10, "the time to pass", every=0.2)
        assert alarms == {"collector_down"}
        missed = len(dances.placed) - troupe.completed(dances)
        back = time.monotonic()
        troupe.collector = troupe.stage.collect()
        dances.finish()

        def caught_up() -> bool:
            alarms.update(api.alarms())
            return troupe.completed(dances) == len(dances.placed)

        poll_until(caught_up, 120, "all to be completed", every=0.2)
        took = time.monotonic() - back
        # what it has then that is not answered shows that deadlines count, and all before it have passed
        order = dances.silent_one()
        poll_until(lambda: order in api.stuck(), 20, "one that is stuck after all", every=0.2)
    assert alarms <= {"collector_down", "collector_behind"}
    assert troupe.ever_stuck(dances) == {order}
    with capsys.disabled():
        print(
            f"\nCollector away for {WITHOUT_COLLECTOR} s at {PACE} events/s: of {len(dances.placed) - 1} transactions,"
            f" {missed} finished meanwhile, none was ever stuck; caught up in {took:.1f} s;"
            f" alerts: {', '.join(sorted(alarms))}"
        )
    troupe.make_up(dances)
