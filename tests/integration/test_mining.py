"""What is mined of a stored log is what a plain count of it comes to."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from collector import mined_retention, mined_rows, miner, queries, tasks
from collector.bus import announcement_id
from collector.correlation.choreography import RuleBook
from collector.mining.contribution import Contribution, micros_of
from collector.models import Mined, MinedCount, Transaction, Transition, Unmined, Variant
from collector.queries import MinedMap
from collector.storage import unmined
from collector.upkeep import keep_up
from tests.builders import cloud_event
from tests.feeding import HAPPY, Feed
from tests.mining_logs import LogEvent, Plain, Store, agrees, log

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("day_tables")]

RULES = RuleBook(())


@pytest.fixture
def feed() -> Feed:
    return Feed()


def found(
    name: str = "_all", status: str = "", since: datetime | None = None, until: datetime | None = None
) -> MinedMap:
    return queries.mined_map(name, since, until, status, timezone.now())


def ways(name: str = "_all", *, causal: bool = False) -> Counter[tuple[object, ...]]:
    """All variants, by pages of 100."""
    counted: Counter[tuple[object, ...]] = Counter()
    cursor: str | None = ""
    while cursor is not None:
        page = queries.variants(name, None, None, "", timezone.now(), causal=causal, cursor=cursor, limit=100)
        for item in page.items:
            counted[(item.types, item.causes) if causal else item.types] += item.count
        cursor = page.next
    return counted


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


def settle_all() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mined_rows, "UNSETTLED", 1)
        while mined_rows.settle():
            pass


def test_the_last_two_days_are_counted_by_the_hour_until_they_are_over() -> None:
    now = timezone.now().replace(minute=30)
    old, young = log(5, 40, begin=now - timedelta(hours=5)), log(6, 30, begin=now - timedelta(hours=2), name="young")
    site = Store()
    site.write_all([*old, *young[:-20]], 7)
    miner.mine(RULES)
    since = now - timedelta(hours=2)
    hours = queries.mined_map("_all", since, None, "", now)
    assert hours.since == since.replace(minute=0, second=0, microsecond=0)
    agrees(hours, Plain.of(young[:-20], site.places))

    later = now + timedelta(days=4)
    assert mined_rows.make_days(later) > 0
    assert not MinedCount.objects.filter(hours=1).exists()
    site.write_all(young[-20:], 8)  # what was counted by the hour is subtracted, though its hour is part of a day now
    miner.mine(RULES)
    settle_all()
    mined_rows.make_days(later)
    days = queries.mined_map("_all", since, None, "", later)
    assert days.since == since.replace(hour=0, minute=0, second=0, microsecond=0)
    plain = Plain.of([*old, *young], site.places)
    agrees(days, Plain({key: case for key, case in plain.cases.items() if case[0].time >= days.since}))
    assert not MinedCount.objects.filter(count__lte=0).exists()


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


def test_a_few_differences_are_appended_and_settled_when_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    events = log(21, 60)
    site = Store()
    for start in range(0, len(events), 50):
        site.write_all(events[start : start + 50], start)
        miner.mine(RULES)
        assert mined_rows.settle() == 0  # not many yet
    plain = Plain.of(events, site.places)
    agrees(found(), plain)
    assert not MinedCount.objects.filter(settled=True).exists()
    appended = MinedCount.objects.count()
    monkeypatch.setattr(mined_rows, "UNSETTLED", appended // 2)
    assert mined_rows.settle() == 2 * (appended // 2)
    agrees(found(), plain)
    settle_all()
    assert not MinedCount.objects.filter(settled=False).exists()
    assert 0 < MinedCount.objects.count() < appended
    agrees(found(), plain)
    assert ways() == plain.variants


def test_a_miner_that_is_killed_leaves_all_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    events = log(11, 30)
    site = Store()
    site.write_all(events, 12)
    with monkeypatch.context() as patch:
        patch.setattr(miner, "append", lambda cursor, found: (mined_rows.append(cursor, found), killed()))
        with pytest.raises(KeyboardInterrupt):
            miner.mine(RULES)
    assert not MinedCount.objects.exists()
    miner.mine(RULES)
    agrees(found(), Plain.of(events, site.places))


def killed() -> None:
    raise KeyboardInterrupt


def test_a_transaction_that_cannot_be_counted_keeps_none_from_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    events = log(23, 30)
    site = Store()
    site.write_all(events, 24)
    bad = Transaction.objects.get(transaction_id="c7").id
    whole = miner.contribution

    first = min(event.time for event in events if event.case == "c7")

    def refused(*made_of: Any) -> Contribution:
        if micros_of(first) in made_of:
            raise ValueError(made_of)
        return whole(*made_of)

    monkeypatch.setattr(miner, "contribution", refused)
    assert miner.mine(RULES) == 30
    assert f"row {bad} cannot be mined" in caplog.text
    assert not Unmined.objects.exists()
    agrees(found(), Plain.of([event for event in events if event.case != "c7"], site.places))
    monkeypatch.undo()
    with connection.cursor() as cursor:
        unmined.note(cursor, [bad])
    tasks.mine()
    agrees(found(), Plain.of(events, site.places))


def test_large_changes_are_taken_in_bit_by_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(miner, "MOST_EVENTS", 20)
    monkeypatch.setattr(miner, "CHUNK", 7)
    events = log(13, 50)
    site = Store()
    site.write_all(events, 14)
    assert miner.mine(RULES, most=1) <= 7
    assert Unmined.objects.exists()
    miner.mine(RULES)
    agrees(found(), Plain.of(events, site.places))


def test_a_transaction_that_somebody_else_has_counted_first_is_left_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two miners found nothing kept of it; the faster one may have seen less."""
    events = log(25, 20)
    site = Store()
    site.write_all(events[:-30], 26)
    known, others = miner.number_variants, iter([True])

    def overtaken(*arguments: Any) -> Any:
        if next(others, False):
            with connection.cursor() as cursor:
                unmined.note(cursor, Transaction.objects.values_list("id", flat=True)[:7])
            assert miner.mine(RULES) == 7
            site.write_all(events[-30:], 27)
        return known(*arguments)

    monkeypatch.setattr(miner, "number_variants", overtaken)
    miner.mine(RULES, most=1)
    miner.mine(RULES)
    agrees(found(), Plain.of(events, site.places))


