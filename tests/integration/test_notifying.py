"""Who is told of what, how often and in which words: by a real web server and a real mail server."""

from __future__ import annotations

import hashlib
import hmac
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from unittest import mock

import psycopg
import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from collector.correlation.verdicts import Verdict
from collector.models import Heartbeat, Overdue
from dashboard.alerts import lifecycle
from dashboard.alerts.models import Alert
from dashboard.alerts.process import process
from dashboard.notifying import channels, explaining, heartbeat, outlets, sending
from dashboard.notifying.models import Channel, Delivery, Notice
from tests.feeding import Feed, calm
from tests.stack.receiving import Mailbox, Web, mail_server, web_server
from tests.stack.waiting import poll_until

pytestmark = pytest.mark.django_db
READ = "payment (group payment-service) has read it and published nothing."
CONFIG = """
limits: {{grace: 500ms}}
services: {{payment: {{owner: team-payments, contact: "#payments", runbook: "https://runbooks.example.com/payment"}}}}
alerts:
  group_wait: 0s
  update_every: 0s
  link: https://choreoscope.example.com
{more}
choreographies:
  order:
    starts: [OrderPlaced]
    completes: [OrderCompleted]
    rules:
      - {{after: OrderPlaced, expect: [PaymentAuthorized, PaymentDeclined], from: payment, within: 5s}}
      - {{after: PaymentAuthorized, expect: ShipmentScheduled, from: shipping, within: 5s}}
"""


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as server:
        yield server


@pytest.fixture
def mail() -> Iterator[Mailbox]:
    with mail_server() as server:
        yield server


@pytest.fixture(autouse=True)
def verdict() -> Iterator[None]:
    """Kafka says that payment has read it."""
    with mock.patch.object(explaining.queries, "consumers", return_value=[Verdict("read", READ)]):
        yield


@pytest.fixture
def configure(settings: Settings, tmp_path: Path) -> Callable[..., None]:
    def write(more: str = "", allow: str = "127.0.0.0/8") -> None:
        settings.CHOREOSCOPE_CONFIG = tmp_path / f"{len(list(tmp_path.iterdir()))}.yaml"
        settings.CHOREOSCOPE_CONFIG.write_text(CONFIG.format(more=f"  allow: [{allow}]\n{more}"))

    write()
    return write


@pytest.fixture
def feed(configure: Callable[..., None]) -> Feed:
    return Feed()


def place(feed: Feed, *names: str) -> None:
    for name in names:
        feed.event(name, "OrderPlaced", "order", 60)
    feed.read()


def pay(feed: Feed, *names: str) -> None:
    for name in names:
        feed.event(name, "PaymentDeclined", "payment", 1, ["OrderPlaced"])
        feed.event(name, "OrderCompleted", "order", 0.5, ["PaymentDeclined"])
    feed.read()
    calm()


def hook(web: Web, name: str = "hook") -> tuple[Channel, str]:
    return channels.create(name, "webhook", web.url)


def kinds(web: Web) -> list[str]:
    return [request.event["type"].removeprefix("choreoscope.alert.") for request in web.got]


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


def test_what_is_refused_is_tried_again_with_the_same_id_and_what_follows_waits(feed: Feed, web: Web) -> None:
    channel, _ = hook(web)
    web.answers = [503, 429]
    place(feed, "a")
    sending.deliver()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.error) == ("waiting", 1, "It answered with status 503.")
    assert delivery.next_at > timezone.now() + timedelta(seconds=1)
    pay(feed, "a")
    sending.deliver()
    assert len(web.got) == 1, "what came later waits behind it"
    channel.refresh_from_db()
    assert (channel.enabled, channel.trouble) == (True, "Tried again later: It answered with status 503.")
    for _ in range(2):
        Delivery.objects.filter(state="waiting").update(next_at=timezone.now())
        sending.deliver()
    assert kinds(web) == ["raised", "raised", "raised", "recovered"]
    assert len({request.headers["Choreoscope-Delivery"] for request in web.got[:3]}) == 1
    channel.refresh_from_db()
    assert channel.trouble == ""


def test_a_refusal_for_good_disables_the_channel_and_says_why(feed: Feed, web: Web) -> None:
    channel, _ = hook(web)
    web.answers = [410]
    place(feed, "a")
    sending.deliver()
    channel.refresh_from_db()
    assert (channel.enabled, channel.trouble) == (False, "It answered with status 410.")
    pay(feed, "a")
    sending.deliver()
    assert kinds(web) == ["raised"]
    channels.enable(channel)
    sending.deliver()
    assert kinds(web) == ["raised", "recovered"], "what came meanwhile is not lost"


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


def test_a_worker_that_dies_after_sending_sends_again_with_the_same_id(feed: Feed, web: Web) -> None:
    hook(web)
    place(feed, "a")

    class Killed(BaseException):
        pass

    def dying(*arguments: object, **named: object) -> None:
        outlets_send(*arguments, **named)  # type: ignore[arg-type]
        raise Killed

    outlets_send = outlets.send
    with mock.patch.object(outlets, "send", dying), pytest.raises(Killed):
        sending.deliver()
    sending.deliver()
    sending.deliver()
    assert [request.headers["Choreoscope-Delivery"] for request in web.got] == [str(Delivery.objects.get().uid)] * 2


