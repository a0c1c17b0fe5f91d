"""What was learned acts: deadlines that nobody declared; what is late is said, and no outage moves them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from collector import config, queries
from collector.config.rules import registered
from collector.learning import learner
from collector.models import LearnedRule, Lesson, Topic, Transaction, Transition
from collector.upkeep import judge_anew
from dashboard.alerts.models import Alert
from dashboard.pages.shared import shared
from tests.feeding import Feed
from tests.integration.learning.company import SOON, Company, in_force, learn, order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("day_tables")]


def test_deadlines_are_learned_and_what_is_late_is_said_to_be_by_a_learned_one(company: Company) -> None:
    company.healthy(600, 100)
    company.feed.read()
    assert not LearnedRule.objects.exists()
    assert learn()
    assert in_force().keys() == {
        ("OrderPlaced", "StockReserved"),
        ("OrderPlaced", "PaymentAuthorized"),
        ("PaymentAuthorized + StockReserved", "ShipmentScheduled"),
        ("ShipmentScheduled", "OrderCompleted"),
    }
    assert timedelta(seconds=3) < in_force()["OrderPlaced", "PaymentAuthorized"] < timedelta(seconds=5)
    assert LearnedRule.objects.get(kind="ends", until=None).expect == ["OrderCompleted"]
    assert set(Transaction.objects.values_list("phase", "ended_by")) == {("completed", "learned end")}
    lost, late = company.order(30, silent="PaymentAuthorized"), company.order(1, silent="PaymentAuthorized")
    company.feed.read()
    assert [(entry["basis"], entry["expect"], entry.get("overdue")) for entry in order(lost).state["pending"]] == [
        ("learned", ["PaymentAuthorized"], True)
    ]
    assert (order(lost).status, order(late).status) == ("stuck", "running")
    alert = Alert.objects.get()
    assert (alert.kind, alert.awaited, alert.service, alert.count) == ("stuck", "PaymentAuthorized", "payment", 1)
    assert "learned" in alert.sentence
    assert not learn()


def test_nothing_is_learned_of_a_few_and_nothing_acts_where_it_is_switched_off(company: Company, rules: Path) -> None:
    company.healthy(600, 590)
    company.feed.read()
    assert not learn()
    company.healthy(500, 100)
    company.feed.read()
    rules.write_text("learning: off")
    assert not learn()
    rules.write_text(SOON)
    assert learn()
    lost = company.order(30, silent="PaymentAuthorized")
    company.feed.read()
    assert order(lost).status == "stuck"
    rules.write_text("learning: off")
    assert learn()
    assert (order(lost).status, order(lost).state) == ("running", {})


def test_what_is_declared_counts_more(company: Company, rules: Path) -> None:
    """A rule that sets no time gets the learned one; a trigger that no rule names gets the learned rule."""
    rules.write_text(
        SOON + "\nchoreographies:\n  order:\n    starts: [OrderPlaced]\n    completes: [OrderCompleted]\n    rules:\n"
        "      - {after: OrderPlaced, expect: PaymentAuthorized, from: payment}\n"
        "      - {after: OrderPlaced, expect: StockReserved, within: 1h}\n"
    )
    company.healthy(600, 100)
    company.feed.read()
    assert learn()
    lost = company.order(30, silent="PaymentAuthorized")
    unsent = company.order(30, silent="ShipmentScheduled")
    bare = company.order(30, silent="StockReserved")
    company.feed.read()
    assert [(entry["rule"], entry["basis"]) for entry in order(lost).state["pending"]] == [("0", "learned")]
    assert [entry["basis"] for entry in order(unsent).state["pending"]] == ["learned"]
    assert [(entry["rule"], entry.get("basis")) for entry in order(bare).state["pending"]] == [("1", None)]
    assert [order(name).status for name in (lost, unsent, bare)] == ["stuck", "stuck", "running"]
    late = company.order(60, slow=8)
    company.feed.read()
    assert {deviation["kind"] for deviation in order(late).state["deviations"]} == {"unexpected"}


def test_of_a_way_that_was_never_met_nothing_is_said(company: Company) -> None:
    company.healthy(600, 100)
    company.feed.read()
    learn()
    declined = company.order(30, declined=True)
    company.feed.read()
    assert (order(declined).status, order(declined).state) == ("running", {})


def test_an_alternative_is_learned_as_soon_as_it_was_met(company: Company) -> None:
    for place in range(250):
        company.order(600 - 2 * place, declined=place % 10 == 3)
    company.feed.read()
    learn()
    assert ("OrderPlaced", "PaymentAuthorized or PaymentDeclined") in in_force()


def test_history_alarms_nobody(company: Company, rules: Path) -> None:
    rules.write_text(f"{SOON}\nlimits: {{history_age: 10m}}")
    company.healthy(1_500, 1_000)
    lost = company.order(900, silent="PaymentAuthorized")
    company.feed.read()
    learn()
    company.feed.read()
    assert order(lost).status == "stuck"
    assert not Alert.objects.exists()


def test_while_a_service_is_silent_its_rule_stays(company: Company) -> None:
    """And the deadline too, once it answers all at once."""
    company.healthy(2400, 1500)
    company.feed.read()
    learn()
    before = in_force()
    for place in range(300):
        company.order(1500 - 2 * place, silent="PaymentAuthorized")
    company.feed.read()
    assert Alert.objects.filter(kind="stuck").exists()
    company.healthy(850, 100)
    company.feed.read()
    learn()
    assert Lesson.objects.filter(disturbed=True).count() > 5
    assert in_force() == before


def test_what_was_not_settled_after_all_is_learned_anew(company: Company) -> None:
    for place in range(60):
        company.order(600 - 2 * place, silent="ShipmentScheduled")
    company.feed.read()
    learn()
    assert ("ShipmentScheduled", "OrderCompleted") not in in_force()
    for place in range(60):
        moment = 400 - 2 * place
        name = f"order-{place + 1}"
        company.feed.event(name, "ShipmentScheduled", "shipping", moment, ("PaymentAuthorized", "StockReserved"))
        company.feed.event(name, "OrderCompleted", "order", moment - 1, ("ShipmentScheduled",))
    company.feed.read()
    learn()
    assert in_force().keys() >= {
        ("ShipmentScheduled", "OrderCompleted"),
        ("PaymentAuthorized + StockReserved", "ShipmentScheduled"),
    }
    assert LearnedRule.objects.get(kind="ends", until=None).expect == ["OrderCompleted"]


def test_what_was_learned_is_told_as_news(company: Company, client: Client) -> None:
    company.healthy(600, 100)
    company.feed.read()
    learn()
    shared.clear()
    told = [(one["kind"], one["sentence"]) for one in client.get("/api/changes").json()["items"]]
    assert ("learned", "Learned of OrderPlaced: 4 rules.") in told
    said = client.get("/").content.decode()
    assert 'learned of <a href="/choreographies/OrderPlaced">OrderPlaced</a>: 4 rules' in said


def test_each_change_is_a_version_and_an_entry_in_the_feed(company: Company) -> None:
    company.healthy(600, 100)
    company.feed.read()
    before = company.feed.rulebook
    learn()
    after = company.feed.rulebook
    assert after.version != before.version
    assert {row.rules for row in Transaction.objects.all()} == {after.version}
    (told,) = [
        change for change in queries.changes(company.feed.now + timedelta(minutes=1)) if change.kind == "learned"
    ]
    assert (told.name, told.about) == ("OrderPlaced", "4 rules")
    assert not [change for change in queries.changes(company.feed.now) if change.kind == "rules"]
    assert learner.learn_now() is False
    assert company.feed.rulebook is after


def test_ten_minutes_of_outage_move_no_deadline_by_more_than_a_tenth(rules: Path) -> None:
    """Two hours through store and miner, in the middle of which payment answers only when it is back."""

    def learned(outage: bool) -> dict[tuple[str, str], timedelta]:
        company = Company(Feed(f"orders-{outage}"))
        for place in range(1_200):
            ago = 7_300 - 6 * place
            company.order(ago, slow=max(1.0, (ago - 3_000) / 0.9) if outage and 3_000 < ago < 3_600 else 1.0)
        company.feed.read()
        while learn():
            pass
        return in_force()

    calm = learned(outage=False)
    for table in (Transaction, Transition, LearnedRule, Lesson, Topic):
        table.objects.all().delete()
    disturbed = learned(outage=True)
    assert calm.keys() == disturbed.keys()
    for key, within in calm.items():
        assert abs(disturbed[key] / within - 1) <= 0.1, key


def test_lessons_are_thinned_out_and_bounded(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.mining.lessons.NEWEST", 2)
    company.healthy(900, 100)
    company.feed.read()
    learn()
    assert 2 < Lesson.objects.count() <= 4
    assert in_force()


def test_waits_by_learned_deadlines_say_so_wherever_they_show(company: Company, rules: Path, client: Client) -> None:
    company.healthy(600, 100)
    company.feed.read()
    learn()
    company.order(30, silent="PaymentAuthorized")
    company.feed.read()
    shared.clear()
    for page in ("/transactions?status=stuck", "/services/payment", "/"):
        assert '<span class="note mark-learned"' in client.get(page).content.decode(), page
    assert "by a learned deadline" in client.get("/live/overview.json").content.decode()
    # declared, but for its time
    rules.write_text(
        SOON + "\nchoreographies:\n  OrderPlaced:\n    starts: [OrderPlaced]\n    rules:\n"
        "      - {after: OrderPlaced, expect: PaymentAuthorized, from: payment}\n"
        "      - {after: OrderPlaced, expect: StockReserved, within: 1h}\n"
    )
    for _ in judge_anew():
        pass
    company.order(1, silent="StockReserved")
    company.feed.read()
    rulebook = registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook)
    found = {(step.rule, step.awaited): step.learned for step in queries.waiting(rulebook)}
    assert (found["0", "PaymentAuthorized"], found["1", "StockReserved"]) == (True, False)
