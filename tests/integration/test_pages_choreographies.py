"""The pages of choreographies over what was mined: what they say, what they cost, and where their links lead."""

from __future__ import annotations

import json
import re
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from collector import miner
from collector.correlation.choreography import RuleBook
from collector.learning import learner
from collector.models import Transaction
from dashboard.pages import choreography
from dashboard.pages.shared import shared
from tests.builders import cloud_event
from tests.feeding import HAPPY, Feed
from tests.mining_logs import Plain, Store, log
from tests.pages import text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("day_tables")]
ONE = "/choreographies/order-fulfilment"
MAP = "/live/discovered/order-fulfilment"


@pytest.fixture(autouse=True)
def nothing_shared() -> None:
    shared.clear()


@pytest.fixture
def feed() -> Feed:
    return Feed()


def mined(feed: Feed) -> None:
    feed.read()
    miner.mine(feed.rulebook)
    shared.clear()


@pytest.fixture
def company(feed: Feed) -> Feed:
    """Twenty orders as they should be, five that are declined, two that are stuck."""
    for number in range(20):
        feed.order(f"done-{number}", ago=30 + number)
    for number in range(5):
        feed.declined(f"declined-{number}", ago=40 + number)
    for number in range(2):
        feed.order(f"stuck-{number}", steps=2, ago=60)
    mined(feed)
    return feed


def words(page: str) -> str:
    """What can be read of a page's content."""
    content = page[page.index("<main") : page.index("</main>")] if "<main" in page else page
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", content)))


def drawing(client: Client, address: str = MAP) -> Any:
    return json.loads(text(client.get(address)))


