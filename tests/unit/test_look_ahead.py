"""What takes long is found ahead, once for all processes; and found anew where that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import redis
from django.conf import settings as configured
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from collector import config, queries
from collector.config.rules import registered
from collector.models import MinedSum, Overdue
from collector.queries import Responses
from dashboard import ahead
from dashboard.alerts.models import Alert
from dashboard.pages.shared import shared
from tests.feeding import Feed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def store(redis_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    settings.REDIS_URL = redis_url
    monkeypatch.setattr(ahead, "_store", ahead._Store())
    monkeypatch.setattr(queries, "busiest", lambda most: ["order-fulfilment", "parcel"][:most])
    client = redis.Redis.from_url(redis_url)
    shared.clear()
    yield client
    for key in client.scan_iter("choreoscope.ahead.*"):
        client.delete(key)
    client.close()
    shared.clear()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of choreographies whose rules were looked at."""
    looked: list[str] = []
    found = queries.responses

    def look(name: str, *more: Any) -> Responses:
        looked.append(name)
        return found(name, *more)

    monkeypatch.setattr(queries, "responses", look)
    return looked


def rulebook() -> Any:
    return registered(config.current(configured.CHOREOSCOPE_CONFIG).rulebook)


def test_nobody_waits_for_what_was_looked_at_ahead(client: Client, looks: list[str]) -> None:
    feed = Feed()
    feed.order("o-1")
    feed.read()
    assert ahead.prepare() == 2
    assert looks == ["order-fulfilment", "parcel"]
    page = client.get("/live/rules/order-fulfilment").content.decode()
    assert "Looked at <time" in page
    assert client.get("/api/choreographies/order-fulfilment/rules").json()["transactions"] == 1
    assert client.get("/api/choreographies/order-fulfilment/backtest").json()["transactions"] == 1
    assert looks == ["order-fulfilment", "parcel"]


@pytest.fixture
def alert() -> Alert:
    """Of five transactions that are stuck, beside five that are not."""
    feed = Feed()
    for number in range(5):
        feed.event(f"stuck-{number}", "OrderPlaced", "old-shop", 60 + number)
        feed.order(f"healthy-{number}", ago=62)
    feed.read()
    return Alert.objects.get(service="payment")


