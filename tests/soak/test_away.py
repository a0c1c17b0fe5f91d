"""PostgreSQL away for a while, under load: no rebalance, no loss, bounded memory, and work resumes by itself.

With SOAK set (`make soak`) it is away for a minute; else for some seconds.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import psycopg
import pytest
from confluent_kafka import ConsumerGroupState
from pytest_django import DjangoDbBlocker

from collector.config import load
from collector.models import Gap
from tests.integration.reliability.processes import Collectors
from tests.soak import ledger
from tests.soak.load import CONFIG, EVENTS_EACH, Load
from tests.soak.parts import Database
from tests.stack.brokers import Broker
from tests.stack.kafka import Server
from tests.stack.waiting import poll_until

SECONDS, EVENTS = (60, 60_000) if os.environ.get("SOAK") else (10, 18_000)
SHARES = SECONDS + 4
"""Of the load, one is published each second that the database is away; two come before that, and two after it."""
VALUE = 5_000
"""Bytes of a record's value: far more is published meanwhile than a collector may hold."""
BUSY = {"max.poll.interval.ms": "8000"}
"""Kafka takes a member for dead that does not poll for so long."""
GROWTH = 80
"""Megabytes that a collector may hold of what it cannot store."""
RESUMES = 10
SEED = 7

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


class Watched:
    """A collector's group and database, as others see them."""

    def __init__(self, broker: Broker, database: Database) -> None:
        self._group, self._admin, self._database = f"{broker.prefix}collector", broker.admin(), database

    def member(self) -> str:
        """The one member of the group, which is at rest; it gets another id where it has to join again."""
        found = self._admin.describe_consumer_groups([self._group])[self._group].result(10)
        assert found.state == ConsumerGroupState.STABLE
        (member,) = found.members
        return str(member.member_id)

    def _ask(self, statement: str) -> int:
        with psycopg.connect(self._database.url) as session:
            row = session.execute(statement).fetchone()
        return int(row[0]) if row else 0

    def stored(self) -> int:
        return self._ask("SELECT coalesce(sum(next_offset), 0)::bigint FROM collector_progress")

    def rebalances(self) -> int:
        """As the collector counts them itself; 0 while it gives no sign of life."""
        return self._ask(
            "SELECT (detail -> 'counts' ->> 'rebalances')::int FROM collector_heartbeat"
            " WHERE name LIKE 'collector:%' AND at > clock_timestamp() - interval '2 seconds'"
        )


@pytest.mark.parametrize("how", ["stopped", "hangs"])
def test_while_the_database_is_away_nobody_leaves_and_nothing_is_lost(
    kafka: Server, django_db_blocker: DjangoDbBlocker, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    broker = Broker("kafka", kafka.bootstrap)
    collectors = Collectors(broker, tmp_path, CONFIG)
    with (
        Database(how, durable=False) as database,
        database.read(django_db_blocker),
        Load(broker, -(-EVENTS // EVENTS_EACH), SEED, os.urandom(VALUE)) as load_,
        collectors.running(properties=BUSY, DATABASE_URL=database.url) as collector,
    ):
        watched, process = Watched(broker, database), psutil.Process(collector.process.pid)
        share = load_.size // SHARES
        load_.allow(2 * share)
        poll_until(lambda: watched.stored() >= 2 * share, 60, "what comes first")
        rebalances = poll_until(watched.rebalances, 10, "a sign of life")
        member, before = watched.member(), process.memory_info().rss
        # it goes in the midst of work
        load_.allow(3 * share)
        poll_until(lambda: watched.stored() > 2 * share, 60, "work")
        (database.stop if how == "stopped" else database.freeze)()
        away, peak = time.monotonic(), before

        def a_while() -> bool:
            nonlocal peak
            load_.allow(share * (3 + int(time.monotonic() - away)))
            assert watched.member() == member
            peak = max(peak, process.memory_info().rss)
            return time.monotonic() - away > SECONDS

        poll_until(a_while, SECONDS + 10, "the time to pass", every=0.2)
        assert (peak - before) / 2**20 < GROWTH
        (database.start if how == "stopped" else database.thaw)()
        back, stored = time.monotonic(), watched.stored()
        assert stored < load_.allowed
        poll_until(lambda: watched.stored() > stored, RESUMES, "work to resume", every=0.02)
        resumed = time.monotonic() - back
        load_.allow(load_.size)
        poll_until(lambda: watched.stored() >= load_.size, 120, "what came meanwhile")
        caught_up = time.monotonic() - back
        assert watched.member() == member
        after = poll_until(watched.rebalances, 10, "a sign of life")
        assert after == rebalances
        collector.signal(signal.SIGTERM)
        assert collector.await_end() == 0
        log = ledger.read(broker, load_.topics)
        balance = ledger.balance(log)
        assert (balance.lost, balance.twice) == (set(), set())
        ledger.equals(log)
        assert not Gap.objects.exists()
        compared = ledger.judged_afresh(load(collectors.config), load_.phases)
        figures = {
            "seconds away": SECONDS,
            "records": len(log.places),
            "rebalances": after - rebalances,
            "lost": len(balance.lost),
            "twice": len(balance.twice),
            "states compared": compared,
            "MB before": before >> 20,
            "MB at most while away": peak >> 20,
            "seconds to resume": round(resumed, 2),
            "seconds to catch up": round(caught_up, 2),
        }
        with capsys.disabled():
            print(f"\nDatabase {how}:", ", ".join(f"{name} {count}" for name, count in figures.items()))


def test_a_collector_ends_when_it_is_told_to_though_the_database_hangs(
    kafka: Server, django_db_blocker: DjangoDbBlocker, tmp_path: Path
) -> None:
    """In the middle of a batch; another one takes up what it left."""
    broker = Broker("kafka", kafka.bootstrap)
    collectors = Collectors(broker, tmp_path, CONFIG)
    with (
        Database("ends", durable=False) as database,
        database.read(django_db_blocker),
        Load(broker, 2_000, SEED) as load_,
    ):
        watched = Watched(broker, database)
        with collectors.running(DATABASE_URL=database.url) as collector:
            load_.allow(load_.size)
            poll_until(lambda: watched.stored() > 0, 60, "work", every=0.005)
            database.freeze()
            collector.signal(signal.SIGTERM)
            assert collector.await_end(20) == 0
        database.thaw()
        assert watched.stored() < load_.size
        with collectors.running(DATABASE_URL=database.url):
            poll_until(lambda: watched.stored() >= load_.size, 60, "what was left")
        balance = ledger.balance(ledger.read(broker, load_.topics))
        assert (balance.lost, balance.twice) == (set(), set())
