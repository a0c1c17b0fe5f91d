"""The pages over stored data: what they say, what they cost, and that nothing from a topic gets onto them as markup."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import quote

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from collector.models import Heartbeat, Topic, Transaction
from dashboard.pages import demo, errors
from dashboard.pages.shared import shared
from tests.builders import cloud_event
from tests.feeding import HAPPY, Feed

pytestmark = pytest.mark.django_db
STATIC = Path(__file__).parents[2] / "dashboard" / "static"


@pytest.fixture(autouse=True)
def nothing_shared() -> None:
    shared.clear()


@pytest.fixture
def feed() -> Feed:
    return Feed()


def text(response: HttpResponse, status: int = 200) -> str:
    assert response.status_code == status
    return response.content.decode()


PAGES = ["/", "/?status=stuck&view=events", "/transactions", "/alerts", "/ingestion", "/ingestion?list=uncorrelated"]
FRAGMENTS = [
    "/live/overview",
    "/live/transactions",
    "/live/alerts",
    "/live/ingestion",
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
        self, client: Client, feed: Feed, count: int, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(count):
            feed.order(f"done-{number}", ago=20)
            feed.order(f"stuck-{number}", steps=2, ago=60)
        feed.read()
        with django_assert_num_queries(15):
            page = text(client.get("/"))
        with django_assert_num_queries(0):
            assert text(client.get("/live/overview"))
        assert page.count("data-row") == min(12, 2 * count)

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
        with django_assert_num_queries(7):
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
        assert '<span class="note">late</span>' in page

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
        assert text(client.get("/transactions/big")).count("<tr id=") == 200
        assert text(client.get("/transactions/big?page=3")).count("<tr id=") == 50
        assert text(client.get("/live/transaction/big?page=99")).count("<tr id=") == 50
        assert len(client.get("/live/drawing/big").content) < 500_000


class TestWhatIsNotKnown:
    """Figures say up to when they are known, and nothing is called fine that nobody looks at."""

    @pytest.fixture
    def feed(self) -> Feed:
        feed = Feed()
        feed.event("order", "OrderPlaced", "order", 1)
        feed.read()
        return feed

    @pytest.fixture
    def since(self, feed: Feed) -> str:
        """The collector has said goodbye a minute ago."""
        assert feed
        gone = timezone.now() - timedelta(seconds=60)
        Heartbeat.objects.filter(name="collector:test").update(at=gone, detail={"stopped": True})
        return f"{gone:%H:%M:%S}"

    def test_while_all_is_well(self, client: Client, feed: Feed) -> None:
        assert feed
        page = text(client.get("/"))
        assert "nothing is overdue" in page
        assert "?</b>" not in page

    def test_without_a_collector(self, client: Client, since: str) -> None:
        page = text(client.get("/"))
        assert f"<b>?</b><small>not judged since {since}</small>" in page
        assert "nothing is overdue" not in page
        assert "Nothing that is declared is overdue" not in page
        assert page.count(f"<b>?</b><small>nothing read since {since}</small>") == 3
        assert f'class="bad">Nothing read<span class="roomy"> since {since}<' in page
        assert f"; deadlines are not judged since {since}." in text(client.get("/alerts"))
        ingestion = text(client.get("/ingestion"))
        assert ingestion.count(">?</span>") == 2
        assert f"no collector: nothing read since {since}" in ingestion
        assert f"known to be stuck: deadlines are not judged since {since}" in text(client.get("/?status=stuck"))

    def test_the_transaction_page_does_not_say_that_topics_are_being_read(self, client: Client, since: str) -> None:
        page = text(client.get("/transactions/order"))
        assert "still being read" not in page
        assert f"Nothing is judged since about {since}: so it stood then." in page

    def test_without_a_sweep(self, client: Client, feed: Feed) -> None:
        assert feed
        gone = timezone.now() - timedelta(seconds=60)
        Heartbeat.objects.filter(name="sweep").update(at=gone)
        page = text(client.get("/"))
        assert f"<b>?</b><small>not judged since {gone:%H:%M:%S}</small>" in page
        assert f'class="warn"> · not judged<span class="roomy"> since {gone:%H:%M:%S}<' in page
        assert "nothing read" not in page

    def test_behind(self, client: Client, feed: Feed) -> None:
        late = feed.ago(60)
        Topic.objects.update(watermark=late)
        page = text(client.get("/"))
        assert f"<b>?</b><small>not all judged since {late:%H:%M:%S}</small>" in page
        assert 'class="warn"> · 1 min behind<' in page

    def test_nobody_is_told_to_start_what_belongs_to_the_demo(
        self, client: Client, since: str, settings: Settings
    ) -> None:
        assert f"stopped at {since}: nothing is read, and all deadlines wait. Start one with" in text(client.get("/"))
        shared.clear()
        settings.DEMO_CONTROL_URL = "http://127.0.0.1:9"
        settings.ROOT_URLCONF = "tests.demo_urls"
        page = text(client.get("/"))
        assert "manage.py collect" not in page
        assert "It is part of the demo" in page


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
        Heartbeat.objects.create(name="collector:a", at=timezone.now())
        Heartbeat.objects.create(name="sweep", at=timezone.now())
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


class Control(BaseHTTPRequestHandler):
    """What the demo's control process would answer; remembers what it was asked."""

    asked: list[tuple[str, str, Any]] = []  # noqa: RUF012 - one server, one list

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        self.asked.append((self.command, self.path, body))
        status, answer = (
            200,
            {"rate": 1.0, "placed": 7, "faults": {"payment silent": {"on": False, "description": "d"}}},
        )
        if self.path == "/orders" and body == {"count": 0}:
            status, answer = 400, {"error": "count must be 1 to 500."}
        elif self.path == "/orders":
            answer = {"order_ids": ["ord-1"]}
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the library finds them by these names

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture
def control(settings: Settings) -> Iterator[list[tuple[str, str, Any]]]:
    Control.asked.clear()
    server = HTTPServer(("127.0.0.1", 0), Control)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    settings.DEMO_CONTROL_URL = f"http://127.0.0.1:{server.server_port}"
    settings.ROOT_URLCONF = "tests.demo_urls"
    yield Control.asked
    server.shutdown()
    thread.join()
    server.server_close()


