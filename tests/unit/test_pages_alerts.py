"""The pages of one alert, of channels and of silences; what strangers see of them, and what operators do there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from collector.models import Transaction
from dashboard.alerts.models import Alert, Silence
from dashboard.notifying.models import Channel, Delivery
from dashboard.pages.shared import shared
from tests.feeding import Feed

pytestmark = pytest.mark.django_db
SECRET = "https://hooks.example.com/services/T0/B0/do-not-show"


@pytest.fixture
def alert() -> Alert:
    shared.clear()
    feed = Feed()
    for name in ("<i>a", "b"):
        feed.order(name, steps=2, ago=60)
    feed.read()
    return Alert.objects.get()


def test_one_alert(client: Client, operator: Client, alert: Alert) -> None:
    page = client.get(f"/alerts/{alert.pk}").content.decode()
    assert "2 transactions wait for StockReserved from inventory" in page
    assert "&lt;i&gt;a" in page
    assert "team-warehouse" in page
    assert 'value="acknowledge"' not in page, "strangers are not offered what they may not do"
    assert 'value="acknowledge"' in operator.get(f"/alerts/{alert.pk}").content.decode()
    assert client.get("/alerts/4711").status_code == 404


def test_deeds_on_many(operator: Client, alert: Alert) -> None:
    def do(deed: str, **given: str) -> Alert:
        answer = operator.post("/alerts/act", {"alert": [alert.pk, "x"], "deed": deed, **given})
        assert answer.headers["Location"] == (f"/alerts/{alert.pk}" if "back" in given else "/alerts")
        return Alert.objects.get()

    assert do("acknowledge", reason="Mine.").state == "acknowledged"
    snoozed = do("snooze", minutes="15", back=str(alert.pk))
    assert snoozed.snoozed_until
    assert snoozed.snoozed_until <= timezone.now() + timedelta(minutes=15)
    do("abandon")
    assert not Transaction.objects.filter(phase="abandoned").exists(), "not without a reason"
    do("abandon", reason="The warehouse burnt down.")
    assert set(Transaction.objects.values_list("phase", "abandoned_by")) == {("abandoned", "ada")}
    log = operator.get(f"/alerts/{alert.pk}").content.decode()
    assert "<b>Acknowledged</b> by ada: Mine." in log


def test_channels_never_show_their_address_again(operator: Client, client: Client) -> None:
    page = operator.post("/channels/add", {"name": "ops", "kind": "webhook", "address": SECRET}).content.decode()
    channel = Channel.objects.get()
    assert "It is not shown again" in page
    assert "do-not-show" not in page
    later = operator.get("/channels").content.decode()
    assert "https://hooks.example.com/…" in later
    assert "It is not shown again" not in later
    assert "do-not-show" not in later + client.get("/channels").content.decode()
    refused = operator.post("/channels/add", {"name": "ops", "kind": "webhook", "address": SECRET})
    assert (refused.status_code, "There is a channel named ops already." in refused.content.decode()) == (400, True)
    operator.post(f"/channels/{channel.pk}", {"deed": "test"})
    assert Delivery.objects.get().text == "ada tries out this channel.\n"
    operator.post(f"/channels/{channel.pk}", {"deed": "disable"})
    assert "Disabled by ada." in operator.get("/channels").content.decode()
    operator.post(f"/channels/{channel.pk}", {"deed": "enable"})
    assert Channel.objects.get().enabled
    operator.post(f"/channels/{channel.pk}", {"deed": "remove"})
    assert not Channel.objects.exists()


def test_silences(operator: Client) -> None:
    given = {"service": "payment", "reason": "Maintenance.", "minutes": "240"}
    operator.post("/silences/add", given)
    assert "service payment" in operator.get("/channels").content.decode()
    operator.post(f"/silences/{Silence.objects.get().pk}/end")
    assert "None is in force." in operator.get("/channels").content.decode()
    assert operator.post("/silences/add", {**given, "service": ""}).status_code == 400
