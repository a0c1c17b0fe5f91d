"""What was mined, through the API: as a plain count of the log has it, and as logs that others can read."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client
from pytest_django import DjangoAssertNumQueries, Settings

from collector import miner
from collector.correlation.choreography import RuleBook
from collector.models import Event
from tests.builders import cloud_event
from tests.feeding import HAPPY, Feed
from tests.mining_api import compare, get, ways
from tests.mining_logs import Plain, Store, log

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("day_tables")]


@pytest.fixture
def feed() -> Feed:
    return Feed()


def downloaded(path: str) -> str:
    async def read() -> bytes:
        answer = await AsyncClient().get(f"/api/choreographies/{path}")
        assert answer.status_code == 200
        assert "attachment" in answer["Content-Disposition"]
        return b"".join([piece async for piece in answer.streaming_content])

    return async_to_sync(read)().decode()


def test_a_random_log_agrees_with_a_plain_count(client: Client) -> None:
    events = log(31, 250)
    site = Store()
    site.write_all(events, 32)
    miner.mine(RuleBook(()))
    plain = Plain.of(events, site.places)
    compare(get(client, "_all"), plain)
    for name in plain.names:
        compare(get(client, quote(name)), plain.named(name))
    assert ways(client) == plain.variants


@pytest.mark.parametrize("kind", ["csv", "xes", "ocel"])
def test_exports_hold_the_same_log_in_event_order(kind: str) -> None:
    events = log(33, 120)
    site = Store()
    site.write_all(events, 34)
    miner.mine(RuleBook(()))
    plain = Plain.of(events, site.places)
    assert read(kind, downloaded(f"_all/export?format={kind}")) == {
        case: [(event.type, event.time.timestamp()) for event in found] for case, found in plain.cases.items()
    }
    started = plain.named("Started")
    assert read(kind, downloaded(f"Started/export?format={kind}")).keys() == started.cases.keys()


def read(kind: str, text: str) -> dict[str, list[tuple[str, float]]]:
    """The types and times of each case's events, in the order of the log."""
    found: dict[str, list[tuple[str, float]]] = {}
    if kind == "csv":
        for row in csv.DictReader(io.StringIO(text, newline="")):
            moment = datetime.fromisoformat(row["time:timestamp"]).timestamp()
            found.setdefault(row["case:concept:name"], []).append((row["concept:name"], moment))
    elif kind == "xes":
        for trace in ET.fromstring(text).iter("trace"):
            name = next(entry.get("value", "") for entry in trace if entry.get("key") == "concept:name")
            for event in trace.iter("event"):
                named = {entry.get("key"): entry.get("value", "") for entry in event}
                moment = datetime.fromisoformat(named["time:timestamp"]).timestamp()
                found.setdefault(name, []).append((named["concept:name"], moment))
    else:
        log = json.loads(text)
        assert {entry["id"] for entry in log["objects"]} == {e["relationships"][0]["objectId"] for e in log["events"]}
        assert {entry["type"] for entry in log["events"]} == {entry["name"] for entry in log["eventTypes"]}
        assert {entry["type"] for entry in log["objects"]} == {entry["name"] for entry in log["objectTypes"]}
        assert len({entry["id"] for entry in log["events"]}) == len(log["events"])
        for entry in log["events"]:
            moment = datetime.fromisoformat(entry["time"]).timestamp()
            found.setdefault(entry["relationships"][0]["objectId"], []).append((entry["type"], moment))
    return found


def test_hostile_names_stay_text_in_every_format(feed: Feed) -> None:
    nasty = '=1+1"<&]]>\u0001\u2028,\n'
    feed.raw(*cloud_event(nasty, nasty, "1", time=feed.now), value=b"{}")
    feed.read()
    miner.mine(feed.rulebook)
    rows = list(csv.DictReader(io.StringIO(downloaded("_all/export?format=csv"), newline="")))
    assert rows[0]["concept:name"].startswith("'=1+1")
    trace = ET.fromstring(downloaded("_all/export?format=xes")).find("trace")
    assert trace is not None
    assert '=1+1"<&]]>' in (trace[0].get("value") or "")
    assert json.loads(downloaded("_all/export?format=ocel"))["events"][0]["type"] == Event.objects.get().type