class TestDemo:
    def test_is_only_there_in_the_demo(self, client: Client) -> None:
        assert client.get("/demo").status_code == 404

    @pytest.mark.usefixtures("control")
    def test_shows_switches(self, client: Client) -> None:
        page = text(client.get(reverse("demo")))
        assert 'role="switch" aria-checked="false"' in page
        assert "7 placed so far" in page

    def test_switches_places_and_sets_the_rate(self, client: Client, control: list[Any]) -> None:
        assert client.post("/demo/faults", {"name": "payment silent", "on": "true"})["Location"] == "/demo"
        assert control[0] == ("PUT", "/faults/payment%20silent", {"on": True})
        client.post("/demo/rate", {"rate": "2.5"})
        assert ("PUT", "/rate", {"rate": 2.5}) in control
        answer = client.post("/demo/orders", {"count": "1"}, headers={"HX-Request": "true"})
        assert '<a href="/transactions/ord-1">ord-1</a>' in text(answer)

    @pytest.mark.usefixtures("control")
    def test_says_what_was_refused(self, client: Client) -> None:
        assert "count must be 1 to 500." in text(client.post("/demo/orders", {"count": "0"}))

    def test_needs_the_token(self, control: list[Any]) -> None:
        strict = Client(enforce_csrf_checks=True)
        assert strict.post("/demo/orders", {"count": "1"}).status_code == 403
        assert control == []

    @pytest.mark.usefixtures("control")
    def test_says_when_nobody_answers(self, client: Client) -> None:
        with mock.patch.object(demo.urllib.request, "urlopen", side_effect=ConnectionRefusedError):
            assert "The demo services do not answer" in text(client.get("/demo"))
