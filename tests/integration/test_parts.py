"""The embedded parts: they start from whatever an earlier run left behind, keep what they should, and end."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis as redis_client
from confluent_kafka import Consumer, Producer

from dashboard.parts import addresses, broker, postgres, redis
from dashboard.parts.process import Locked, is_alive
from tests.stack.place import ROOT
from tests.stack.waiting import poll_until


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short folder: pytest's own are deep, and then sockets lie elsewhere."""
    with tempfile.TemporaryDirectory(prefix="choreoscope-test-") as path:
        yield Path(path)


def server(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "data" / "postmaster.pid").read_text().splitlines()[0]))


def write(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("create table if not exists kept (id int)")
        connection.execute("insert into kept values (1)")


def count(url: str) -> int:
    with psycopg.connect(url) as connection:
        (rows,) = connection.execute("select count(*) from kept").fetchone() or (0,)
    return int(rows)


def test_postgres_keeps_its_data_and_leaves_no_process(folder: Path) -> None:
    with postgres.running(folder, durable=False) as url:
        write(url)
        process = server(folder)
    assert not process.is_running()
    assert not (folder / "lock").exists()
    with postgres.running(folder, durable=False) as url:
        assert count(url) == 1


def test_postgres_is_the_one_that_production_has(folder: Path) -> None:
    with postgres.running(folder, durable=False) as url, psycopg.connect(url) as connection:
        assert connection.info.server_version // 10000 >= 14
        assert connection.execute("show server_encoding").fetchone() == ("UTF8",)
        assert connection.execute("show timezone").fetchone() == ("UTC",)
        assert connection.execute("show listen_addresses").fetchone() == ("",)


def test_postgres_recovers_when_it_was_killed(folder: Path) -> None:
    with postgres.running(folder) as url:
        write(url)
        server(folder).kill()
    assert (folder / "data" / "postmaster.pid").exists()
    with postgres.running(folder) as url:
        assert count(url) == 1


ORPHAN = """
import os, sys
from pathlib import Path
from dashboard.parts import postgres
from dashboard.parts.process import Launcher

class Careless(Launcher):
    def start(self, *arguments, **options):
        return super().start(*arguments, **{**options, "death_signal": 0})

running = postgres.running(Path(sys.argv[1]), launcher=Careless(Path(sys.argv[1])))
running.__enter__()
os._exit(0)
"""


def test_postgres_takes_over_from_a_supervisor_that_was_killed(folder: Path) -> None:
    """As it happens where the kernel does not end processes with their parents."""
    subprocess.run([sys.executable, "-c", ORPHAN, folder], cwd=ROOT, check=True, timeout=60)
    orphan = server(folder)
    assert is_alive(orphan)
    with postgres.running(folder, durable=False) as url:
        write(url)
        assert not is_alive(orphan)


def test_postgres_is_not_misled_by_a_stale_process_id(folder: Path) -> None:
    with postgres.running(folder, durable=False) as url:
        write(url)
    parent = psutil.Process().ppid()
    stale = f"{parent}\n{folder}/data\n1\n5432\n{folder}\n\n1 1\nready\n"
    (folder / "data" / "postmaster.pid").write_text(stale)
    with postgres.running(folder, durable=False) as url:
        assert count(url) == 1


def test_postgres_starts_over_when_its_set_up_was_interrupted(folder: Path) -> None:
    (folder / "data.new" / "base").mkdir(parents=True)
    with postgres.running(folder, durable=False) as url:
        write(url)
    assert not (folder / "data.new").exists()


def test_two_do_not_work_on_one_folder(folder: Path) -> None:
    with postgres.running(folder, durable=False), pytest.raises(Locked), postgres.running(folder):
        pass


def test_sockets_of_a_deep_folder_lie_in_a_short_one(tmp_path: Path) -> None:
    deep = tmp_path / ("deep" * 20)
    deep.mkdir()
    place = addresses.sockets(deep / "postgres")
    assert not place.is_relative_to(tmp_path)
    with postgres.running(deep / "postgres", durable=False) as url, redis.running(deep / "redis") as redis_url:
        write(url)
        with redis_client.Redis.from_url(redis_url) as client:
            assert client.ping()
    assert not place.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root's server is another user.")
def test_root_can_have_its_data_where_only_root_may_go(folder: Path) -> None:
    (folder / "closed").mkdir(mode=0o700)
    with postgres.running(folder / "closed" / "postgres", durable=False) as url:
        write(url)
        assert server(folder / "closed" / "postgres").username() != "root"
    assert (folder / "closed").stat().st_mode & 0o077 == 0o001


def test_redis_starts_beside_a_stale_socket(folder: Path) -> None:
    with redis.running(folder) as url, redis_client.Redis.from_url(url) as client:
        client.set("a", "b")
        process = psutil.Process(client.info("server")["process_id"])
        process.kill()
    with redis.running(folder) as url, redis_client.Redis.from_url(url) as client:
        assert client.get("a") is None
        process = psutil.Process(client.info("server")["process_id"])
    assert not process.is_running()


def test_the_broker_carries_records_between_processes() -> None:
    with broker.running() as bootstrap:
        producer = Producer({"bootstrap.servers": bootstrap})
        producer.produce("orders", b"one")
        assert producer.flush(20) == 0
        settings = {"bootstrap.servers": bootstrap, "group.id": "readers", "auto.offset.reset": "earliest"}
        consumer = Consumer(settings)
        consumer.subscribe(["^ord.*"])
        record = poll_until(lambda: consumer.poll(0.1), 20, "the record")
        assert record.value() == b"one"
        consumer.close()