@pytest.fixture
def other_worker() -> Iterator[psycopg.Connection]:
    """A session of another worker's."""
    found = connection.get_connection_params()
    given = {name: found[name] for name in ("dbname", "host", "port", "user", "password") if found.get(name)}
    with psycopg.connect(**given) as session:
        yield session


def held_by(session: psycopg.Connection, seconds: float = 30) -> None:
    Channel.objects.update(leased_until=timezone.now() + timedelta(seconds=seconds), leased_by=session.info.backend_pid)


def test_nobody_else_sends_through_a_channel_meanwhile(feed: Feed, web: Web, other_worker: psycopg.Connection) -> None:
    hook(web)
    place(feed, "a")
    held_by(other_worker)
    assert sending.deliver() == 0
    held_by(other_worker, seconds=-1)
    assert sending.deliver() == 1


def test_a_worker_whose_session_has_ended_holds_nothing(feed: Feed, web: Web, other_worker: psycopg.Connection) -> None:
    hook(web)
    place(feed, "a")
    held_by(other_worker)
    other_worker.close()

    def delivered() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # within a database transaction, as tests are
        return sending.deliver()

    assert poll_until(delivered, 10, "the channel to be free") == 1


def test_a_worker_that_was_frozen_leaves_the_rest_to_who_took_over(
    feed: Feed, web: Web, other_worker: psycopg.Connection, configure: Callable[..., None]
) -> None:
    hook(web)
    channel = Channel.objects.get()
    now = timezone.now()
    common = {"channel": channel, "kind": "test", "content": {}, "created_at": now, "next_at": now}
    Delivery.objects.bulk_create(Delivery(title=f"{n}", text="", **common) for n in range(3))

    def taken_over(*arguments: object) -> None:
        outlets_send(*arguments)  # type: ignore[arg-type]
        held_by(other_worker)

    outlets_send = outlets.send
    with mock.patch.object(outlets, "send", taken_over):
        assert sending.deliver() == 1
    assert len(web.got) == 1
    channel.refresh_from_db()
    assert channel.leased_by == other_worker.info.backend_pid, "what the other one holds is not let go"


@pytest.mark.parametrize("kind", ["webhook", "apprise"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
def test_own_networks_are_out_of_reach_unless_allowed(
    feed: Feed, web: Web, mail: Mailbox, kind: str, host: str, configure: Callable[..., None]
) -> None:
    configure(allow="10.0.0.0/8")
    address = web.url if kind == "webhook" else mail.url.replace("mailto://127.0.0.1", "mailto://localhost")
    if kind == "apprise" and host.startswith("["):
        pytest.skip("Apprise takes no such address")
    channel, _ = channels.create("inside", kind, address.replace("127.0.0.1", host))
    place(feed, "a")
    sending.deliver()
    channel.refresh_from_db()
    assert "It leads into a private network or to this machine" in channel.trouble
    assert (channel.enabled, web.got, mail.got) == (False, [], [])


def test_servers_that_do_not_answer_leave_threads_to_others(feed: Feed, web: Web) -> None:
    hook(web)
    place(feed, "a")
    senders = threading.BoundedSemaphore(1)
    with mock.patch.object(sending, "_senders", senders):
        with senders:
            assert sending.deliver() == 0
        assert sending.deliver() == 1
        assert sending.deliver() == 0
        assert senders.acquire(blocking=False), "who is done makes room"


def test_a_redirect_is_not_followed(feed: Feed, web: Web) -> None:
    channel, _ = hook(web)
    web.answers, web.location = [302], "http://169.254.169.254/latest/meta-data"
    place(feed, "a")
    sending.deliver()
    channel.refresh_from_db()
    assert (channel.enabled, len(web.got)) == (False, 1)


def test_addresses_are_stored_encrypted_and_never_logged(
    feed: Feed, web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    web.answers = [500]
    channel, secret = hook(web)
    place(feed, "a")
    sending.deliver()
    stored = bytes(channel.address) + bytes(channel.secret)
    assert b"do-not-show" not in stored
    assert secret.encode() not in stored
    assert channels.address_of(channel) == web.url
    assert "do-not-show" not in caplog.text + channel.shown
    assert secret not in caplog.text


@pytest.mark.parametrize(
    ("kind", "address", "complaint"),
    [
        ("webhook", "ftp://example.com", "begins with https://"),
        ("webhook", "https://user:word@example.com", "without a password"),
        ("apprise", "nothing://x", "Apprise knows no such address"),
        ("apprise", "syslog://", "Apprise knows no such address"),
        ("pigeon", "https://example.com", "a webhook, or an address for Apprise"),
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(kind: str, address: str, complaint: str) -> None:
    with pytest.raises(channels.Unusable, match=complaint) as raised:
        channels.create("x", kind, address)
    assert address not in str(raised.value)


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
