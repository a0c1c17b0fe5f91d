"""Alerts through the API: one in full, what people do with it, silences."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from dashboard.alerts.models import Alert
from dashboard.notifying import channels
from dashboard.pages.shared import shared
from tests.feeding import Feed

pytestmark = pytest.mark.django_db
JSON = "application/json"


@pytest.fixture
def alert() -> Alert:
    shared.clear()
    feed = Feed()
    for name in ("a", "b"):
        feed.order(name, steps=2, ago=60)
    feed.read()
    return Alert.objects.get()


def test_one_alert_with_its_log_and_examples(client: Client, alert: Alert) -> None:
    found = client.get(f"/api/alerts/{alert.pk}").json()
    assert (found["sentence"], found["severity"]) == (alert.sentence, "warning")
    assert found["examples"] == ["a", "b"]
    assert [(entry["kind"], entry["who"]) for entry in found["log"]] == [("raised", "choreoscope")]
    assert client.get("/api/alerts/4711").json() == {"error": "There is no alert 4711."}


def test_what_people_do(operator: Client, alert: Alert) -> None:
    def do(deed: str, **given: object) -> dict[str, Any]:
        answer: dict[str, Any] = operator.post(f"/api/alerts/{alert.pk}/{deed}", given, JSON).json()
        return answer

    assert do("acknowledge", reason="Mine.")["state"] == "acknowledged"
    until = parse_datetime(do("snooze", minutes=5)["snoozed_until"])
    assert until
    assert timedelta(minutes=4) < until - timezone.now() <= timedelta(minutes=5)
    assert do("reopen")["state"] == "open"
    found = do("resolve", reason="Done.")
    assert found["state"] == "resolved"
    log = [(entry["kind"], entry["who"]) for entry in found["log"]]
    assert log[0] == ("raised", "choreoscope")
    assert log[1:] == [(kind, "ada") for kind in ("acknowledged", "snoozed", "taken back", "resolved")]
    assert do("acknowledge") == {"error": "It is resolved already."}
    assert "'minutes'" in do("snooze", minutes=0)["error"]
    assert operator.post(f"/api/alerts/{alert.pk}/resolve", "{}", "text/plain").status_code == 415
    assert operator.post("/api/alerts/4711/resolve", {}, JSON).status_code == 404


def test_silences(operator: Client, alert: Alert) -> None:
    made = operator.post("/api/silences", {"service": "inv*", "reason": "Maintenance.", "minutes": 30}, JSON).json()
    assert [silence["who"] for silence in operator.get("/api/silences").json()["items"]] == ["ada"]
    assert operator.post(f"/api/silences/{made['id']}/end", "", "text/plain").status_code == 415
    assert operator.post(f"/api/silences/{made['id']}/end", {}, JSON).status_code == 200
    assert operator.get("/api/silences").json()["items"] == []
    assert (
        operator.post("/api/silences", '{"service": "a", "reason": "b", "minutes": 1}', "text/plain").status_code == 415
    )
    refused = operator.post("/api/silences", {"reason": "Maintenance.", "minutes": 30}, JSON)
    assert (refused.status_code, refused.json()["error"][:19]) == (400, "Say what to silence")


def test_channels_and_trying_one_out(operator: Client) -> None:
    channel, secret = channels.create("ops", "webhook", "https://hooks.example.com/services/do-not-show")
    (found,) = operator.get("/api/channels").json()["items"]
    assert (found["name"], found["leads_to"], found["last_delivery"]) == ("ops", "https://hooks.example.com/…", None)
    tried = operator.post(f"/api/channels/{channel.pk}/test", {}, JSON).json()
    assert (tried["last_delivery"]["kind"], tried["last_delivery"]["state"]) == ("test", "waiting")
    answer = operator.get("/api/channels").content.decode()
    assert tried["last_delivery"]["id"] in answer
    assert secret not in answer
    assert "do-not-show" not in answer
    assert operator.post(f"/api/channels/{channel.pk}/test", "{}", "text/plain").status_code == 415
    assert operator.post("/api/channels/4711/test", {}, JSON).json() == {"error": "There is no channel 4711."}
