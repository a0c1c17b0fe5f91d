"""What the stuck ones have in common: told only where it tells them apart."""

from __future__ import annotations

import sys
from datetime import date, datetime

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from collector.correlation.traits import MOST, Trait, in_common
from collector.models import Transaction
from dashboard.alerts.models import Alert
from dashboard.pages.shared import shared
from tests.builders import cloud_event
from tests.feeding import HAPPY, Feed

HERE: Trait = ("partition of orders", "2")
THERE: Trait = ("partition of orders", "1")
TYPE: Trait = ("event type", "OrderPlaced")


@pytest.mark.parametrize(
    ("stuck", "healthy", "told"),
    [
        ([{HERE, TYPE}] * 4, [{THERE, TYPE}] * 4, [HERE]),
        ([{HERE}] * 4, [{HERE}] * 2 + [{THERE}] * 2, [HERE]),  # half of the healthy ones as well
        ([{HERE}] * 4, [{HERE}] * 3 + [{THERE}], []),  # too many of them
        ([{HERE}] * 4 + [{THERE}], [{THERE}] * 4, [HERE]),  # four of five
        ([{HERE}] * 3 + [{THERE}] * 2, [set()] * 4, []),  # three of five
        ([{HERE}] * 2, [{THERE}] * 9, []),  # too few to say anything
        ([{HERE}] * 9, [{THERE}] * 2, []),
    ],
)
def test_what_tells_them_apart(stuck: list[set[Trait]], healthy: list[set[Trait]], told: list[Trait]) -> None:
    assert [(common.what, common.value) for common in in_common(stuck, healthy)] == told


def test_the_most_telling_comes_first_in_a_sentence() -> None:
    found = in_common([{HERE, TYPE}] * 4 + [{HERE}], [{TYPE}] + [set()] * 4)
    assert [common.sentence for common in found] == [
        "All of 5 stuck ones have partition of orders 2; of healthy ones 0%.",
        "4 of 5 stuck ones have event type OrderPlaced; of healthy ones 20%.",
    ]


def test_no_more_than_people_read() -> None:
    many = {(f"header {number}", "x") for number in range(50)}
    assert len(in_common([many] * 5, [set()] * 5)) == MOST


@pytest.mark.django_db
def test_an_alert_says_what_its_transactions_have_in_common(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    feed = Feed()
    for number in range(5):
        feed.event(f"stuck-{number}", "OrderPlaced", "old-shop", 60 + number)
        feed.event(f"stuck-{number}", "StockReserved", "inventory", 59 + number)
        feed.order(f"healthy-{number}", ago=62)
        feed.event(f"waiting-{number}", "OrderPlaced", "old-shop", 1)
    feed.read()
    alert = Alert.objects.get(service="payment")
    with django_assert_num_queries(8):
        answer = client.get(f"/api/alerts/{alert.id}/common").json()
    assert (answer["stuck"], answer["healthy"]) == (5, 5), "what only waits is neither"
    told = {(item["what"], item["value"]) for item in answer["items"]}
    assert told == {("OrderPlaced from", "old-shop"), ("header ce_source", "/services/old-shop")}
    assert client.get("/api/alerts/999999/common").status_code == 404


@pytest.mark.django_db
def test_a_header_may_be_called_as_what_is_said_of_senders(client: Client) -> None:
    feed = Feed()
    sent = ("sent from", b"the web")
    for number in range(5):
        for name, ago in ((f"stuck-{number}", 60.0), (f"healthy-{number}", 62.0)):
            placed = cloud_event("OrderPlaced", name, f"{name}/first", "/services/order", feed.ago(ago))
            feed.raw(*placed, sent, value=b"{}", at=feed.ago(ago))
        for index, (kind, service, _) in enumerate(HAPPY[1:]):
            feed.event(f"healthy-{number}", kind, service, 61 - index / 2)
    feed.read()
    answer = client.get(f"/api/alerts/{Alert.objects.get(service='payment').id}/common").json()
    assert (answer["stuck"], answer["healthy"]) == (5, 5)
    assert "header sent from" not in {item["what"] for item in answer["items"]}, "all of them have it"


@pytest.mark.django_db
def test_compares_with_the_newest_that_have_got_the_answer(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["collector.queries.common"]  # the package calls the function so
    few = module._ANSWERED.replace("LIMIT 300", "LIMIT 4").replace("LIMIT 100", "LIMIT 2")
    monkeypatch.setattr(module, "_ANSWERED", few)
    looked: list[list[tuple[int, date, datetime]]] = []
    traits = module._traits

    def look(transactions: list[tuple[int, date, datetime]]) -> list[set[Trait]]:
        looked.append(transactions)
        return traits(transactions)

    monkeypatch.setattr(module, "_traits", look)
    feed = Feed()
    feed.event("stuck", "OrderPlaced", "shop", 60)
    for number in range(4):
        feed.order(f"healthy-{number}", ago=60 + number)
        feed.event(f"waiting-{number}", "OrderPlaced", "shop", 1 + number / 2)
    feed.read()
    client.get(f"/api/alerts/{Alert.objects.get(service='payment').id}/common")
    _, healthy = looked
    assert healthy == [], "the newest four only wait"
    monkeypatch.setattr(module, "_ANSWERED", few.replace("LIMIT 4", "LIMIT 300"))
    shared.clear()
    client.get(f"/api/alerts/{Alert.objects.get(service='payment').id}/common")
    names = dict(Transaction.objects.values_list("id", "transaction_id"))
    assert [names[key] for key, *_ in looked[-1]] == ["healthy-0", "healthy-1"]
