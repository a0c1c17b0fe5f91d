"""Rules tried on what went before, and which of them are kept: how, by how many, and since when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from collector import config, queries
from collector.config.rules import registered
from collector.queries import responding, trying
from dashboard import ahead
from dashboard.pages.shared import shared
from tests.integration.learning.company import Company, learn

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("day_tables")]


def test_a_rule_is_tried_on_what_went_before(company: Company, client: Client) -> None:
    company.healthy(900, 200)
    lost = [company.order(600 - 10 * place, silent="PaymentAuthorized") for place in range(3)]
    company.order(300, slow=5)
    company.feed.read()
    learn()
    proposal = {"after": "OrderPlaced", "expect": "PaymentAuthorized", "within": "2s"}
    answer = client.get("/api/choreographies/OrderPlaced/backtest", proposal).json()
    (tried,) = answer["rules"]
    assert (answer["transactions"], answer["more"]) == (354, False)
    assert (tried["triggered"], tried["kept"], tried["late"], tried["missed"]) == (354, 350, 1, 3)
    assert (tried["transactions"], tried["alerts"], len(tried["examples"])) == (4, 1, 4)
    assert {one["id"] for one in tried["examples"] if one["kind"] == "missed"} == set(lost)
    in_use = client.get("/api/choreographies/OrderPlaced/backtest").json()["rules"]
    assert [(rule["learned"], rule["missed"]) for rule in in_use] == [
        (True, 3 * (rule["expect"] == ["PaymentAuthorized"])) for rule in in_use
    ]
    for wrong in ({"after": "A"}, {"after": "A", "expect": "B", "within": "soon"}, {"since": "never"}):
        assert client.get("/api/choreographies/OrderPlaced/backtest", wrong).status_code == 400
    assert client.get("/api/choreographies/Nothing/backtest").status_code == 404


def counted(query: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as found:
        assert query()
    return len(found)


def test_trying_and_conformance_ask_no_more_of_many(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked() -> dict[str, int]:
        rulebook = registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook)
        since, now = company.feed.ago(7 * 86_400), company.feed.now
        return {
            "trial": counted(lambda: queries.trial("OrderPlaced", since, rulebook)),
            "responses": counted(lambda: queries.responses("OrderPlaced", now, rulebook)),
            "conformance": counted(lambda: queries.conformance("OrderPlaced", since, now)),
        }

    company.healthy(600, 500)
    company.feed.read()
    learn()
    few = asked()
    assert few == {"trial": 4, "responses": 7, "conformance": 3}
    company.healthy(500, 100)
    company.feed.read()
    learn()
    assert asked() == few
    for module in (trying, responding):
        monkeypatch.setattr(module, "PIECE", 100)
    assert asked() == {"trial": 4 + 2, "responses": 7 + 2 * 2, "conformance": 3}


def test_who_has_no_patience_gets_what_was_read_until_then(
    company: Company, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.healthy(600, 100)
    company.feed.read()
    learn()
    rulebook = registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook)
    since, now = company.feed.ago(7 * 86_400), company.feed.now
    for module in (trying, responding):
        monkeypatch.setattr(module, "PIECE", 40)
    whole, hurried = (
        queries.trial("OrderPlaced", since, rulebook),
        queries.trial("OrderPlaced", since, rulebook, None, 0),
    )
    assert (whole.transactions, whole.more) == (250, False)
    assert (hurried.transactions, hurried.more) == (40, True)
    assert hurried.since
    assert whole.since
    assert hurried.since > whole.since
    assert queries.responses("OrderPlaced", now, rulebook, 0).transactions == 40
    monkeypatch.setattr(trying, "TRIALS", 4 * 100)
    monkeypatch.setattr(trying, "FEWEST", 10)
    assert queries.trial("OrderPlaced", since, rulebook).transactions == 100
    monkeypatch.setattr(ahead, "PATIENCE", 0)
    shared.clear()
    said = " ".join(client.get("/live/rules/OrderPlaced").content.decode().split())
    assert "tried on 40 transactions" in said
    assert "the latest of more" in said


def test_conformance_says_how_and_since_when(company: Company, rules: Path, client: Client) -> None:
    rules.write_text(
        "choreographies:\n  order:\n    starts: [OrderPlaced]\n    completes: [OrderCompleted]\n    rules:\n"
        "      - {after: OrderPlaced, expect: PaymentAuthorized, within: 3s}\n"
        "      - {after: OrderPlaced, expect: StockReserved, optional: true}\n"
        "      - {after: StockReserved, expect: ShipmentScheduled, optional: true}\n"
    )
    company.healthy(300, 100)
    late = company.order(200, slow=8)
    extra = company.order(250)
    company.feed.event(extra, "FraudChecked", "fraud", 250, ("OrderPlaced",))
    company.feed.read()
    learn()
    answer = client.get("/api/choreographies/order/conformance").json()
    assert (answer["ended"], answer["deviating"]) == (102, 2)
    told = {(one["kind"], one["sentence"], one["count"]): one["examples"] for one in answer["deviations"]}
    assert told == {
        ("late", "PaymentAuthorized came after its deadline.", 1): [late],
        ("unexpected", "FraudChecked is no event of order.", 1): [extra],
    }
    (unusual,) = answer["unusual"]
    assert (unusual["how"], unusual["unexpected"], unusual["count"]) == ("unexpected", ["FraudChecked"], 1)
    assert datetime.fromisoformat(unusual["last"]) <= timezone.now(), "the hour that it is counted in is not over yet"
    assert answer["ways"] == 102


def test_the_api_tells_which_rules_are_kept(company: Company, client: Client) -> None:
    company.healthy(600, 100)
    company.feed.read()
    learn()
    answer = client.get("/api/choreographies/OrderPlaced/rules").json()
    assert len(answer["learned"]) == 4
    assert answer["learned_ends"] == ["OrderCompleted"]
    assert {rule["confidence"] for rule in answer["learned"]} == {1.0}
