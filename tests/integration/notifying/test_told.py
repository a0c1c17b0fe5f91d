"""What is told of an alert, to whom, and what is not."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from collector.models import Heartbeat, Overdue
from dashboard.alerts import lifecycle
from dashboard.alerts.models import Alert
from dashboard.alerts.process import process
from dashboard.notifying import channels, heartbeat, sending
from dashboard.notifying.models import Delivery, Notice
from tests.feeding import Feed
from tests.integration.notifying.steps import READ, hook, kinds, pay, place
from tests.stack.receiving import Mailbox, Web

pytestmark = pytest.mark.django_db


def test_a_silent_payment_is_told_of_once_and_once_that_it_is_over(feed: Feed, web: Web, mail: Mailbox) -> None:
    _, secret = hook(web)
    channels.create("mail", "apprise", mail.url)
    place(feed, "a", "b", "c")
    sending.deliver()
    sending.deliver()
    pay(feed, "a", "b", "c")
    sending.deliver()
    assert kinds(web) == ["raised", "recovered"]
    raised, recovered = (request.event for request in web.got)
    sentence = "3 transactions wait for PaymentAuthorized or PaymentDeclined from payment"
    assert (raised["data"]["sentence"], raised["data"]["verdict"]) == (sentence, READ)
    assert raised["data"]["owner"] == "team-payments"
    assert raised["data"]["link"] == f"https://choreoscope.example.com/alerts/{Alert.objects.get().pk}"
    assert {example["transaction"] for example in raised["data"]["examples"]} == {"a", "b", "c"}
    assert recovered["data"]["sentence"] == sentence.replace("wait", "waited")
    for request in web.got:
        said = request.headers["Choreoscope-Timestamp"].encode() + b"." + request.body
        expected = hmac.new(secret.encode(), said, hashlib.sha256).hexdigest()
        assert request.headers["Choreoscope-Signature"] == f"sha256={expected}"
        assert request.headers["Choreoscope-Delivery"] == request.event["id"]
    assert mail.got[0]["Subject"] == f"[warning] {sentence}"
    text = mail.got[0].get_body(("plain",)).get_content()  # type: ignore[attr-defined]
    for part in (f"{sentence}.", READ, "team-payments, #payments", "Runbook: https://runbooks.example.com/payment"):
        assert part in text
    assert str(mail.got[1]["Subject"]).startswith("Recovered after ")
    assert len(mail.got) == 2


def test_it_is_told_again_when_it_doubles_or_grows_grave(feed: Feed, web: Web) -> None:
    hook(web)
    place(feed, "a")
    sending.deliver()
    place(feed, "b")
    sending.deliver()
    assert kinds(web) == ["raised", "updated"]
    Alert.objects.update(count=100, severity="critical")
    since = timezone.now()
    Overdue.objects.bulk_create(
        Overdue(transaction=n, since=since, choreography="order", service="payment",
                awaited="PaymentAuthorized or PaymentDeclined")
        for n in range(1000, 1100)
    )  # fmt: skip
    process()
    sending.deliver()
    assert kinds(web)[2:] == ["escalated"]
    assert web.got[-1].event["data"]["severity"] == "critical"


def test_what_grew_before_it_was_said_is_no_news(feed: Feed, web: Web) -> None:
    hook(web)
    place(feed, "a")
    Alert.objects.update(count=50)  # by the time that it is packed
    sending.deliver()
    assert web.got[0].event["data"]["count"] == 50
    place(feed, "b", "c", "d")
    sending.deliver()
    assert kinds(web) == ["raised"]


def test_nobody_is_told_of_what_is_acknowledged_snoozed_or_silenced(feed: Feed, web: Web) -> None:
    hook(web)
    later = timezone.now() + timedelta(hours=1)
    silence = lifecycle.silence({"service": "payment"}, "ada", "Maintenance.", later)
    place(feed, "a")
    sending.deliver()
    assert web.got == []
    lifecycle.end_silence(silence.pk, "ada")
    process()
    sending.deliver()
    assert kinds(web) == ["raised"], "what is still there when the silence ends is told of"
    lifecycle.acknowledge([Alert.objects.get().pk], "ada")
    place(feed, "b", "c", "d")
    lifecycle.snooze([Alert.objects.get().pk], "ada", later)
    place(feed, "e", "f", "g", "h", "i")
    sending.deliver()
    assert kinds(web) == ["raised"]
    pay(feed, *"abcdefghi")
    sending.deliver()
    assert kinds(web) == ["raised", "recovered"]


def test_many_at_once_are_one_digest(feed: Feed, web: Web, configure: Callable[..., None]) -> None:
    configure("  most_per_minute: 3\n  group_by: [kind, choreography, service]")
    hook(web)
    since = timezone.now() - timedelta(seconds=9)
    Overdue.objects.bulk_create(
        Overdue(transaction=n, since=since, choreography="order", service=f"service-{n}", awaited="Answer")
        for n in range(50)
    )
    process()
    Alert.objects.update(explained_at=timezone.now())
    sending.deliver()
    assert kinds(web) == ["digest"]
    assert len(web.got[0].event["data"]["alerts"]) == 50
    assert Delivery.objects.get().title == "50 alerts: 50 raised"
    Alert.objects.update(announced_severity="info")
    for _ in range(4):
        process()
        Alert.objects.update(announced_severity="info")
        sending.deliver()
    assert len(web.got) == 3, "no more than three a minute"


def test_what_belongs_to_one_service_goes_together(feed: Feed, web: Web) -> None:
    hook(web)
    since = timezone.now()
    for awaited in ("A", "B"):
        Overdue.objects.create(transaction=1, since=since, choreography="order", service="payment", awaited=awaited)
    Overdue.objects.create(transaction=1, since=since, choreography="order", service="shipping", awaited="C")
    process()
    Alert.objects.update(explained_at=timezone.now())
    sending.deliver()
    assert kinds(web) == ["digest", "raised"]


def test_what_came_and_went_before_anybody_was_told_is_not_told(feed: Feed, web: Web) -> None:
    hook(web)
    place(feed, "a")
    pay(feed, "a")
    assert list(Notice.objects.values_list("kind", flat=True)) == ["raised", "recovered"]
    sending.deliver()
    assert web.got == []


def test_routes_and_quiet_hours(feed: Feed, web: Web, configure: Callable[..., None]) -> None:
    now = timezone.now()
    hours = f'{{from: "{now - timedelta(hours=1):%H:%M}", to: "{now + timedelta(hours=1):%H:%M}"}}'
    configure(f"  quiet_hours: [{hours}]\n  routes: [{{owner: team-payments, to: hook}}]")
    hook(web)
    hook(web, "other")
    place(feed, "a")
    sending.deliver()
    assert web.got == []
    configure("  routes: [{owner: team-payments, to: hook}]")
    process()
    sending.deliver()
    assert kinds(web) == ["raised"], "one channel only, after the quiet hours"


def test_templates_can_be_overridden(feed: Feed, web: Web, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "notifications").mkdir()
    (tmp_path / "notifications" / "title.txt").write_text("Ours: {{ alert.service }}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    hook(web)
    place(feed, "a")
    sending.deliver()
    assert Delivery.objects.get().title == "Ours: payment"


def test_the_dead_mans_switch_is_called_while_all_is_well(feed: Feed, web: Web, configure: Callable[..., None]) -> None:
    place(feed, "a")
    assert not heartbeat.ping(), "off where no address is given"
    configure(f"  heartbeat: http://127.0.0.1:{web.port}/alive?x=1\n  heartbeat_every: 1h")
    assert heartbeat.ping()
    assert not heartbeat.ping(), "not yet again"
    assert [request.path for request in web.got] == ["/alive?x=1"]
    Heartbeat.objects.filter(name="dead-man").delete()
    Heartbeat.objects.filter(name="sweep").update(at=timezone.now() - timedelta(minutes=1))
    assert not heartbeat.ping(), "deadlines are not checked"
    assert len(web.got) == 1
