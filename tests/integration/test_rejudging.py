"""After the rules have changed, open transactions are judged anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from pytest_django import Settings

from collector import config, deadlines, publish, rejudging, tasks
from collector.config.rules import registered
from collector.correlation.choreography import RuleBook
from collector.models import Deadline, Transaction, Transition
from collector.storage import totals
from tests.feeding import Feed

pytestmark = pytest.mark.django_db

BEFORE = """
choreographies:
  order-fulfilment:
    starts: [OrderPlaced]
    completes: [OrderCompleted]
    rules:
      - {after: OrderPlaced, expect: StockReserved, from: inventory, within: 1h}
"""
AFTER = BEFORE.replace("1h", "30s")


@pytest.fixture
def rules(tmp_path: Path, settings: Settings) -> Iterator[Path]:
    path = tmp_path / "rules.yaml"
    path.write_text(BEFORE)
    settings.CHOREOSCOPE_CONFIG = path
    return path


def load(path: Path) -> RuleBook:
    return registered(config.load(path).rulebook)


def placed(count: int) -> Feed:
    feed = Feed()
    for number in range(count):
        feed.order(f"order-{number}", steps=1, ago=60 + number)
    feed.read()
    return feed


def test_a_shorter_time_makes_stuck_what_was_not(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    placed(3)
    assert not Transaction.objects.filter(overdue_since__isnull=False).exists()
    rules.write_text(AFTER)
    call_command("judge_anew")
    assert "3 judged anew, 3 of them changed." in capsys.readouterr().out
    assert Transaction.objects.filter(overdue_since__isnull=False).count() == 3
    assert Transition.objects.filter(kind="stuck").count() >= 3
    assert {row.rules for row in Transaction.objects.all()} == {load(rules).version}
    call_command("judge_anew")
    assert "0 judged anew" in capsys.readouterr().out


def test_a_longer_one_takes_it_away(rules: Path) -> None:
    rules.write_text(AFTER)
    placed(1)
    assert Transaction.objects.get().overdue_since is not None
    rules.write_text(BEFORE)
    call_command("judge_anew")
    assert Transaction.objects.get().overdue_since is None
    assert Deadline.objects.get().due_at > Transaction.objects.get().started_at


def test_it_goes_on_where_it_was_interrupted(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejudging, "CHUNK", 2)
    placed(7)
    rules.write_text(AFTER)
    rulebook = load(rules)
    interrupted = rejudging.judge_anew(rulebook)
    assert [next(interrupted).examined, next(interrupted).examined] == [2, 2]
    assert rejudging.outdated(rulebook) == 3
    assert [chunk.examined for chunk in rejudging.judge_anew(rulebook)] == [2, 1]
    assert rejudging.outdated(rulebook) == 0


def test_a_chunk_that_fails_changes_nothing(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    placed(2)
    rules.write_text(AFTER)

    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(totals, "save", fail)
    with pytest.raises(RuntimeError):
        list(rejudging.judge_anew(load(rules)))
    assert rejudging.outdated(load(rules)) == 2


@pytest.mark.django_db(transaction=True)
def test_what_somebody_else_holds_is_left_and_taken_later(rules: Path) -> None:
    placed(2)
    rules.write_text(AFTER)
    rulebook = load(rules)
    other = connections.create_connection("default")
    try:
        with transaction.atomic(), other.cursor() as cursor:
            other.set_autocommit(False)
            cursor.execute("SELECT id FROM collector_transaction ORDER BY id LIMIT 1 FOR UPDATE")
            assert sum(chunk.examined for chunk in rejudging.judge_anew(rulebook)) == 1
            other.rollback()
    finally:
        other.close()
    assert [chunk.examined for chunk in rejudging.judge_anew(rulebook)] == [1]


def test_workers_do_it_by_themselves(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[tuple[str, ...], bool]] = []
    monkeypatch.setattr(publish, "send", lambda changed, alerts: told.append((changed, alerts)))
    placed(2)
    tasks.upkeep()
    assert told == []
    rules.write_text(AFTER)
    tasks.upkeep()
    assert Transaction.objects.filter(overdue_since__isnull=False).count() == 2
    assert [(sorted(changed), alerts) for changed, alerts in told] == [(["order-0", "order-1"], True)]
    tasks.upkeep()
    assert len(told) == 1


@pytest.mark.usefixtures("empty_database")
def test_beside_collectors_and_sweeps_everything_is_told_once(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two who judge anew, two who sweep, and a collector that brings answers meanwhile."""
    monkeypatch.setattr(rejudging, "CHUNK", 7)
    monkeypatch.setattr(deadlines, "CHUNK", 5)
    orders, answered = 200, 100
    feed = placed(orders)
    rules.write_text(AFTER)
    rulebook = load(rules)
    Deadline.objects.update(due_at=feed.ago(1))  # so that sweeps want them as well

    def answer() -> None:
        for number in range(0, answered, 10):
            for order in range(number, number + 10):
                feed.event(f"order-{order}", "StockReserved", "inventory", 1, ["OrderPlaced"])
            feed.read()

    def in_a_session(work: Callable[[], object]) -> None:
        try:
            work()
        finally:
            connection.close()

    work: list[Callable[[], object]] = [answer]
    work += [lambda: list(rejudging.judge_anew(rulebook))] * 2 + [lambda: deadlines.sweep(rulebook)] * 2
    with ThreadPoolExecutor(len(work)) as threads:
        list(threads.map(in_a_session, work))
    list(rejudging.judge_anew(rulebook))
    assert rejudging.outdated(rulebook) == 0
    assert Transaction.objects.filter(overdue_since__isnull=False).count() == orders - answered
    logs: dict[int, list[str]] = {}
    for row, kind in Transition.objects.order_by("id").values_list("transaction", "kind"):
        logs.setdefault(row, []).append(kind)
    told = Counter(tuple(log) for log in logs.values())
    assert told.keys() <= {("started", "stuck"), ("started", "stuck", "recovered"), ("started",)}
    assert told["started", "stuck"] == orders - answered
