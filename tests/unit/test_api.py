"""The JSON API: the fields that programs hold on to, and errors that say what helps."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils.dateparse import parse_datetime
from pytest_django import DjangoAssertNumQueries

from collector.models import End, Topic
from dashboard.alerts.models import Alert
from tests.builders import cloud_event
from tests.feeding import Feed

pytestmark = pytest.mark.django_db

JSON = "application/json"
SUMMARY = {
    "id", "choreography", "status", "phase", "overdue_since", "started_at", "last_event_at", "ended_at", "duration_ms",
    "event_count", "redelivery_count", "failed_delivery_count", "partial", "impact", "waiting_for",
}  # fmt: skip
DETAIL = SUMMARY | {
    "aliases", "oversized", "historic", "ended_by", "abandoned", "conforms", "parts", "events", "edges", "cycles",
    "missing_causes", "caused_by_us", "clocks", "transitions", "failed_deliveries", "deviations",
}  # fmt: skip


@pytest.fixture
def feed() -> Feed:
    return Feed()


def ids(answer: Any) -> list[str]:
    return [item["id"] for item in answer["items"]]


class TestTransactions:
    @pytest.mark.parametrize("count", [1, 12])
    def test_list(
        self, client: Client, feed: Feed, count: int, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(count):
            feed.order(f"order-{number}", steps=1 + number % 7, ago=100 + number)
        feed.read()
        with django_assert_num_queries(2):
            answer = client.get("/api/transactions").json()
        assert set(answer) == {"items", "next"}
        assert answer["next"] is None
        assert len(answer["items"]) == count
        assert all(set(item) == SUMMARY for item in answer["items"])

    def test_pages(self, client: Client, feed: Feed) -> None:
        for number in range(7):
            feed.order(f"order-{number}", steps=1, ago=60 + number)
        feed.read()
        first = client.get("/api/transactions", {"limit": 3}).json()
        second = client.get("/api/transactions", {"limit": 3, "cursor": first["next"]}).json()
        third = client.get("/api/transactions", {"limit": 3, "cursor": second["next"]}).json()
        assert ids(first) + ids(second) + ids(third) == [f"order-{number}" for number in range(7)]
        assert third["next"] is None

    def test_status(self, client: Client, feed: Feed) -> None:
        feed.order("done", ago=20)
        feed.order("stuck", steps=2, ago=60)
        feed.read()
        assert ids(client.get("/api/transactions?status=completed").json()) == ["done"]
        stuck = client.get("/api/transactions?status=stuck").json()["items"][0]
        assert (stuck["status"], stuck["phase"], stuck["duration_ms"]) == ("stuck", "running", None)
        waiting = stuck["waiting_for"][0]
        assert set(waiting) == {"after", "expect", "from", "deadline_at", "overdue_ms", "basis", "marks", "consumer"}
        assert (waiting["after"], waiting["expect"], waiting["from"]) == (
            ["OrderPlaced"],
            ["StockReserved"],
            "inventory",
        )
        assert waiting["overdue_ms"] >= 54_000
        assert waiting["basis"] == "declared"

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ("status=odd", "'status' is 'odd'; it must be one of stuck, running"),
            ("limit=1000", "'limit' is '1000'; it must be a whole number from 1 to 200"),
            ("since=soon", "'since' is 'soon'; it must be a time such as"),
            ("cursor=x", "'cursor' was not given out by this list"),
            ("kee=4711", "There is no parameter 'kee'; there are awaited_from, choreography, cursor, directly_after"),
        ],
    )
    def test_errors_name_the_parameter_and_the_remedy(self, client: Client, query: str, said: str) -> None:
        response = client.get(f"/api/transactions?{query}")
        assert response.status_code == 400
        assert set(response.json()) == {"error"}
        assert said in response.json()["error"]


class TestOneTransaction:
    def test_whole(self, client: Client, feed: Feed, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        feed.order("order", ago=20)
        feed.read()
        with django_assert_num_queries(3):
            answer = client.get("/api/transactions/order").json()
        assert set(answer) == DETAIL
        assert (answer["status"], answer["duration_ms"], answer["event_count"]) == ("completed", 3000, 7)
        assert answer["waiting_for"] == []
        assert [event["type"] for event in answer["events"]][:2] == ["OrderPlaced", "PaymentAuthorized"]
        assert answer["events"][0] | {"received_at": ""} == {
            "id": "order/OrderPlaced",
            "source": "/services/order",
            "type": "OrderPlaced",
            "service": "order",
            "time": answer["started_at"],
            "record_time": answer["started_at"],
            "received_at": "",
            "topic": "orders",
            "partition": 0,
            "offset": 0,
            "causes": [],
            "subject": "",
            "dialect": "CloudEvents binary",
            "basis": "header ce_correlationid",
            "redeliveries": 0,
            "keys": [{"name": "order.number", "value": "4711"}],
            "notes": [],
            "depth": 0,
        }
        assert (answer["conforms"], answer["ended_by"], answer["abandoned"]) == (True, "event", None)
        assert [answer[name] for name in ("parts", "cycles", "missing_causes", "clocks")] == [[], [], [], []]
        assert {
            "parent": "order/OrderPlaced",
            "parent_source": "/services/order",
            "child": "order/StockReserved",
            "child_source": "/services/inventory",
            "basis": "explicit",
            "latency_ms": 1000.0,
            "skewed": False,
        } in answer["edges"]
        assert answer["transitions"][-1]["phase"] == "completed"
        started = parse_datetime(answer["started_at"])
        assert started is not None
        assert abs((started - feed.ago(20)).total_seconds()) < 0.001

    def test_deviations(self, client: Client, feed: Feed) -> None:
        feed.event("order", "OrderPlaced", "order", 60)
        feed.event("order", "Surprise", "order", 59)
        feed.read()
        deviation = client.get("/api/transactions/order").json()["deviations"][0]
        assert deviation == {
            "kind": "unexpected",
            "sentence": "Surprise is no event of order-fulfilment.",
            "event": "order/Surprise",
        }

    def test_what_is_doubtful(self, client: Client, feed: Feed) -> None:
        feed.event("order", "OrderPlaced", "order", 60)
        feed.event("order", "PaymentAuthorized", "payment", 63, ["OrderPlaced"])
        feed.event("order", "StockReserved", "inventory", 50, ["Lost"])
        feed.read()
        answer = client.get("/api/transactions/order").json()
        assert [edge["skewed"] for edge in answer["edges"] if edge["basis"] == "explicit"] == [True]
        assert answer["clocks"] == [{"service": "payment", "ahead_ms": 0, "behind_ms": 3000}]
        assert answer["missing_causes"] == [
            {"event": "order/StockReserved", "source": "/services/inventory", "cause": "order/Lost"}
        ]
        assert answer["conforms"] is False, "shipping is overdue"

    @pytest.mark.parametrize("hostile", ["a/b/c", "ä ö?&#", "<b>", "line\nbreak", "to/abandon"])
    def test_any_id(self, client: Client, feed: Feed, hostile: str) -> None:
        feed.raw(*cloud_event("OrderPlaced", hostile, "1", time=feed.now), value=b"{}")
        feed.read()
        assert client.get(f"/api/transactions/{quote(hostile, safe='')}").json()["id"] == hostile

    def test_none(self, client: Client) -> None:
        response = client.get("/api/transactions/nobody")
        assert response.status_code == 404
        assert response.json()["error"].startswith("There is no transaction 'nobody'")


class TestAbandon:
    def test_closes_what_will_never_progress(self, operator: Client, feed: Feed) -> None:
        feed.order("order", steps=2, ago=60)
        feed.read()
        answer = operator.post("/api/transactions/order/abandon", {"reason": "The customer called."}, JSON)
        assert answer.status_code == 200
        found = answer.json()
        assert (found["status"], found["ended_by"], found["waiting_for"]) == ("abandoned", "person", [])
        assert (found["abandoned"]["by"], found["abandoned"]["reason"]) == ("ada", "The customer called.")
        assert found["transitions"][-1]["kind"] == "abandoned"

    def test_only_what_is_open(self, operator: Client, feed: Feed) -> None:
        feed.order("order", ago=60)
        feed.read()
        answer = operator.post("/api/transactions/order/abandon", {"reason": "Why not?"}, JSON)
        assert answer.status_code == 409
        assert answer.json() == {"error": "It is completed already; only open ones can be closed."}

    @pytest.mark.parametrize(
        ("path", "body", "kind", "status", "said"),
        [
            ("nobody", '{"reason": "x"}', JSON, 404, "There is no transaction 'nobody'"),
            ("order", '{"reason": ""}', JSON, 400, "'reason': "),
            ("order", "{}", JSON, 400, "'reason': Field required"),
            ("order", '{"reason": "x"}', "text/plain", 415, "Send it as Content-Type: application/json."),
        ],
    )
    def test_refuses(
        self, operator: Client, feed: Feed, path: str, body: str, kind: str, status: int, said: str
    ) -> None:
        feed.order("order", steps=2, ago=60)
        feed.read()
        answer = operator.post(f"/api/transactions/{path}/abandon", body, kind)
        assert (answer.status_code, answer.json()["error"][: len(said)]) == (status, said)
        assert operator.get("/api/transactions/order").json()["phase"] == "running"


def test_choreographies(client: Client, feed: Feed, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    feed.order("good", ago=20)
    feed.order("odd", ago=60)
    feed.event("odd", "Surprise", "order", 59)
    feed.order("stuck", steps=2, ago=60)
    feed.event("other", "Viewed", "shop", 30)
    feed.read()
    with django_assert_num_queries(2):
        answer = client.get("/api/choreographies").json()
    viewed, order = sorted(answer["items"], key=lambda item: item["declared"])
    assert (viewed["name"], viewed["in_flight"], viewed["conformance"]) == ("Viewed", 1, None)
    assert order == {
        "name": "order-fulfilment",
        "declared": True,
        "in_flight": 1,
        "started": 3,
        "completed": 2,
        "failed": 0,
        "compensated": 0,
        "abandoned": 0,
        "became_stuck": 1,
        "deviating": 1,
        "conformance": 0.5,
    }
    assert client.get("/api/choreographies?since=never").status_code == 400


def test_alerts(client: Client, feed: Feed, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for number in range(3):
        feed.order(f"stuck-{number}", steps=2, ago=60)
    feed.read()
    with django_assert_num_queries(1):
        answer = client.get("/api/alerts").json()
    alert = answer["items"][0]
    assert alert["sentence"] == "3 transactions wait for StockReserved from inventory"
    assert (alert["state"], alert["count"], alert["service"]) == ("open", 3, "inventory")
    assert client.get("/api/alerts?state=resolved").json() == {"items": [], "next": None}
    assert "'state' is 'odd'" in client.get("/api/alerts?state=odd").json()["error"]
    assert Alert.objects.count() == 1


class TestIngestion:
    def test_all_is_well(self, client: Client, feed: Feed, django_assert_num_queries: DjangoAssertNumQueries) -> None:
        feed.order("order", ago=20)
        feed.raw(value=b"{no")
        feed.read()
        with django_assert_num_queries(8):
            answer = client.get("/api/ingestion").json()
        assert (answer["state"], answer["since"], answer["troubles"], answer["muted"]) == ("live", None, [], [])
        partition = answer["partitions"][0]
        assert (partition["topic"], partition["progress"], partition["end"], partition["lag"]) == ("orders", 8, 8, 0)
        assert (partition["held"], partition["unreadable_since"]) == (False, None)
        watermark = answer["watermarks"][0]
        assert (watermark["topic"], watermark["state"]) == ("orders", "read")
        assert 0 <= watermark["age_seconds"] < 10
        assert answer["undecodable"] == 1
        collector = answer["collectors"][0]
        assert (collector["name"], collector["alive"], collector["events_per_second"]) == ("test", True, 4.0)
        assert answer["events_per_second"] == 4.0

    def test_what_is_wrong_and_what_it_mutes(self, client: Client, feed: Feed) -> None:
        feed.order("order", steps=1, ago=20)
        feed.read()
        an_hour_ago = feed.ago(3600)
        Topic.objects.filter(pk=feed.topic.row).update(watermark=an_hour_ago)
        End.objects.filter(topic=feed.topic.row).update(end_offset=9, stable_offset=1)
        answer = client.get("/api/ingestion").json()
        assert answer["state"] == "live"
        assert [(trouble["kind"], trouble["subject"]) for trouble in answer["troubles"]] == [("topic_held", "orders")]
        assert parse_datetime(answer["troubles"][0]["since"]) == an_hour_ago.replace(
            microsecond=an_hour_ago.microsecond // 1000 * 1000
        )
        assert answer["behind_seconds"] is None
        assert answer["partitions"][0]["held"]
        assert {(entry["awaited"], entry["service"], entry["count"]) for entry in answer["muted"]} >= {
            ("StockReserved", "inventory", 1)
        }


def test_documentation_loads_nothing_from_outside(client: Client) -> None:
    page = client.get("/api/docs").content.decode()
    assert "/static/ninja/swagger-ui" in page
    assert "https://" not in page
    paths = client.get("/api/openapi.json").json()["paths"]
    assert {"/api/transactions", "/api/transactions/{transaction_id}", "/api/alerts", "/api/ingestion"} <= set(paths)
    parameters = {entry["name"] for entry in paths["/api/transactions"]["get"]["parameters"]}
    assert {"status", "phase", "q", "since", "until", "waiting_for", "awaited_from", "cursor", "limit"} <= parameters
