"""The pages over stored data: what they say, what they cost, and that nothing from a topic gets onto them as markup."""

from __future__ import annotations

import json
import re
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from unittest import mock
from urllib.parse import quote

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.test import Client, RequestFactory
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from collector.models import End, Heartbeat, Progress, Topic, Transaction
from dashboard import graphs, pushed
from dashboard.pages import errors, story
from dashboard.pages.shared import MOMENT, shared
from dashboard.pushed import Seen
from tests.builders import cloud_event
from tests.feeding import HAPPY, Feed
from tests.pages import text

pytestmark = pytest.mark.django_db
STATIC = Path(__file__).parents[2] / "dashboard" / "static"


@pytest.fixture(autouse=True)
def nothing_shared() -> None:
    shared.clear()


@pytest.fixture
def feed() -> Feed:
    return Feed()


PAGES = [
    "/",
    "/services",
    "/services/order",
    "/?status=stuck&view=events",
    "/transactions",
    "/choreographies",
    "/choreographies/order-fulfilment",
    "/choreographies/_all?since=6h&against_since=12h&against_until=6h",
    "/alerts",
    "/ingestion",
    "/ingestion?list=uncorrelated",
]
FRAGMENTS = [
    "/live/overview",
    "/live/changes",
    "/live/transactions",
    "/live/choreographies",
    "/live/choreography/order-fulfilment",
    "/live/discovered/order-fulfilment",
    "/live/rules/order-fulfilment",
    "/live/conformance/order-fulfilment",
    "/live/adopt/order-fulfilment",
    "/live/alerts",
    "/live/ingestion",
    "/live/services",
    "/live/search?q=order",
    "/live/transactions/shown",
    "/live/frame",
]


@pytest.mark.parametrize("address", PAGES + FRAGMENTS)
def test_everything_answers_on_an_empty_database(client: Client, address: str) -> None:
    text(client.get(address))


def test_empty_states_say_what_to_do_next(client: Client) -> None:
    assert "As soon as services publish events" in text(client.get("/transactions"))
    assert "python manage.py collect" in text(client.get("/ingestion"))
    assert "The collector has never run." in text(client.get("/alerts"))