class TestList:
    def test_nothing_yet_says_what_to_do(self, client: Client, settings: Settings, tmp_path: Path) -> None:
        settings.CHOREOSCOPE_CONFIG = tmp_path / "choreoscope.yaml"
        settings.CHOREOSCOPE_CONFIG.write_text("choreographies: {}")
        assert "As soon as services publish events" in words(text(client.get("/choreographies")))

    def test_declared_ones_are_there_before_anything_happens(self, client: Client) -> None:
        assert "order-fulfilment declared 0 –" in words(text(client.get("/choreographies")))

    def test_it_tells_how_they_fare(self, client: Client, company: Feed) -> None:
        company.event("other", "Pinged", "probe", 5)
        mined(company)
        said = words(text(client.get("/choreographies")))
        assert "order-fulfilment declared 27 80% 5 – 2 3.0 s 3.0 s" in said
        assert "Pinged 1 –" in said
        assert "All of them together" in said

    def test_a_range_narrows_it(self, client: Client, company: Feed) -> None:
        assert company
        assert "order-fulfilment declared 27" in words(text(client.get("/choreographies?since=1h")))
        assert "order-fulfilment declared 0" in words(text(client.get("/choreographies?until=2020-01-01")))
        assert "'since' is 'x'" in words(text(client.get("/choreographies?since=x"), 400))

    @pytest.mark.parametrize("count", [1, 9])
    def test_cost_does_not_grow(
        self, client: Client, feed: Feed, count: int, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(count):
            feed.event(f"t-{number}", f"Kind{number}", "shop", 5)
        mined(feed)
        with django_assert_num_queries(7):  # three of them for what is around every page
            text(client.get("/choreographies"))


class TestOne:
    def test_it_sums_up(self, client: Client, company: Feed) -> None:
        assert company
        said = words(text(client.get(ONE)))
        assert "27 transactions · 80% of those that ended completed, first to last event in p50" in said
        assert "p50 3.0 s · p95 3.0 s · 2 not ended · 2 stuck" in said

    def test_how_long_they_take_is_said_of_those_that_completed_as_in_the_list(
        self, client: Client, feed: Feed
    ) -> None:
        feed.order("done", ago=60)
        for number in range(5):
            feed.order(f"stuck-{number}", steps=2, ago=60)
        mined(feed)
        took = "completed, first to last event in p50 3.0 s · p95 3.0 s · 5 not ended"
        assert took in words(text(client.get(ONE)))
        compared = words(text(client.get(f"{ONE}?since=1h&against_since=2h")))
        assert took in compared
        assert re.search("Compared with 6 that began since .{5,20} · p50 3.0 s · p95 3.0 s", compared)
        stuck = words(text(client.get(f"{ONE}?status=stuck")))
        assert "5 transactions · first to last event in p50 500 ms · p95 500 ms · 5 not ended" in stuck
        assert "that ended" not in stuck, "of those that are stuck none has"

    def test_of_all_of_them_together_there_are_no_rules(self, client: Client, company: Feed) -> None:
        assert company
        assert "rules-title" in text(client.get(ONE))
        assert "rules-title" not in text(client.get("/choreographies/_all"))

    def test_nobody_knows_it(self, client: Client) -> None:
        for address in ("/choreographies/none", "/live/choreography/none", "/live/discovered/none", "/live/rules/none"):
            text(client.get(address), 404)

    def test_the_map_has_what_happened(self, client: Client, company: Feed) -> None:
        assert company
        found = drawing(client, f"{MAP}?detail=100")
        rows = {(row[0], row[1]): row[2:4] for row in found["drawing"]["table"]["rows"]}
        assert rows["OrderPlaced", "PaymentAuthorized"] == ["22", "81%"]
        assert rows["PaymentDeclined", "StockReleased"] == ["5", "100%"]
        assert found["said"] == "all of it"
        part = drawing(client, f"{MAP}?detail=0")
        assert part["said"].endswith("kinds of step")
        assert len(part["drawing"]["table"]["rows"]) == 6

    @pytest.mark.parametrize("query", ["detail=100", "detail=100&since=1h&status=compensated"])
    def test_rare_steps_that_are_drawn_are_timed_too(
        self, client: Client, company: Feed, monkeypatch: pytest.MonkeyPatch, query: str
    ) -> None:
        assert company
        every = drawing(client, f"{MAP}?{query}")
        shared.clear()
        monkeypatch.setattr(choreography, "_TIMED", 1)
        assert drawing(client, f"{MAP}?{query}") == every
        rare = ["PaymentDeclined", "StockReleased", "5", "100%", "500 ms", "500 ms"]
        assert rare in every["drawing"]["table"]["rows"]

    def test_a_map_of_nothing_says_so(self, client: Client, company: Feed) -> None:
        assert company
        found = drawing(client, f"{MAP}?until=2020-01-01")
        assert found["drawing"]["stops"] == []
        said = words(text(client.get(f"{ONE}?until=2020-01-01")))
        assert "No transaction began in this time." in said

    def test_variants_come_with_how_they_stand(self, client: Client, company: Feed) -> None:
        assert company
        page = text(client.get(ONE))
        assert "OrderPlaced, then PaymentAuthorized, then StockReserved, then ShipmentScheduled" in page
        said = words(page)
        assert "Compensated" in said
        assert "74%" in said
        assert "– 2 ×" in said, "how long it took is not known of what has not ended"
        causal = text(client.get(f"{ONE}?ways=causal"))
        assert "OrderPlaced, then PaymentAuthorized and StockReserved, then ShipmentScheduled" in causal

    def test_rare_variants_are_fetched_by_whoever_opens_them(self, client: Client, feed: Feed) -> None:
        for number in range(12):
            for step in range(number + 1):
                feed.event(f"long-{number}", f"Step{step}", "worker", 60 - step)
        mined(feed)
        page = text(client.get("/choreographies/Step0"))
        assert page.count("<meter") == 8
        assert "<summary>4 more</summary>" in page
        address = unescape(re.search(r'hx-get="(/live/ways/[^"]+)"', page)[1])  # type: ignore[index]
        assert text(client.get(address)).count("<meter") == 4
        since = f"{address}&since=1h" if "?" in address else f"{address}?since=1h"
        assert text(client.get(since)).count("<meter") == 4
        text(client.get("/live/ways/Step0?since=tomorrow"), 404)
        text(client.get("/live/ways/nobody"), 404)

    def test_rules_are_declared_and_found(self, client: Client, company: Feed) -> None:
        assert company
        said = words(text(client.get("/live/rules/order-fulfilment")))
        assert "PaymentAuthorized + StockReserved ShipmentScheduled shipping 5 s 100% 0 0 0 100% of 20" in said
        assert "OrderPlaced StockReserved inventory 5 s 93% 0 2 1 latest" in said
        assert "tried on 27 transactions" in said
        assert "Found in the latest" in said

    def test_what_deviates_is_told(self, client: Client, company: Feed) -> None:
        company.event("odd", "OrderPlaced", "order", 50)
        company.event("odd", "OrderCancelled", "order", 49, ["OrderPlaced"])
        mined(company)
        said = words(text(client.get("/live/conformance/order-fulfilment")))
        assert "89% of the latest 28 that ended or are stuck did what is declared, 3 did not, of" in said
        assert "of which 2 are stuck" in said
        assert "went unusual ways" in said
        assert "with OrderCancelled besides 1" in said

    def test_nothing_deviates_of_nothing(self, client: Client) -> None:
        said = words(text(client.get("/live/conformance/order-fulfilment")))
        assert said == " No transaction has ended within the last 7 days. "

    def test_what_was_learned_can_be_adopted(self, client: Client, feed: Feed) -> None:
        assert "Nothing has been counted at all" in text(client.get("/live/adopt/order-fulfilment"))
        for number in range(60):
            feed.event(f"p-{number}", "Asked", "desk", 120)
            feed.event(f"p-{number}", "Answered", "hall", 118, ["Asked"])
        feed.event("later", "Unrelated", "desk", 1)
        mined(feed)
        learner.learn_now()
        shared.clear()
        page = unescape(text(client.get("/live/adopt/Asked")))
        assert "expect: Answered" in page
        assert 'href="/api/choreographies/Asked/adopt"' in page

    def test_of_what_is_not_declared_rules_are_found(self, client: Client, feed: Feed) -> None:
        for number in range(25):
            feed.event(f"p-{number}", "Asked", "desk", 60)
            feed.event(f"p-{number}", "Answered", "hall", 58, ["Asked"])
        feed.event("later", "Unrelated", "desk", 1)
        mined(feed)
        Transaction.objects.filter(choreography="Asked").update(phase="completed")
        said = words(text(client.get("/live/rules/Asked")))
        assert "Asked Answered hall – – – – – 100% of 25 2.0 s · 2.0 s 6.0 s found" in said

    def test_times_are_in_the_timezone_of_whoever_looks(self, client: Client, feed: Feed) -> None:
        feed.order("done")
        mined(feed)
        client.cookies["timezone"] = "Asia/Kolkata"
        page = text(client.get(f"{ONE}?since=2026-01-01T05:30"))
        assert 'since <time datetime="2026-01-01T05:30:00+05:30"' in page
        assert "2026-01-01 05:30</time>" in page

    def test_what_is_found_of_it_is_written_once_for_all_who_look(
        self, client: Client, company: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert company
        monkeypatch.setattr(choreography, "_MINED", 60.0)
        written: list[str] = []
        write = choreography.render_to_string
        monkeypatch.setattr(
            choreography, "render_to_string", lambda name, told: (written.append(name), write(name, told))[1]
        )
        pages = [words(text(client.get(ONE))) for _ in range(2)]
        assert pages[0] == pages[1]
        assert len(written) == 1
        assert "svg" in text(client.get(ONE)).partition('id="map"')[2][:200], "room is kept for the map"
        assert "svg" not in text(client.get(f"/live{ONE.replace('ies', 'y')}")).partition('id="map"')[2][:200]
        text(client.get(f"{ONE}?overlay=duration"))
        assert len(written) == 3

    def test_a_wrong_parameter_is_named(self, client: Client, company: Feed) -> None:
        assert company
        said = words(text(client.get(f"{ONE}?since=tomorrow&overlay=duration"), 400))
        assert "'since' is 'tomorrow'" in said
        text(client.get(f"{MAP}?since=tomorrow"), 404)

    def test_two_ranges_are_compared(self, client: Client, feed: Feed) -> None:
        for number in range(50):
            feed.order(f"old-{number}", ago=5 * 3600 + number, apart=0.5)
            feed.order(f"new-{number}", ago=60 + number, apart=2.0)
        for number in range(10):
            feed.declined(f"declined-{number}", ago=50)
        mined(feed)
        query = "since=1h&against_since=6h&against_until=3h"
        said = words(text(client.get(f"{ONE}?{query}")))
        assert "Compared with 50 that began" in said
        assert "new PaymentDeclined" in said
        assert "new StockReleased → OrderCancelled 0.0% 100% 0 10" in said
        assert "slower ShipmentScheduled → CustomerNotified 100% 100% 50 50 500 ms 2.0 s" in said
        found = drawing(client, f"{MAP}?{query}&detail=100")["drawing"]["table"]
        assert found["header"][-1] == "Changed"
        assert {row[-1] for row in found["rows"]} >= {"new", "slower"}
        back = drawing(client, f"{MAP}?since=6h&until=3h&against_since=1h&detail=100")["drawing"]["table"]
        assert ["OrderPlaced", "StockReserved", "0", "0.0%", "–", "–", "gone"] in back["rows"]

    def test_what_it_exports_and_links_is_what_it_shows(self, client: Client, company: Feed) -> None:
        assert company
        page = unescape(text(client.get(f"{ONE}?since=1h&status=completed")))
        link = next(one for one in re.findall(r'href="([^"]+)"', page) if "format=xes" in one)
        assert "status=completed" in link
        assert "since=" in link
        assert client.get(link).status_code == 200

    @pytest.mark.parametrize("count", [1, 9])
    def test_cost_does_not_grow(
        self, client: Client, feed: Feed, count: int, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(count):
            feed.order(f"done-{number}", ago=20)
            feed.order(f"part-{number}", steps=1 + number % 6, ago=3)
        mined(feed)
        with django_assert_num_queries(10):
            text(client.get(ONE))
        with django_assert_num_queries(0):
            text(client.get(MAP))
        shared.clear()
        with django_assert_num_queries(12):
            text(client.get(f"{ONE}?since=6h&against_since=1h"))

    def test_nothing_from_topics_is_markup(self, client: Client, feed: Feed) -> None:
        evil = "<script>alert(1)</script>\"'&{{x}}"
        feed.raw(
            *cloud_event(evil, "t", "e-1", f"/services/{quote(evil)}", feed.ago(5), []), value=b"{}", at=feed.ago(5)
        )
        mined(feed)
        for address in ("/choreographies", f"/choreographies/{quote(evil)}", f"/live/rules/{quote(evil)}"):
            page = text(client.get(address))
            assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page or "No rule" in page


class TestUsual:
    """What is usual stands beside a transaction."""

    def test_a_slow_one_says_so(self, client: Client, feed: Feed) -> None:
        for number in range(100):
            feed.order(f"done-{number}", ago=30 + number)
        feed.order("slow", ago=300, apart=20)
        mined(feed)
        page = text(client.get("/transactions/slow"))
        said = words(page)
        assert (
            "From its first event to its last: 2 min order-fulfilment usually 3.0 s, 95% under 3.0 s slower than 99%"
            in said
        )
        assert "20 s after ShipmentDispatched usually 500 ms, 95% under 500 ms slower than 99%" in said
        assert "slower than" not in words(text(client.get("/transactions/done-3")))

    def test_what_has_not_ended_took_no_time_yet(self, client: Client, feed: Feed) -> None:
        for number in range(100):
            feed.order(f"done-{number}", ago=30 + number)
        feed.order("stuck", steps=2, ago=60)
        mined(feed)
        assert "From its first event to its last" in text(client.get("/transactions/done-3"))
        page = text(client.get("/transactions/stuck"))
        assert "overdue." in page
        assert "From its first event to its last" not in page

    def test_of_few_nothing_is_usual(self, client: Client, feed: Feed) -> None:
        feed.order("done")
        mined(feed)
        assert "usually" not in words(text(client.get("/transactions/done")))


class TestWays:
    """Lists of transactions that went a way have exactly those that are counted."""

    @pytest.fixture
    def plain(self) -> Plain:
        events = log(41, 200)
        site = Store()
        site.write_all(events, 42)
        miner.mine(RuleBook(()))
        return Plain.of(events, site.places)

    def listed(self, client: Client, **narrowed: object) -> set[str]:
        found: set[str] = set()
        cursor: str | None = ""
        while cursor is not None:
            asked = {name: value for name, value in {**narrowed, "cursor": cursor, "limit": 40}.items() if value != ""}
            page = client.get(f"/api/transactions?{urlencode(asked)}").json()
            found |= {item["id"] for item in page["items"]}
            cursor = page["next"]
        return found

    def test_steps(self, client: Client, plain: Plain) -> None:
        for source, target in list(plain.edges)[::7]:
            went = {
                name for name, case in plain.cases.items() if (source, target) in pairwise(event.type for event in case)
            }
            assert self.listed(client, directly_after=source, event_type=target) == went

    def test_variants(self, client: Client, plain: Plain) -> None:
        answer = client.get("/api/choreographies/_all/variants?limit=200").json()
        for item in answer["items"][:5] + answer["items"][-5:]:
            went = {name for name, case in plain.cases.items() if [event.type for event in case] == item["types"]}
            assert len(went) >= item["count"]
            found = self.listed(client, variant=item["id"])
            assert len(found) == item["count"]
            assert found <= went

    def test_causal_variants(self, client: Client, plain: Plain) -> None:
        assert plain
        for item in client.get("/api/choreographies/_all/variants?limit=5&causal=true").json()["items"]:
            assert len(self.listed(client, variant=item["id"])) == item["count"]

    def test_what_is_wrong_is_said(self, client: Client) -> None:
        assert "'variant' is 'x'" in client.get("/api/transactions?variant=x").json()["error"]
        assert "needs 'event_type'" in client.get("/api/transactions?directly_after=A").json()["error"]

    def test_a_page_of_transactions_keeps_it(self, client: Client, company: Feed) -> None:
        assert company
        assert HAPPY[1][0] == "PaymentAuthorized"
        address = "/transactions?directly_after=OrderPlaced&event_type=PaymentAuthorized&choreography=order-fulfilment"
        said = words(text(client.get(address)))
        assert "done-3" in said
        assert "Only those that went from OrderPlaced straight to PaymentAuthorized. Any way" in said
        assert "declined-0" not in said