def test_what_goes_its_own_way_beyond_the_bound_is_counted_with_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mined_rows, "MOST_VARIANTS", 5)
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


def test_what_is_no_longer_stored_stays_counted(feed: Feed) -> None:
    feed.order("old")
    feed.read()
    miner.mine(feed.rulebook)
    Transaction.objects.update(day=feed.now.date() - timedelta(days=400))
    keep_up()
    assert not Transaction.objects.exists()
    assert not Mined.objects.exists()
    miner.mine(feed.rulebook)
    assert found().transactions == 1


YEAR_2000 = datetime(2000, 1, 1, tzinfo=UTC)


def days() -> Counter[str]:
    """Transactions by kind and name, of the hours and days that are kept."""
    counted: Counter[str] = Counter()
    for kind, source, target, count in MinedCount.objects.filter(hours__gt=0).values_list(
        "kind", "source", "target", "count"
    ):
        counted[f"{kind} {source} {target}"] += count
    return +counted


def all_times() -> Counter[str]:
    counted: Counter[str] = Counter()
    for kind, source, target, count in MinedCount.objects.filter(hours=0).values_list(
        "kind", "source", "target", "count"
    ):
        counted[f"{kind} {source} {target}"] += count
    return +counted


@pytest.mark.parametrize(("buckets", "chunk"), [(1_000, 2_000), (3, 7)])
def test_days_of_which_nothing_is_stored_are_forgotten_in_the_end(
    buckets: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mined_retention, "_PAST", mined_retention._PAST.replace("LIMIT 1000", f"LIMIT {buckets}"))
    monkeypatch.setattr(mined_retention, "_REMOVE", mined_retention._REMOVE.replace("LIMIT 2000", f"LIMIT {chunk}"))
    monkeypatch.setattr(mined_retention, "CHUNK", chunk)
    events = log(31, 150)
    site = Store()
    site.write_all(events, 32)
    miner.mine(RULES)
    now = timezone.now()
    assert mined_retention.forget(now) == 0  # of long ago, and stored
    Transaction.objects.filter(started_at__lt=YEAR_2000).delete()
    assert mined_retention.forget(datetime(1969, 12, 31, tzinfo=UTC)) == 0  # not for so long
    agrees(found(), Plain.of(events, site.places))
    while mined_retention.forget(now):
        pass
    gone = {event.case for event in events} - set(Transaction.objects.values_list("transaction_id", flat=True))
    kept = [event for event in events if event.case not in gone]
    assert 50 < len(gone) < 100
    agrees(found(), Plain.of(kept, site.places))
    assert ways() == Plain.of(kept, site.places).variants
    assert days() == all_times()


def test_how_long_counts_are_kept_is_configured(feed: Feed, tmp_path: Path, settings: Settings) -> None:
    settings.CHOREOSCOPE_CONFIG = tmp_path / "choreoscope.yaml"
    settings.CHOREOSCOPE_CONFIG.write_text("retention: {counts: 100d}")
    for days in (40, 99, 102):
        feed.order(f"order-{days}", ago=days * 86_400)
    feed.read()
    miner.mine(feed.rulebook)
    Transaction.objects.update(day=feed.now.date() - timedelta(days=31))
    keep_up()
    assert not Transaction.objects.exists()
    assert found().transactions == 2
    settings.CHOREOSCOPE_CONFIG.write_text("")
    keep_up()
    assert (found().transactions, found().nodes, queries.is_mined("_all")) == (0, (), True)


def test_what_comes_of_a_day_that_was_forgotten_is_counted_anew(feed: Feed) -> None:
    feed.order("old", ago=40 * 86_400)
    feed.read()
    miner.mine(feed.rulebook)
    Transaction.objects.update(started_at=feed.now)  # as if an event of it had just come, which is not mined yet
    assert mined_retention.forget(feed.now - timedelta(days=30))
    assert found().transactions == 0
    Transaction.objects.update(started_at=feed.ago(40 * 86_400))
    with connection.cursor() as cursor:
        unmined.note(cursor, Transaction.objects.values_list("id", flat=True))
    feed.order("another", ago=40 * 86_400)
    feed.read()
    miner.mine(feed.rulebook)
    assert days() == all_times()
    Transaction.objects.filter(transaction_id="another").delete()
    Transaction.objects.filter(transaction_id="old").delete()
    mined_retention.forget(feed.now - timedelta(days=30))
    assert (days(), all_times()) == (Counter(), Counter())


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