class TestOverview:
    @pytest.mark.parametrize("count", [1, 9])
    def test_cost_does_not_grow(
        self,
        client: Client,
        feed: Feed,
        count: int,
        django_assert_num_queries: DjangoAssertNumQueries,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for number in range(count):
            feed.order(f"done-{number}", ago=20)
            feed.order(f"stuck-{number}", steps=2, ago=60)
        feed.read()
        now = time.monotonic()  # both are asked for within a moment, however long that takes here
        monkeypatch.setattr("dashboard.pages.shared.time", SimpleNamespace(monotonic=lambda: now))
        with django_assert_num_queries(18):
            page = text(client.get("/"))
        with django_assert_num_queries(0):
            assert text(client.get("/live/overview"))
        assert page.count("data-row") == min(12, 2 * count)

    @pytest.mark.parametrize("zone", ["", "Asia/Kathmandu"])
    @pytest.mark.parametrize("asked", ["", "?status=stuck&view=events&service=order", "?since=1h"])
    def test_what_is_sent_is_what_would_be_fetched(self, client: Client, feed: Feed, zone: str, asked: str) -> None:
        """But for figures, since time goes on."""
        feed.order("done", ago=20)
        feed.order("stuck", steps=2, ago=60)
        feed.read()
        client.cookies["timezone"] = zone
        for address in (f"/live/overview{asked}", f"/live/overview.json{asked}"):
            shared.clear()
            fetched = client.get(address).content.decode()
            shared.clear()
            sent = pushed._made(Seen(address, zone))
            assert re.sub(r"[\d.]+", "", sent) == re.sub(r"[\d.]+", "", fetched)
            assert zone in sent or address.startswith("/live/overview.json")

    def test_stuck_ones_are_said_with_their_cause(self, client: Client, feed: Feed) -> None:
        for number in range(3):
            feed.order(f"stuck-{number}", steps=2, ago=60)
        feed.read()
        page = text(client.get("/"))
        assert "3 transactions wait for StockReserved from inventory" in page
        assert "all wait for inventory" in page
        assert '<span class="count">1<' in page

    def test_drawing(self, client: Client, feed: Feed) -> None:
        feed.order("done", ago=20)
        feed.read()
        for view in ("services", "events"):
            shared.clear()
            drawing = client.get(f"/live/overview.json?view={view}").json()
            assert drawing["table"]["rows"]
            assert drawing["figure"]["data"]

    def test_fragment_brings_the_frame_along(self, client: Client, feed: Feed) -> None:
        feed.order("stuck", steps=2, ago=60)
        feed.read()
        fragment = text(client.get("/live/overview"))
        for part in ("alert-count", "behind", "troubles", "ages"):
            assert f'id="{part}"' in fragment
            assert "<html" not in fragment


class TestTransactions:
    def test_rows_that_are_shown_are_fetched_as_they_are_now(self, client: Client, feed: Feed) -> None:
        feed.order("first", steps=2, ago=60)
        feed.order("second", steps=2, ago=50)
        feed.read()
        ids = {one.transaction_id: one.pk for one in Transaction.objects.all()}
        for name, service, causes in HAPPY[2:]:
            feed.event("second", name, service, 1, causes)
        feed.order("third", steps=2, ago=40)
        feed.read()
        asked = {"status": "stuck", "shown": f"{ids['second']},{ids['first']},x,,{'9' * 40}"}
        rows = text(client.get("/live/transactions/shown", asked))
        assert rows.index(">second<") < rows.index("Completed") < rows.index(">first<") < rows.index("Stuck")
        assert "third" not in rows
        assert '<data id="newer" value="1"' in rows
        assert 'id="troubles"' in rows

    @pytest.mark.parametrize("count", [1, 9])
    def test_their_cost_does_not_grow(
        self, client: Client, feed: Feed, count: int, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(count):
            feed.order(f"order-{number}", ago=20)
        feed.read()
        ids = ",".join(str(one.pk) for one in Transaction.objects.all())
        with django_assert_num_queries(7):
            assert text(client.get("/live/transactions/shown", {"shown": ids})).count("data-row") == count

    def test_nothing_is_new_on_an_older_page(self, client: Client, feed: Feed) -> None:
        feed.order("order", ago=20)
        feed.read()
        assert 'value="0"' in text(client.get("/live/transactions/shown", {"cursor": "x", "shown": ""}))
        assert 'value="0"' in text(client.get("/live/transactions/shown", {"since": "soon", "shown": ""}))


class TestTransaction:
    def test_says_where_it_stands_first(self, client: Client, feed: Feed) -> None:
        feed.order("order-1", steps=2, ago=60)
        feed.order("order-2", steps=2, ago=60)
        feed.read()
        page = text(client.get("/transactions/order-1"))
        assert "Waiting for StockReserved from inventory — <time" in page
        assert "1 other transaction waits at the same step." in page
        assert "team-warehouse" in page
        assert "OrderPlaced" in page

    @pytest.mark.parametrize("steps", [1, 7])
    def test_cost_does_not_grow(
        self, client: Client, feed: Feed, steps: int, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        feed.order("order", steps=steps, ago=3)
        feed.read()
        with django_assert_num_queries(9):
            text(client.get("/transactions/order"))

    def test_the_address_says_which_event_is_shown(self, client: Client, feed: Feed) -> None:
        feed.order("order", ago=20)
        feed.read()
        chosen = {"source": "/services/payment", "event": "order/PaymentAuthorized"}
        assert 'data-shown-event="order/PaymentAuthorized"' in text(client.get("/transactions/order", chosen))
        fragment = text(client.get("/live/event/order", chosen))
        assert "header ce_correlationid" in fragment
        assert "&quot;number&quot;: &quot;4711&quot;" in fragment
        assert "named by the event, 500 ms before" in fragment
        assert client.get("/live/event/order", {"source": "x", "event": "y"}).status_code == 404

    def test_graph_and_inspector_show_the_version_that_the_text_shows(self, client: Client, feed: Feed) -> None:
        feed.order("order", steps=1, ago=2)
        feed.read()
        assert f'data-version="{Transaction.objects.get().version}"' in text(client.get("/live/transaction/order"))
        before = {"version": Transaction.objects.get().version}
        feed.event("order", "StockReserved", "inventory", 1, ["OrderPlaced"])
        feed.read()
        chosen = {"source": "/services/order", "event": "order/OrderPlaced"}
        with mock.patch("dashboard.pages.transaction.MOMENT", 0):
            assert "StockReserved" not in text(client.get("/live/event/order", {**chosen, **before}))
            assert "order/StockReserved" not in text(client.get("/live/drawing/order", before))
            assert "StockReserved" in text(client.get("/live/event/order", chosen))
            assert "StockReserved" in text(client.get("/live/event/order", {**chosen, **before}))

    def test_what_has_not_changed_is_written_and_drawn_once(
        self, client: Client, feed: Feed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        feed.order("slow", steps=2, ago=60)
        feed.read()
        made: list[str] = []
        events, drawn = story.event_rows, graphs.transaction_figure
        monkeypatch.setattr(story, "event_rows", lambda found: (made.append("rows"), events(found))[1])
        monkeypatch.setattr(graphs, "transaction_figure", lambda *a, **b: (made.append("graph"), drawn(*a, **b))[1])
        first = text(client.get("/transactions/slow"))
        now = time.monotonic() + 2 * MOMENT
        monkeypatch.setattr("dashboard.pages.shared.time", SimpleNamespace(monotonic=lambda: now))
        assert text(client.get("/transactions/slow")).count("OrderPlaced") == first.count("OrderPlaced")
        client.get("/live/drawing/slow")
        assert sorted(made) == ["graph", "rows"]
        feed.event("slow", "StockReserved", "inventory", 1)
        feed.read()
        now += 2 * MOMENT
        assert text(client.get("/transactions/slow")).count("StockReserved") > first.count("StockReserved")
        assert sorted(made) == ["graph", "graph", "rows", "rows"]

    @pytest.mark.parametrize(("ago", "kept"), [(60, 5), (3600, 36)])
    def test_while_something_is_awaited_it_is_drawn_anew_when_enough_time_went_by_to_be_seen(
        self, client: Client, feed: Feed, monkeypatch: pytest.MonkeyPatch, ago: int, kept: int
    ) -> None:
        feed.order("slow", steps=2, ago=ago)
        feed.read()
        made, drawn, begun = [], graphs.transaction_figure, time.monotonic()
        monkeypatch.setattr(graphs, "transaction_figure", lambda *a, **b: (made.append(now), drawn(*a, **b))[1])
        now = begun
        monkeypatch.setattr("dashboard.pages.shared.time", SimpleNamespace(monotonic=lambda: now))
        for later in (0, kept - 0.5, kept + 0.5):
            now = begun + later
            client.get("/live/drawing/slow")
        assert made == [begun, begun + kept + 0.5]

    def test_what_was_known_when_says_after_what(self, client: Client, feed: Feed) -> None:
        feed.order("late", steps=2, ago=60)
        feed.order("done", ago=60)
        feed.read()
        assert " after the deadline</small>" in text(client.get("/transactions/late"))
        assert " after the event</small>" in text(client.get("/transactions/done"))

    def test_redelivered_missing_and_late_are_marked(self, client: Client, feed: Feed) -> None:
        feed.event("order", "OrderPlaced", "order", 60)
        feed.event("order", "OrderPlaced", "order", 60)
        feed.event("order", "StockReserved", "inventory", 40, ["OrderPlaced"])
        feed.event("order", "PaymentAuthorized", "payment", 58, ["Elsewhere"])
        feed.read()
        page = text(client.get("/transactions/order"))
        assert "redelivered 1×" in page
        assert "not read: order/Elsewhere" in page
        assert '<span class="note bad" title="late"><i class="pip pip-late"></i>late</span>' in page
        (reserved,) = [
            row for row in client.get("/live/drawing/order").json()["table"]["rows"] if row[0] == "StockReserved"
        ]
        assert reserved[2] == "event, late"

    def test_the_table_has_the_signs_of_the_drawing(self, client: Client, feed: Feed) -> None:
        feed.declined("order")
        feed.event("order", "CustomerNotified", "notification", 30)
        feed.read()
        page = text(client.get("/transactions/order"))
        found = re.findall(r'<i class="pip pip-([\w-]+)" title="([^"]+)"></i><a [^>]*>(\w+)', page)
        signs = {name: (sign, means) for sign, means, name in found}
        assert signs == {
            "OrderPlaced": ("event", "event"),
            "StockReserved": ("event", "event"),
            "PaymentDeclined": ("failure", "failure path"),
            "StockReleased": ("undo", "compensation"),
            "OrderCancelled": ("failed-end", "end after a failure"),
            "CustomerNotified": ("after", "after the end"),
        }
        rows = client.get("/live/drawing/order").json()["table"]["rows"]
        assert {name: state for name, _, state, *_ in rows if name in signs} == {
            name: means for name, (_, means) in signs.items()
        }
        css = (STATIC / "css" / "app.css").read_text()
        assert all(f".pip-{sign}" in css for sign, _ in signs.values())

    def test_unknown_one_says_what_to_do(self, client: Client) -> None:
        page = text(client.get("/transactions/nobody"), 404)
        assert "ids that begin like it" in page
        assert client.get("/live/transaction/nobody").status_code == 404

    def test_searching_a_whole_id_leads_to_it(self, client: Client, feed: Feed) -> None:
        feed.order("order", steps=1)
        feed.read()
        assert client.get("/transactions", {"q": "order"})["Location"] == "/transactions/order"
        assert "data-row" in text(client.get("/transactions", {"q": "ord"}))

    def test_many_events_are_paged(self, client: Client, feed: Feed) -> None:
        for number in range(450):
            moment = feed.ago(600 - number)
            feed.raw(*cloud_event("Ticked", "big", f"e{number:03}", "/services/a", moment), value=b"{}", at=moment)
        feed.read()
        assert text(client.get("/transactions/big")).count("<tr id=") == 100
        assert text(client.get("/transactions/big?page=5")).count("<tr id=") == 50
        assert text(client.get("/live/transaction/big?page=99")).count("<tr id=") == 50
        assert len(client.get("/live/drawing/big").content) < 500_000


HOSTILE = "<script>alert('1')</script>\"><img src=x onerror=alert(2)>/../&amp;%00"


def test_nothing_from_a_topic_becomes_markup(client: Client, feed: Feed) -> None:
    headers = cloud_event(HOSTILE, HOSTILE, HOSTILE, f"/services/{HOSTILE}", feed.now)
    for _ in range(2):
        feed.raw(*headers, ("x", HOSTILE.encode()), value=json.dumps({HOSTILE: HOSTILE}).encode())
    feed.raw(*cloud_event(HOSTILE, None, HOSTILE, HOSTILE, feed.now), value=HOSTILE.encode())
    feed.raw(("content-type", b"application/cloudevents+json"), value=HOSTILE.encode())
    feed.read()
    stored = Transaction.objects.get().transaction_id
    address = quote(stored, safe="")
    event = {"source": f"/services/{HOSTILE}", "event": HOSTILE}
    for page in [*PAGES, *FRAGMENTS, f"/transactions/{address}", f"/live/transaction/{address}"]:
        content = text(client.get(page))
        assert "<script>alert" not in content
        assert "<img" not in content.replace('<img src="/static/brand', "")
    inspector = text(client.get(f"/live/event/{address}", event))
    assert "<img" not in inspector
    assert "onerror=alert(2)&gt;" in inspector
    for drawing in ("/live/overview.json", f"/live/drawing/{address}"):
        assert client.get(drawing)["Content-Type"] == "application/json"


def test_wrong_parameters_are_said_on_the_page(client: Client) -> None:
    assert "&#x27;since&#x27; is &#x27;soon&#x27;" in text(client.get("/transactions?since=soon"), 400)
    assert "was not given out by this list" in text(client.get("/ingestion?cursor=x"), 400)


def test_of_many_partitions_those_are_shown_that_are_not_well(client: Client, feed: Feed) -> None:
    feed.order("order", ago=20)
    feed.read()
    others = {name: Topic.objects.create(cluster="c", uid=name, name=name) for name in ("well", "behind")}
    for topic in others.values():
        for number in range(40):
            Progress.objects.create(topic=topic, partition=number, next_offset=7, first_offset=0, from_start=True)
            End.objects.create(topic=topic, partition=number, end_offset=9 if topic.name == "behind" else 7)
    Topic.objects.filter(name="well").update(watermark=timezone.now())
    Topic.objects.filter(name="behind").update(watermark=timezone.now() - timedelta(minutes=5))

    def shown(address: str) -> dict[str, int]:
        shared.clear()
        page = text(client.get(address))
        bodies = re.findall(r'<tbody id="topic-(\d+)">(.*?)</tbody>', page, re.DOTALL)
        names = dict(Topic.objects.values_list("id", "name"))
        return {names[int(number)]: body.count("<tr>") for number, body in bodies}

    few = {"well": 0, "behind": 40}
    assert few.items() <= shown("/ingestion").items()
    assert few.items() <= shown("/live/ingestion").items()
    assert {"well": 40, "behind": 40}.items() <= shown("/ingestion?partitions=all").items()
    assert "All 81 partitions" in text(client.get("/ingestion"))
    Topic.objects.filter(name="well").delete()
    assert "partitions=all" not in text(client.get("/live/ingestion?list=uncorrelated&partitions=all"))


def test_pages_run_no_inline_script_and_load_nothing_from_outside(client: Client, feed: Feed) -> None:
    feed.order("order", ago=20)
    feed.read()
    for address in [*PAGES, "/transactions/order"]:
        response = client.get(address)
        page = text(response)
        assert "script-src 'self'" in response["Content-Security-Policy"]
        assert "'unsafe" not in response["Content-Security-Policy"]
        assert not [
            tag for tag in page.split("<script")[1:] if not tag.lstrip().startswith(("src=", 'type="module" src='))
        ]
        assert " onclick=" not in page
        assert "//cdn" not in page
        assert page.count("<h1") == 1
        assert 'lang="en"' in page


def test_scripts_and_styles_together_stay_small() -> None:
    files = [path for path in STATIC.rglob("*") if path.suffix in (".js", ".css")]
    assert sum(path.stat().st_size for path in files) < 2_500_000


class TestHealth:
    def test_healthz(self, client: Client) -> None:
        assert text(client.get("/healthz")) == "ok"

    def test_readyz(self, client: Client, redis_url: str) -> None:
        assert redis_url
        response = client.get("/readyz")
        assert response.status_code == 503
        by_name = {part["name"]: part for part in response.json()["parts"]}
        assert by_name["database"]["ok"]
        assert by_name["redis"]["ok"]
        assert not by_name["collector"]["ok"]
        for name in ("collector:a", "sweep", "alerts", "notifications", "beat"):
            assert client.get("/readyz").status_code == 503
            Heartbeat.objects.create(name=name, at=timezone.now())
        ready = client.get("/readyz").json()
        assert ready["ready"]
        assert {"name", "ok", "age_seconds", "sentence"} == set(ready["parts"][0])

    def test_redis_gone(self, client: Client, settings: Settings) -> None:
        settings.REDIS_URL = "unix:///nowhere.sock"
        found = {part["name"]: part["ok"] for part in client.get("/readyz").json()["parts"]}
        assert found["redis"] is False


def test_errors(client: Client, rf: RequestFactory) -> None:
    assert "There is nothing at this address" in text(client.get("/nothing"), 404)
    assert "error" in client.get("/api/nothing").json()
    assert "/readyz" in text(errors.broken(rf.get("/")), 500)
    assert errors.broken(rf.get("/api/x"))["Content-Type"] == "application/json"
    part = text(errors.broken(rf.get("/live/rules/order", headers={"HX-Request": "true"})), 500)
    assert part.startswith("<p")
    assert "/readyz" in part
    with mock.patch.object(staticfiles_storage, "url", side_effect=ValueError("no such file was collected")):
        assert "its log says why" in text(errors.broken(rf.get("/")), 500)
