"""Everything goes wrong that can, in an order that nobody chose, and afterwards the database equals the topics.

With SOAK set (`make soak`) the story is long; else it is one of about a minute.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psycopg
import pytest
from pytest_django import DjangoDbBlocker

from collector.config import load
from collector.models import Gap
from dashboard.parts import redis as embedded_redis
from tests.integration.reliability.processes import FREEZING, CollectorProcess, Collectors
from tests.soak import ledger
from tests.soak.load import CONFIG, EVENTS_EACH, Load
from tests.soak.parts import Database, Part
from tests.stack.brokers import Broker
from tests.stack.kafka import Server
from tests.stack.waiting import poll_until

ONCE_EACH = dict.fromkeys(
    ("freeze", "freeze between", "freeze within", "join and leave", "kafka", "postgres", "redis"), 1
)
LONG = (200_000, {"kill": 20, **ONCE_EACH})
SHORT = (20_000, {"kill": 4, **ONCE_EACH})
EVENTS, MISHAPS = LONG if os.environ.get("SOAK") else SHORT
SEED = 20
PATIENCE = 120

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


class Story:
    """Collectors, one at most times, under a load; and what befalls them. Each mishap leaves one that reads."""

    def __init__(
        self, broker: Broker, kafka: Server, database: Part, redis: Part, load_: Load, collectors: Collectors
    ) -> None:
        self._broker, self._kafka, self._database, self._redis = broker, kafka, database, redis
        self._load, self._collectors = load_, collectors
        self._running = ExitStack()
        self.killed_at_work = 0
        self._mishaps: dict[str, Callable[[], None]] = {
            "kill": self._kill,
            "freeze": self._freeze,
            "freeze between": partial(self._freeze_inside, "between"),
            "freeze within": partial(self._freeze_inside, "within"),
            "join and leave": self._join_and_leave,
            "kafka": self._restart_kafka,
            "postgres": self._restart_postgres,
            "redis": self._miss_redis,
        }

    def tell(self, mishaps: dict[str, int], chance: random.Random) -> None:
        """All of these, in any order, each at a random moment; then whatever is left is read in peace."""
        order = list(Counter(mishaps).elements())
        chance.shuffle(order)
        share = self._load.size / (len(order) + 1)
        self._ahead = round(share)
        with self._running:
            self._reader = self._start()
            for number, mishap in enumerate(order):
                moment = round(share * (number + chance.random()))
                self._load.allow(moment + self._ahead)
                self._await_stored(moment, every=0.005)  # while there's still work at hand
                self._mishaps[mishap]()
            self._load.allow(self._load.size)
            self._catch_up()
            self._leave(self._reader)

    def _start(self, *command: str, **environment: str) -> CollectorProcess:
        parts = {"DATABASE_URL": self._database.url, "REDIS_URL": self._redis.url}
        return self._running.enter_context(self._collectors.running(*command, **parts, **environment))

    def _leave(self, collector: CollectorProcess) -> None:
        collector.signal(signal.SIGTERM)
        assert collector.await_end() == 0

    def _stored(self) -> int:
        with psycopg.connect(self._database.url) as session:
            row = session.execute("SELECT coalesce(sum(next_offset), 0) FROM collector_progress").fetchone()
        return int(row[0]) if row else 0

    def _await_stored(self, count: int, every: float = 0.05) -> None:
        poll_until(lambda: self._stored() >= count, PATIENCE, f"{count} records", every)
        assert self._reader.process.poll() is None

    def _more(self) -> None:
        self._load.allow(self._load.allowed + self._ahead // 8)

    def _catch_up(self) -> None:
        self._await_stored(self._load.allowed)

    def _await_shared(self) -> None:
        group, admin = f"{self._broker.prefix}collector", self._broker.admin()

        def shares() -> list[int]:
            found = admin.describe_consumer_groups([group])[group].result(10).members
            return [len(member.assignment.topic_partitions) for member in found]

        poll_until(lambda: len(counts := shares()) == 2 and all(counts), PATIENCE, "two that share the partitions")

    def _kill(self) -> None:
        self._reader.signal(signal.SIGKILL)
        assert self._reader.await_end() == -signal.SIGKILL
        self.killed_at_work += self._stored() < self._load.allowed
        self._reader = self._start()

    def _freeze(self) -> None:
        self._reader.signal(signal.SIGSTOP)
        self._replace_and_wake(self._reader)

    def _freeze_inside(self, where: str) -> None:
        """In a database transaction, with all locks in its hands."""
        self._leave(self._reader)
        zombie = self._start(*FREEZING, FREEZE=where)
        self._more()
        zombie.await_frozen()
        self._replace_and_wake(zombie)

    def _replace_and_wake(self, zombie: CollectorProcess) -> None:
        """Kafka gives the frozen one's partitions away when its session has timed out, no sooner."""
        self._reader = self._start()
        self._more()
        self._catch_up()
        zombie.signal(signal.SIGCONT)
        self._more()
        self._await_shared()
        self._more()
        self._catch_up()
        self._leave(zombie)

    def _join_and_leave(self) -> None:
        # who was killed before is no member any more when all has been read
        self._more()
        self._catch_up()
        second = self._start()
        self._await_shared()
        self._more()
        self._catch_up()
        self._more()
        self._leave(second)

    def _restart_kafka(self) -> None:
        with self._kafka.away():
            self._more()
        self._catch_up()

    def _restart_postgres(self) -> None:
        self._database.stop()
        self._more()
        self._reader.await_words("reading waits for the database", PATIENCE)
        self._database.start()
        self._catch_up()

    def _miss_redis(self) -> None:
        self._redis.stop()
        self._more()
        self._reader.await_words("browsers were not told of changes", PATIENCE)
        self._catch_up()
        self._redis.start()


def test_whatever_happens_nothing_is_lost_and_nothing_counts_twice(
    kafka: Server,
    django_db_blocker: DjangoDbBlocker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    began = time.monotonic()
    broker = Broker("kafka", kafka.bootstrap)
    collectors = Collectors(broker, tmp_path, CONFIG)
    with (
        Database("soak") as database,
        Part(partial(embedded_redis.running, tmp_path / "redis")) as redis,
        database.read(django_db_blocker),
    ):
        with Load(broker, -(-EVENTS // EVENTS_EACH), SEED) as load_:
            story = Story(broker, kafka, database, redis, load_, collectors)
            story.tell(MISHAPS, random.Random(SEED))
        assert not load_.refused
        log = ledger.read(broker, load_.topics)
        assert len(log.places) == load_.size
        balance = ledger.balance(log)
        assert (balance.lost, balance.twice) == (set(), set())
        ledger.equals(log)
        assert not Gap.objects.exists()
        compared = ledger.judged_afresh(load(collectors.config), load_.phases)
        figures = {
            "events": len(log.events),
            "records": len(log.places),
            **MISHAPS,
            "killed at work": story.killed_at_work,
            "lost": len(balance.lost),
            "twice": len(balance.twice),
            "states compared": compared,
            "seconds": round(time.monotonic() - began),
        }
        with capsys.disabled():
            print("\nSoak:", ", ".join(f"{name} {count}" for name, count in figures.items()))