def test_rules_are_found_in_settled_transactions_without_a_declaration(
    client: Client,
    feed: Feed,
    tmp_path: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    settings.CHOREOSCOPE_CONFIG = tmp_path / "none.yaml"
    settings.CHOREOSCOPE_CONFIG.write_text("{}")
    for number in range(30):
        feed.order(f"order-{number}", ago=200 + number)
    for number in range(5):
        feed.order(f"under way {number}", steps=1, ago=5)  # it may yet be answered: nothing is learned from it
    feed.read()
    miner.mine(feed.rulebook)
    with django_assert_num_queries(14):
        answer = get(client, "OrderPlaced/rules")
    assert answer["transactions"] == 30
    assert answer["ends"] == {"OrderCompleted": 1.0}
    found = {(*rule["after"], "→", *rule["expect"]): rule for rule in answer["rules"]}
    assert found.keys() == {
        ("OrderPlaced", "→", "PaymentAuthorized"),
        ("OrderPlaced", "→", "StockReserved"),
        ("PaymentAuthorized", "StockReserved", "→", "ShipmentScheduled"),
        ("ShipmentScheduled", "→", "CustomerNotified"),
        ("ShipmentScheduled", "→", "ShipmentDispatched"),
        ("CustomerNotified", "ShipmentDispatched", "→", "OrderCompleted"),
    }
    join = found["PaymentAuthorized", "StockReserved", "→", "ShipmentScheduled"]
    assert (join["support"], join["confidence"], join["basis"]) == (30, 1.0, "causes")
    assert join["p50_ms"] == pytest.approx(500, rel=0.01)
    assert join["deadline_ms"] == pytest.approx(1500, rel=0.01)
    with monkeypatch.context() as patch:
        patch.setattr("collector.queries.responding.MOST_EVENTS", 25 * len(HAPPY))
        assert get(client, "OrderPlaced/rules")["transactions"] == 25
    for number in range(10):
        feed.order(f"silent {number}", steps=1, ago=300)  # nothing has come of it for long
    feed.read()
    miner.mine(feed.rulebook)
    assert ("OrderPlaced", "→", "StockReserved") not in {
        (*rule["after"], "→", *rule["expect"]) for rule in get(client, "OrderPlaced/rules")["rules"]
    }


def test_a_range_and_a_status_narrow_map_variants_and_export(client: Client, feed: Feed) -> None:
    feed.order("old", ago=4 * 3600)
    feed.order("young")
    feed.order("stuck", steps=1, ago=120)
    feed.read()
    miner.mine(feed.rulebook)
    assert get(client, "order-fulfilment")["transactions"] == 3
    narrowed = {"since": "2h", "status": "completed"}
    answer = get(client, "order-fulfilment", **narrowed)
    assert answer["transactions"] == 1
    assert answer["since"].endswith(":00:00Z")
    assert answer["until"] is None
    assert get(client, "order-fulfilment/variants", **narrowed)["items"][0]["types"] == [name for name, _, _ in HAPPY]
    assert read("csv", downloaded("order-fulfilment/export?format=csv&since=2h&status=completed")).keys() == {"young"}
    assert get(client, "order-fulfilment", status="stuck")["in_flight"] == 1


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("nobody", 404, "nobody"),
        ("nobody/variants", 404, "nobody"),
        ("nobody/rules", 404, "nobody"),
        ("_all?status=odd", 400, "status"),
        ("_all?since=yesterday", 400, "since"),
        ("_all/variants?cursor=odd", 400, "cursor"),
        ("_all/variants?limit=1000", 400, "limit"),
        ("_all/export?format=pdf", 400, "format"),
        ("_all/export", 400, "format"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(client: Client, path: str, status: int, says: str) -> None:
    answer = client.get(f"/api/choreographies/{path}")
    assert answer.status_code == status
    assert says in answer.json()["error"]


@pytest.mark.parametrize("count", [2, 20])
def test_the_cost_does_not_grow(
    client: Client, feed: Feed, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(count):
        feed.event(f"t{number}", f"Type{number}", "one", 10)
        feed.event(f"t{number}", f"Then{number}", "one", 5)
    feed.read()
    miner.mine(feed.rulebook)
    with django_assert_num_queries(1):
        get(client, "_all")
    with django_assert_num_queries(2):
        get(client, "_all/variants")
