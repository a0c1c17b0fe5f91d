"""What is mined of a stored log is what a plain count of it comes to."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from collector import miner
from collector.bus import announcement_id
from collector.miner import chunks, counting, rows
from collector.models import Mined, MinedCount, Transaction, Transition, Unmined, Variant
from collector.storage import unmined
from tests.builders import cloud_event
from tests.feeding import HAPPY, Feed
from tests.mining_found import RULES, found, ways
from tests.mining_logs import LogEvent, Plain, Store, agrees, log

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("day_tables")]


@pytest.fixture
def feed() -> Feed:
    return Feed()


def test_sixty_years_agree_with_a_plain_count() -> None:
    events = log(1, 600)
    site = Store()
    site.write_all(events, 2)
    assert miner.mine(RULES) == 600
    plain = Plain.of(events, site.places)
    agrees(found(), plain)
    assert ways() == plain.variants
    for name in plain.names:
        agrees(found(name), plain.named(name))
        assert ways(name) == plain.named(name).variants
    assert not Unmined.objects.exists()


def test_thousands_of_variants_agree_with_a_plain_count() -> None:
    events = log(21, 2_500, types=25)
    site = Store()
    site.write_all(events, 22, batch=2_000)
    miner.mine(RULES)
    plain = Plain.of(events, site.places)
    assert len(plain.variants) > 1_500
    agrees(found(), plain)
    assert ways() == plain.variants
    assert ways(causal=True).total() == 2_500


def test_a_range_of_days_holds_what_began_within_it() -> None:
    events = log(3, 300)
    site = Store()
    site.write_all(events, 4)
    miner.mine(RULES)
    since, until = datetime(1985, 3, 7, 15, tzinfo=UTC), datetime(2011, 9, 2, 1, tzinfo=UTC)
    mined = found(since=since, until=until)
    assert (mined.since, mined.until) == (since.replace(hour=0), datetime(2011, 9, 3, tzinfo=UTC))
    plain = Plain.of(events, site.places)
    within = {key: case for key, case in plain.cases.items() if mined.since <= case[0].time < mined.until}
    assert 0 < len(within) < len(plain.cases)
    agrees(mined, Plain(within))


@pytest.mark.parametrize("seed", range(5))
def test_it_makes_no_difference_in_what_pieces_it_is_taken_in_nor_how_often(seed: int) -> None:
    events = log(seed, 60)
    rng = random.Random(seed)
    shuffled = rng.sample(events, len(events))
    site = Store()
    for start in range(0, len(shuffled), 40):
        site.write(shuffled[start : start + 40], timezone.now(), rng)
        site.write(rng.sample(shuffled[: start + 40], 10), timezone.now() - timedelta(days=rng.randint(0, 1)), rng)
        if rng.random() < 0.7:
            miner.mine(RULES)
    for _ in range(2):
        miner.mine(RULES)
        plain = Plain.of(events, site.places)
        agrees(found(), plain)
        assert ways() == plain.variants
        with connection.cursor() as cursor:
            unmined.note(cursor, Transaction.objects.values_list("id", flat=True))


def test_a_miner_that_is_killed_leaves_all_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    events = log(11, 30)
    site = Store()
    site.write_all(events, 12)
    with monkeypatch.context() as patch:
        patch.setattr(counting, "append", lambda cursor, found: (rows.append(cursor, found), killed()))
        with pytest.raises(KeyboardInterrupt):
            miner.mine(RULES)
    assert not MinedCount.objects.exists()
    miner.mine(RULES)
    agrees(found(), Plain.of(events, site.places))


def killed() -> None:
    raise KeyboardInterrupt


def test_large_changes_are_taken_in_bit_by_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "MOST_EVENTS", 20)
    monkeypatch.setattr(chunks, "CHUNK", 7)
    events = log(13, 50)
    site = Store()
    site.write_all(events, 14)
    assert miner.mine(RULES, most=1) <= 7
    assert Unmined.objects.exists()
    miner.mine(RULES)
    agrees(found(), Plain.of(events, site.places))


@pytest.mark.parametrize("many", [1, 1_000], ids=["copied", "inserted"])
def test_a_transaction_that_somebody_else_has_counted_first_is_left_for_later(
    many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two miners found nothing kept of it; the faster one may have seen less."""
    monkeypatch.setattr(counting, "MANY", many)
    events = log(25, 20)
    site = Store()
    site.write_all(events[:-30], 26)
    known, others = counting.number_variants, iter([True])

    def overtaken(*arguments: Any) -> Any:
        if next(others, False):
            with connection.cursor() as cursor:
                unmined.note(cursor, Transaction.objects.values_list("id", flat=True)[:7])
            assert miner.mine(RULES) == 7
            site.write_all(events[-30:], 27)
        return known(*arguments)

    monkeypatch.setattr(counting, "number_variants", overtaken)
    miner.mine(RULES, most=1)
    miner.mine(RULES)
    agrees(found(), Plain.of(events, site.places))


