"""What was learned acts: deadlines that nobody declared; what is late is said, and no outage moves them."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from collector import config, miner, queries
from collector.config.rules import registered
from collector.learning import learner
from collector.models import LearnedRule, Lesson, Topic, Transaction, Transition
from collector.queries import responding, trying
from collector.upkeep import judge_anew
from dashboard.alerts.models import Alert
from dashboard.pages import lessons
from dashboard.pages.shared import shared
from tests.feeding import Feed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("day_tables")]

SOON = "learning: {floor: 1s}"
STEPS = (
    ("OrderPlaced", "order", (), 0.0),
    ("StockReserved", "inventory", ("OrderPlaced",), 0.4),
    ("PaymentAuthorized", "payment", ("OrderPlaced",), 0.9),
    ("ShipmentScheduled", "shipping", ("PaymentAuthorized", "StockReserved"), 0.5),
    ("OrderCompleted", "order", ("ShipmentScheduled",), 0.2),
)
"""Type, service, causes, and the seconds that it usually takes."""


class Company:
    """Orders that nobody declared anything about; times are drawn anew for each."""

    def __init__(self, feed: Feed, seed: int = 1) -> None:
        self.feed, self.rng, self.count = feed, random.Random(seed), 0

    def order(self, ago: float, *, silent: str = "", slow: float = 1.0, declined: bool = False) -> str:
        """An order that began so many seconds ago. `silent`: the type that never comes, nor what follows from it."""
        self.count += 1
        name = f"order-{self.count}"
        moments: dict[str, float] = {}
        for kind, service, causes, usual in STEPS:
            if kind == silent or any(cause not in moments for cause in causes):
                continue
            if declined and kind == "PaymentAuthorized":
                self.feed.event(name, "PaymentDeclined", service, moments["OrderPlaced"] - 1, causes)
                continue
            took = usual * slow * self.rng.uniform(0.6, 1.4)
            moments[kind] = min([moments[cause] for cause in causes], default=ago) - took
            self.feed.event(name, kind, service, moments[kind], causes)
        return name

    def healthy(self, since: float, until: float, every: float = 2.0) -> None:
        """One order after the other, from so many seconds ago up to so many seconds ago."""
        for place in range(int((since - until) / every)):
            self.order(since - place * every)


@pytest.fixture
def rules(tmp_path: Path, settings: Settings) -> Path:
    settings.CHOREOSCOPE_CONFIG = tmp_path / "choreoscope.yaml"
    settings.CHOREOSCOPE_CONFIG.write_text(SOON)
    return tmp_path / "choreoscope.yaml"


@pytest.fixture
def company(rules: Path) -> Company:
    return Company(Feed())


def learn() -> bool:
    """As the workers do: mined, learned, and judged anew where there are other rules."""
    found = config.current(settings.CHOREOSCOPE_CONFIG)
    while miner.mine(found.rulebook):
        pass
    altered = learner.learn_now()
    for _ in judge_anew() if altered else ():
        pass
    return altered


def in_force() -> dict[tuple[str, str], timedelta]:
    found = LearnedRule.objects.filter(until=None, kind="response")
    return {(" + ".join(row.after), " or ".join(row.expect)): row.within or timedelta() for row in found}


def order(name: str) -> Transaction:
    return Transaction.objects.get(transaction_id=name)


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


def test_what_is_adopted_is_right_and_what_it_was_learned_from_conforms(
    company: Company, rules: Path, client: Client
) -> None:
    for place in range(250):
        company.order(900 - 2 * place, declined=place % 10 == 3)
    company.feed.read()
    assert client.get("/api/choreographies/OrderPlaced/adopt").status_code == 404
    learn()
    answer = client.get("/api/choreographies/OrderPlaced/adopt")
    assert answer["Content-Type"].startswith("application/yaml")
    written = answer.content.decode()
    found, mistakes = config.check("adopted.yaml", written)
    assert (mistakes, found and found.doubts) == ([], ())
    assert "# 100.0% of" in written
    rules.write_text(written)
    for place in range(10):
        company.order(100 - place)
    company.feed.read()
    adopted = Transaction.objects.filter(transaction_id__in=[f"order-{251 + place}" for place in range(10)])
    assert [(row.phase, row.ended_by, row.state) for row in adopted] == [("completed", "event", {})] * 10


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


def adopt(name: str) -> tuple[str, str]:
    """What the command writes, and what it says besides."""
    out, err = io.StringIO(), io.StringIO()
    call_command("adopt", name, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_command_writes_what_the_page_offers(company: Company, rules: Path, client: Client) -> None:
    company.healthy(600, 100)
    company.feed.read()
    learn()
    written, said = adopt("OrderPlaced")
    assert written == client.get("/api/choreographies/OrderPlaced/adopt").content.decode()
    assert (config.check("adopted.yaml", written)[1], said) == ([], "")
    rules.write_text(written)
    assert "OrderPlaced is declared in choreoscope.yaml already" in adopt("OrderPlaced")[1]


def test_the_command_says_why_there_is_nothing_to_adopt(company: Company, rules: Path) -> None:
    with pytest.raises(CommandError, match="Nothing has been counted at all: is the collector running"):
        adopt("OrderPlaced")
    company.healthy(600, 580)
    company.feed.read()
    learn()
    with pytest.raises(CommandError, match=r"Did you mean 'OrderPlaced'\? There are: OrderPlaced\."):
        adopt("OrderPlace")
    too_little = "it takes 20 settled transactions, and 0 of 'OrderPlaced' have been looked at"
    with pytest.raises(CommandError, match=f"{too_little}. Come back in some minutes"):
        adopt("OrderPlaced")
    rules.write_text("learning: off")
    with pytest.raises(CommandError, match=f"{too_little}. Learning is off: write `learning: on`"):
        adopt("OrderPlaced")
    rules.write_text("learning: {except: OrderPlaced}")
    with pytest.raises(CommandError, match="take it out there"):
        adopt("OrderPlaced")
    rules.write_text("learning: perhaps")
    with pytest.raises(CommandError, match=r"choreoscope.yaml, line 1"):
        adopt("OrderPlaced")


@pytest.mark.usefixtures("rules")
def test_the_command_says_what_the_database_lacks() -> None:
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute("SET LOCAL search_path TO nowhere")
        with pytest.raises(CommandError, match=r"run `manage\.py migrate`"):
            adopt("OrderPlaced")
        transaction.set_rollback(True)


def test_adopting_asks_no_more_of_many(company: Company, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    """Two queries, whatever was learned; and two to say why there is nothing."""
    how = config.current(settings.CHOREOSCOPE_CONFIG).learning
    with django_assert_num_queries(1):
        assert queries.adoption("OrderPlaced", how) is None
    with django_assert_num_queries(2):
        assert "Nothing has been counted" in queries.unlearned("OrderPlaced", how)
    for since, until in ((1_500, 1_000), (900, 100)):
        company.healthy(since, until)
        company.feed.read()
        learn()
        with django_assert_num_queries(2):
            assert queries.adoption("OrderPlaced", how)


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
    monkeypatch.setattr(lessons, "_PATIENCE", 0)
    shared.clear()
    said = " ".join(client.get("/live/rules/OrderPlaced").content.decode().split())
    assert "Tried on 40 transactions" in said
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