@pytest.fixture
def comparisons(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many stuck transactions were compared, each time that some were."""
    made: list[int] = []
    found = queries.common

    def look(cause: queries.Cause, ids: list[int]) -> queries.Comparison:
        made.append(len(ids))
        return found(cause, ids)

    monkeypatch.setattr(queries, "common", look)
    return made


def test_nobody_waits_until_the_transactions_of_an_alert_are_compared(
    client: Client, alert: Alert, comparisons: list[int], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ahead.prepare()
    looked_at = len(comparisons)
    with django_assert_num_queries(2):
        page = client.get(f"/live/alert/{alert.pk}/common").content.decode()
    assert "OrderPlaced from old-shop" in page
    assert "Compared <time" in page
    told = client.get(f"/api/alerts/{alert.pk}/common").json()
    assert (told["stuck"], told["healthy"], len(told["items"])) == (5, 5, 2)
    assert len(comparisons) == looked_at


def test_others_that_are_stuck_are_compared_at_once(client: Client, alert: Alert, comparisons: list[int]) -> None:
    ahead.prepare()
    comparisons.clear()
    Overdue.objects.filter(transaction=Overdue.objects.filter(service="payment")[0].transaction).delete()
    assert client.get(f"/api/alerts/{alert.pk}/common").json()["stuck"] == 4
    assert comparisons == [4]


def test_what_somebody_found_here_is_kept_while_the_same_are_stuck(
    client: Client, alert: Alert, comparisons: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.pages.alert._COMPARED_EVERY", 0.0)
    address = f"/live/alert/{alert.pk}/common"
    client.get(address)
    client.get(address)
    assert comparisons == [5]
    monkeypatch.setattr(ahead, "FED", timedelta(0))
    client.get(address)
    assert comparisons == [5, 5], "what few were compared with is soon too old"


def test_compares_those_of_alerts_not_compared_for_the_longest(
    alert: Alert, comparisons: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = Alert.unresolved().filter(kind__in=Alert.WAITING).count()
    monkeypatch.setattr(ahead, "_COMPARING", 0.0)
    assert ahead.compare_alerts() == 0, "none is begun when there is no time"
    monkeypatch.setattr(ahead, "_COMPARING", 60.0)
    assert ahead.compare_alerts() == waiting
    assert ahead.compare_alerts() == waiting, "few healthy ones: there may be more by now"
    monkeypatch.setattr(queries.Comparison, "enough", True)
    assert ahead.compare_alerts() == 0
    Alert.objects.update(state=Alert.State.RESOLVED)
    monkeypatch.setattr(ahead, "ANEW", timedelta(0))
    assert ahead.compare_alerts() == 0, "nobody waits any more"


def test_is_kept_as_it_was_found() -> None:
    feed = Feed()
    for number in range(30):
        feed.order(f"o-{number}")
    feed.read()
    rules = ahead.look_at_rules("order-fulfilment", rulebook())
    assert rules.found.rules
    assert rules.tried.rules
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(rules), type=ahead.Rules)
    assert kept == rules


def test_looks_only_at_what_is_due_the_longest_ago_first(looks: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    ahead.prepare()
    assert ahead.prepare() == 0
    monkeypatch.setattr(ahead, "ANEW", timedelta(0))
    monkeypatch.setattr(ahead, "_AT_ONCE", 0.0)
    monkeypatch.setattr(queries, "busiest", lambda most: ["parcel", "order-fulfilment", "new"][:most])
    looks.clear()
    assert ahead.prepare() == 0, "none is begun when there is no time"
    monkeypatch.setattr(ahead, "_AT_ONCE", 60.0)
    assert ahead.prepare() == 3
    assert looks == ["new", "order-fulfilment", "parcel"]


def test_what_is_old_is_not_shown(looks: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    ahead.prepare()
    assert ahead.kept_rules("order-fulfilment", rulebook().version)
    assert ahead.kept_feed()
    monkeypatch.setattr(ahead, "RARELY", timedelta(0))
    monkeypatch.setattr(ahead, "FED", timedelta(0))
    assert ahead.kept_rules("order-fulfilment", rulebook().version) is None
    assert ahead.kept_feed() is None


def test_other_rules_are_tried_at_once() -> None:
    ahead.prepare()
    assert ahead.kept_rules("order-fulfilment", rulebook().version + 1) is None


def test_what_another_version_kept_is_left_alone(store: redis.Redis) -> None:
    store.set("choreoscope.ahead.feed", b"\x93what is this")
    assert ahead.kept_feed() is None


def test_without_redis_pages_look_themselves(client: Client, looks: list[str], settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1"
    feed = Feed()
    feed.order("o-1")
    feed.read()
    assert "Looked at <time" in client.get("/live/rules/order-fulfilment").content.decode()
    assert client.get("/live/changes").status_code == 200
    assert looks == ["order-fulfilment"]


def test_keeps_nothing_for_ever(store: redis.Redis) -> None:
    ahead.prepare()
    keys = list(store.scan_iter("choreoscope.ahead.*"))
    assert len(keys) == 3
    assert all(0 < store.ttl(key) <= 600 for key in keys)


def test_those_with_the_most_transactions_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    ever = {"kind": "case", "hours": 0, "bucket": 0, "source": "", "target": "", "total": 0, "durations": "[]"}
    for name, status, count in (("a", "completed", 5), ("b", "completed", 4), ("b", "stuck", 4), ("gone", "stuck", 0)):
        MinedSum.objects.create(choreography=name, status=status, count=count, **ever)
    assert queries.busiest(9) == ["b", "a"]
    assert queries.busiest(1) == ["b"]
