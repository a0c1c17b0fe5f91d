"""Two collectors and two sweepers beside each other, while answers come about when they are due: each transition once.

Each sweeper has a clock of its own, so that both sweep at any moment. With SOAK set (`make soak`) for five minutes.
"""

from __future__ import annotations

import itertools
import os
import random
from collections import Counter
from pathlib import Path

import pytest
from django.db.models import Sum
from pytest_django import DjangoDbBlocker

from collector.config import load
from collector.correlation.lifecycle import evaluate
from collector.models import Heartbeat, Overdue, Phase, Transaction, Transition, Waiting
from collector.storage import context, judgement
from collector.storage.sql import binary_cursor
from tests.soak.dances import WITHIN, Dances
from tests.soak.stage import Stage, leave
from tests.stack.brokers import Broker
from tests.stack.kafka import Server
from tests.stack.waiting import poll_until

SECONDS = 300 if os.environ.get("SOAK") else 6
PACE = 500
FIRST = "ExpressOrderPlaced"
SEED = 5
ONE_BEAT = 4.0
"""Sweeps each second that one clock asks for; who sees more has seen both."""

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def payment(chance: random.Random, number: int) -> float | None:
    """Some are paid for at once, many about when the time is up, and some not at all."""
    if number % 20 == 7:
        return None
    return 0.1 if number % 3 == 0 else chance.uniform(0.5, 2) * WITHIN[FIRST]


def sensible(log: list[Transition]) -> bool:
    """Each entry says something else than the one before, it is stuck once at most, and recovers from nothing else."""
    states = [(entry.phase, entry.overdue_since, entry.detail.get("overdue")) for entry in log]
    kinds = [entry.kind for entry in log]
    return (
        all(one != other for one, other in itertools.pairwise(states))
        and Counter(kinds).most_common(1)[0][1] == 1
        and ("recovered" not in kinds or kinds[kinds.index("recovered") - 1] == "stuck")
    )


def compare(stage: Stage, dances: Dances) -> Counter[str]:
    """What is stored is what a fresh judgement of all events comes to; how often each transition is in the log."""
    logs: dict[int, list[Transition]] = {}
    for entry in Transition.objects.order_by("id"):
        logs.setdefault(entry.transaction, []).append(entry)
    rulebook = load(stage.config).rulebook
    with binary_cursor() as cursor:
        ctx = context.load(cursor, rulebook)
        rows = judgement.lock_by_row(cursor, list(Transaction.objects.values_list("id", flat=True)))
        events = judgement.skeletons(cursor, rows, ctx.topic_names)
    overdue = Counter(Overdue.objects.values_list("transaction", flat=True))
    assert {row.transaction_id for row in rows} == dances.placed.keys()
    for row in rows:
        fresh = evaluate(events[row.id], rulebook, ctx.reading)
        assert row.phase == (Phase.RUNNING if row.transaction_id in dances.silent else Phase.COMPLETED)
        assert (row.phase, row.overdue_since, row.ended_at) == (fresh.phase, fresh.overdue_since, fresh.ended_at)
        assert (row.stored.pending, row.stored.deviations) == (fresh.pending, fresh.deviations)
        assert (row.event_count, row.redelivery_count) == (len(events[row.id]), 0)
        assert overdue[row.id] == (row.transaction_id in dances.silent)
        assert sensible(logs[row.id]), [(entry.kind, entry.phase, entry.overdue_since) for entry in logs[row.id]]
        assert (logs[row.id][-1].phase, logs[row.id][-1].overdue_since) == (row.phase, row.overdue_since)
    waiting = Waiting.objects.exclude(rule="").values("rule").annotate(n=Sum("count")).exclude(n=0)
    assert sum(found["n"] for found in waiting) == len(dances.silent)
    return Counter(entry.kind for log in logs.values() for entry in log)


def test_two_collectors_and_two_sweepers_tell_everything_once(
    kafka: Server, django_db_blocker: DjangoDbBlocker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(SEED)
    with (
        Stage("beside", Broker("kafka", kafka.bootstrap), tmp_path) as stage,
        stage.database.read(django_db_blocker),
    ):
        stage.start("worker", "beat")
        stage.start("worker", "beat", apart=True)
        collectors = [stage.collect(), stage.collect()]
        poll_until(lambda: Heartbeat.objects.filter(name="alerts").exists(), 60, "the workers")
        poll_until(lambda: _readers() == len(collectors), 60, "two that share the partitions")
        before = _sweeps()
        with Dances(stage.broker, FIRST, PACE, lambda number: payment(chance, number)) as dances:
            poll_until(lambda: dances.seconds > SECONDS, SECONDS + 5, "the time to pass", every=0.2)
            sweeps = (_sweeps() - before) / dances.seconds
            pace = dances.finish()
        poll_until(lambda: _still_to_come(dances) == 0, 60, "all to be judged", every=0.2)
        for collector in collectors:
            assert "deadlock" not in collector.said()
            leave(collector)
        stage.end()
        ((deadlocks,),) = stage.ask("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        told = compare(stage, dances)
        with capsys.disabled():
            print(
                f"\nTwo collectors, two sweepers, {SECONDS} s at {pace:.0f} events/s, {sweeps:.1f} sweeps/s:"
                f" {len(dances.placed)} transactions, {', '.join(f'{n} {kind}' for kind, n in sorted(told.items()))};"
                f" none told twice, {deadlocks} deadlocks"
            )
    assert deadlocks == 0
    assert sweeps > ONE_BEAT
    assert told["stuck"] > len(dances.silent)


def _readers() -> int:
    """The collectors that have partitions."""
    return Heartbeat.objects.filter(name__startswith="collector:", detail__partitions__gt=0).count()


def _sweeps() -> int:
    return int(Heartbeat.objects.get(name="sweep").detail["sweeps"])


def _still_to_come(dances: Dances) -> int:
    """How many have not come to their end, nor been found to be stuck."""
    ended = Transaction.objects.filter(phase=Phase.COMPLETED).count()
    stuck = Transaction.objects.filter(transaction_id__in=dances.silent, overdue_since__isnull=False).count()
    return len(dances.placed) - ended - stuck