def test_what_goes_its_own_way_beyond_the_bound_is_counted_with_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_VARIANTS", 5)
    events = log(15, 80, types=30)
    site = Store()
    site.write_all(events, 16)
    miner.mine(RULES)
    plain = Plain.of(events, site.places)
    agrees(found(), plain)
    assert Variant.objects.filter(choreography="Started", causal=False).count() == 5
    counted = ways()
    assert counted.total() == 80
    others = counted.pop(())
    assert others > 20
    assert all(plain.variants[way] == count for way, count in counted.items())
    with connection.cursor() as cursor:
        unmined.note(cursor, Transaction.objects.values_list("id", flat=True))
    site.write_all([LogEvent("c0", "one more", "Late", events[0].time + timedelta(days=90))], 17)
    miner.mine(RULES)
    assert ways().total() == 80


def test_partial_and_oversized_transactions_stay_out_and_are_taken_out() -> None:
    events = log(17, 20)
    site = Store()
    site.write_all(events, 18)
    miner.mine(RULES)
    Transaction.objects.filter(transaction_id="c0").update(partial=True)
    Transaction.objects.filter(transaction_id="c1").update(oversized=True)
    with connection.cursor() as cursor:
        unmined.note(cursor, Transaction.objects.values_list("id", flat=True))
    miner.mine(RULES)
    agrees(found(), Plain.of([event for event in events if event.case not in ("c0", "c1")], site.places))
    assert Mined.objects.count() == 18


def test_of_transactions_that_become_one_what_was_counted_of_each_is_subtracted(
    feed: Feed, tmp_path: Path, settings: Settings
) -> None:
    settings.CHOREOSCOPE_CONFIG = tmp_path / "choreoscope.yaml"
    settings.CHOREOSCOPE_CONFIG.write_text('links: [{ids: ["value:order", "value:shipment"]}]')
    feed.raw(*cloud_event("Ordered", "o1", "1", time=feed.now), value=b'{"order": "o1"}')
    feed.raw(*cloud_event("Shipped", "s1", "2", time=feed.now), value=b'{"shipment": "s1"}')
    feed.read()
    miner.mine(feed.rulebook)
    assert found().transactions == 2
    feed.raw(*cloud_event("Linked", "o1", "3", time=feed.now), value=b'{"order": "o1", "shipment": "s1"}')
    feed.read()
    miner.mine(feed.rulebook)
    assert found().transactions == 1
    assert found().events == 3


def test_the_status_is_that_of_now_and_tells_what_is_in_flight(feed: Feed) -> None:
    feed.order("done")
    feed.order("under way", steps=2, ago=1)
    feed.order("stuck", steps=1, ago=120)
    feed.read()
    miner.mine(feed.rulebook)
    every = found()
    assert (every.transactions, every.in_flight) == (3, 2)
    assert {node.type: node.in_flight for node in every.nodes if node.in_flight} == {
        "OrderPlaced": 1,
        "PaymentAuthorized": 1,
    }
    assert {status: found(status=status).events for status in ("completed", "running", "stuck", "failed")} == {
        "completed": len(HAPPY),
        "running": 2,
        "stuck": 1,
        "failed": 0,
    }


def test_causal_variants_tell_what_led_to_what_and_not_what_came_first(feed: Feed) -> None:
    for number, steps in enumerate((HAPPY, (HAPPY[0], HAPPY[2], HAPPY[1], *HAPPY[3:]))):
        for index, (name, service, causes) in enumerate(steps):
            feed.event(f"order-{number}", name, service, 60 - index, causes)
    feed.read()
    miner.mine(feed.rulebook)
    assert len(ways()) == 2
    ((form, count),) = ways(causal=True).items()
    types, causes = form
    assert count == 2
    assert {name: {types[place] for place in places} for name, places in zip(types, causes, strict=True)} == {
        name: set(led) for name, _, led in HAPPY
    }


def test_what_our_own_events_led_to_is_not_learned_from(feed: Feed) -> None:
    feed.order("order", steps=1)
    feed.read()
    transaction = Transaction.objects.get()
    told = Transition.objects.create(
        day=transaction.day, id=10**6, transaction=transaction.id, at=feed.now, effective_at=feed.now, kind="stuck",
        phase="running", detail={"announcement": "stuck"},
    )  # fmt: skip
    cause = announcement_id("order", told.id, told.at)
    headers = cloud_event("RefundStarted", "order", "echo", "/services/payment", feed.now, [cause])
    feed.raw(*headers, value=b"{}")
    feed.raw(*cloud_event("Refunded", "order", "echo-2", "/services/payment", feed.now, ["echo"]), value=b"{}")
    feed.read()
    miner.mine(feed.rulebook)
    assert {node.type for node in found().nodes} == {"OrderPlaced"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("empty_database")
def test_several_miners_at_once_beside_a_collector_count_each_transaction_once() -> None:
    events = log(19, 150, longest=8)
    rng = random.Random(20)
    shuffled = rng.sample(events, len(events))
    site, done = Store(), threading.Event()

    def keep_mining() -> int:
        taken = 0
        try:
            while not done.is_set():
                taken += miner.mine(RULES, most=1)
            return taken
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        miners = [pool.submit(keep_mining) for _ in range(3)]
        try:
            for start in range(0, len(shuffled), 25):
                site.write(shuffled[start : start + 25], timezone.now(), rng)
        finally:
            done.set()
        assert sum(miner.result() for miner in miners) > 0
    miner.mine(RULES)
    plain = Plain.of(events, site.places)
    agrees(found(), plain)
    assert ways() == plain.variants
