"""How counts are kept: appended and settled, by hours and then by days, and for how long."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import Q
from django.utils import timezone
from pytest_django import Settings

from collector import miner, queries
from collector.miner import retention, rows
from collector.models import Mined, MinedCount, Transaction
from collector.storage import unmined
from collector.upkeep import keep_up
from tests.feeding import Feed
from tests.mining_found import RULES, found, settle_all, ways
from tests.mining_logs import Plain, Store, agrees, log

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("day_tables")]


@pytest.fixture
def feed() -> Feed:
    return Feed()


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
    assert sums(Q(hours=1)) == days() == all_times()

    later = now + timedelta(days=4)
    assert rows.drop_hours(later) > 0
    assert not MinedCount.objects.filter(hours=1).exists()
    site.write_all(young[-20:], 8)  # what was counted by the hour is subtracted, though its hour is part of a day now
    miner.mine(RULES)
    settle_all()
    rows.drop_hours(later)
    daily = queries.mined_map("_all", since, None, "", later)
    assert daily.since == since.replace(hour=0, minute=0, second=0, microsecond=0)
    plain = Plain.of([*old, *young], site.places)
    agrees(daily, Plain({key: case for key, case in plain.cases.items() if case[0].time >= daily.since}))
    assert not MinedCount.objects.filter(count__lte=0).exists()


def test_a_few_differences_are_appended_and_settled_when_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    events = log(21, 60)
    site = Store()
    for start in range(0, len(events), 50):
        site.write_all(events[start : start + 50], start)
        miner.mine(RULES)
        assert rows.settle() == 0  # not many yet
    plain = Plain.of(events, site.places)
    agrees(found(), plain)
    assert not MinedCount.objects.filter(settled=True).exists()
    appended = MinedCount.objects.count()
    monkeypatch.setattr(rows, "UNSETTLED", appended // 4)
    assert appended // 3 <= rows.settle() < appended
    agrees(found(), plain)
    settle_all()
    assert not MinedCount.objects.filter(settled=False).exists()
    assert 0 < MinedCount.objects.count() < appended
    agrees(found(), plain)
    assert ways() == plain.variants


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


def days() -> Counter[tuple[str, ...]]:
    return sums(Q(hours=24))


def all_times() -> Counter[tuple[str, ...]]:
    return sums(Q(hours=0))


def sums(which: Q) -> Counter[tuple[str, ...]]:
    """Transactions by kind, source and target."""
    counted: Counter[tuple[str, ...]] = Counter()
    for *names, count in MinedCount.objects.filter(which).values_list("kind", "source", "target", "count"):
        counted[tuple(names)] += count
    return +counted


@pytest.mark.parametrize(("buckets", "chunk"), [(1_000, 2_000), (3, 7)])
def test_days_of_which_nothing_is_stored_are_forgotten_in_the_end(
    buckets: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_PAST", retention._PAST.replace("LIMIT 1000", f"LIMIT {buckets}"))
    monkeypatch.setattr(retention, "_REMOVE", retention._REMOVE.replace("LIMIT 2000", f"LIMIT {chunk}"))
    monkeypatch.setattr(retention, "CHUNK", chunk)
    events = log(31, 150)
    site = Store()
    site.write_all(events, 32)
    miner.mine(RULES)
    now = timezone.now()
    assert retention.forget(now) == 0  # of long ago, and stored
    Transaction.objects.filter(started_at__lt=YEAR_2000).delete()
    assert retention.forget(datetime(1969, 12, 31, tzinfo=UTC)) == 0  # not for so long
    agrees(found(), Plain.of(events, site.places))
    while retention.forget(now):
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
    assert retention.forget(feed.now - timedelta(days=30))
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
    retention.forget(feed.now - timedelta(days=30))
    assert (days(), all_times()) == (Counter(), Counter())
