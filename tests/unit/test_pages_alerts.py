"""The pages of one alert, of channels and of silences; what strangers see of them, and what operators do there."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from unittest import mock

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import strip_tags
from pytest_django import DjangoAssertNumQueries

from collector import config
from collector.correlation.buckets import bucket
from collector.correlation.traits import Common
from collector.models import Flow, Overdue, Transaction
from collector.queries import Comparison
from dashboard.accounts.roles import Role, add_user
from dashboard.alerts import log, wording
from dashboard.alerts.models import Alert, Silence
from dashboard.notifying import channels, messages
from dashboard.notifying.models import Channel, Delivery, Notice
from dashboard.pages import wording as wording_of_pages
from dashboard.pages.alert_story import story
from dashboard.pages.shared import shared
from tests.feeding import Feed
from tests.pages import text

pytestmark = pytest.mark.django_db
MOST_QUERIES = 40
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


def test_what_settles_is_said_in_the_past_and_when_it_closes(client: Client, alert: Alert) -> None:
    """Its cause is gone: nothing waits, nothing is red, and nobody has to do anything."""
    now = timezone.now()
    Alert.objects.update(severity="critical", count=0, peak=237, quiet_since=now, flaps=2, verdict="It has not read it")
    Overdue.objects.all().delete()
    Transaction.objects.all().delete()
    closes = wording_of_pages.clock(now + timedelta(seconds=40))
    for address in ("/", "/alerts", f"/alerts/{alert.pk}"):
        shared.clear()
        page = text(client.get(address))
        assert "237 transactions waited for StockReserved from inventory" in page, address
        assert "237 transactions wait " not in page
        assert "closes by itself" in page
        for red in ("alert-open", 'class="bad" href="/alerts/', "state-stuck", "note bad"):
            assert red not in page.split("<main", 1)[1].split("newest-title")[0], (address, red)
    said = strip_tags(text(client.get(f"/alerts/{alert.pk}")))
    assert f"closes by itself at {closes}, unless it comes back" in said
    assert "Why, as last known" in said
    silent = Alert.objects.create(kind="service_silent", service="inventory", since=now, opened_at=now, changed_at=now)
    Alert.objects.filter(pk=silent.pk).update(quiet_since=now, peak=2)
    Alert.objects.filter(pk=alert.pk).update(quiet_since=None, explained_by=silent)
    assert "closes by itself when nothing waits for it any more" in text(client.get(f"/alerts/{silent.pk}"))


@pytest.mark.parametrize(
    ("kind", "addresses"),
    [
        ("undecodable", ["/ingestion?list=undecodable#records-title"]),
        ("coverage", ["/ingestion?list=uncorrelated#records-title"]),
        ("ingestion_gap", ["/ingestion#gaps-title"]),
        ("deviating", ["/choreographies/%3Ci%3Eorder#conformance-title"]),
        ("slow", ["/choreographies/%3Ci%3Eorder#heat-title"]),
        ("failed", ["/transactions?status=failed&amp;choreography=%3Ci%3Eorder", "#variants-title"]),
        ("loop", ["/transactions?status=running&amp;choreography=%3Ci%3Eorder"]),
        ("service_silent", ["/services/payment", "fulfilment&amp;waiting_for=StockReserved"]),
        ("bus_held", ["/transactions?status=stuck"]),
    ],
)
def test_an_alert_leads_to_what_it_is_about(client: Client, alert: Alert, kind: str, addresses: list[str]) -> None:
    now = timezone.now()
    about = {"choreography": "<i>order"} if kind in ("deviating", "slow", "failed", "loop") else {}
    about |= {"service": "payment"} if kind == "service_silent" else {}
    one = Alert.objects.create(kind=kind, **about, count=5, peak=5, since=now, opened_at=now, changed_at=now)
    Alert.objects.filter(pk=alert.pk).update(explained_by=one)
    page = text(client.get(f"/alerts/{one.pk}"))
    links = re.findall('href="([^"]*)"', page.split("Look at", 1)[1].split("</dd>")[0])
    for address in addresses:
        found = [html.unescape(link) for link in links if link.endswith(address)]
        assert [client.get(link).status_code for link in found] in ([200], [404]), f"one link to {address}"


def test_of_a_choreography_all_are_named_who_may_be_called(client: Client, alert: Alert) -> None:
    now = timezone.now()
    about = {"count": 5, "peak": 5, "since": now, "opened_at": now, "changed_at": now}
    one = Alert.objects.create(kind="deviating", choreography="order-fulfilment", **about)
    page = strip_tags(text(client.get(f"/alerts/{one.pk}")))
    assert re.search(r"Whom to call.*for inventory: team-warehouse.*for payment: ", page, re.DOTALL)
    unknown = Alert.objects.create(kind="deviating", choreography="other", **about)
    assert "Whom to call" not in text(client.get(f"/alerts/{unknown.pk}"))


def test_strangers_are_told_that_logging_in_helps(client: Client, alert: Alert) -> None:
    def offered(who: Client) -> str:
        shared.clear()
        return text(who.get(f"/alerts/{alert.pk}"))

    login = f'<a href="/login?next=/alerts/{alert.pk}">Log in to acknowledge</a>'
    viewer = Client()
    viewer.force_login(add_user("ben", "a long enough word", Role.VIEWER))
    assert login not in offered(client), "where nobody may do more than they, it would lead nowhere"
    add_user("ada", "a long enough word", Role.OPERATOR)
    assert login in offered(client)
    assert login in text(client.get(f"/live/alert/{alert.pk}")), "it leads to the page, not to a part of it"
    assert "Operators can acknowledge it." in offered(viewer)
    Alert.objects.update(state="acknowledged")
    assert login not in offered(client)


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
    assert "say why" in operator.get("/alerts").content.decode()
    do("abandon", reason="The warehouse burnt down.")
    assert "2 transactions closed." in operator.get("/alerts").content.decode()
    assert set(Transaction.objects.values_list("phase", "abandoned_by")) == {("abandoned", "ada")}
    log = operator.get(f"/alerts/{alert.pk}").content.decode()
    assert "<b>Acknowledged</b> by ada: Mine." in log


def test_usual_and_now(client: Client, alert: Alert) -> None:
    shared.clear()
    answered = alert.since - timedelta(minutes=2)
    about = {"choreography": alert.choreography, "source_service": "order"}
    for after, name, service, count in (
        ("OrderPlaced", "StockReserved", "inventory", 9),
        ("OrderPlaced", "StockReserved", "warehouse", 100),
        ("OrderPlaced", "StockReleased", "inventory", 200),
        ("OrderChanged", "StockReserved", "inventory", 400),
    ):
        durations = {bucket(timedelta(seconds=0.4)): count}
        Flow.objects.create(
            bucket=answered, writer="test", **about, source_type=after, target_type=name, target_service=service,
            topic="stock", count=count, durations=durations,
        )  # fmt: skip
    found = client.get(f"/live/alert/{alert.pk}/drawings.json").json()
    header, rows = found["spread"]["table"]["header"], found["spread"]["table"]["rows"]
    assert header == ["How long", "Usually", "Now"]
    assert rows[0][1] == "half within 400 ms, 95% within 400 ms"
    assert re.fullmatch(r"2 waiting, longest 1 min \d\d s", rows[0][2])
    assert [row[1] for row in rows[1:] if row[1] != "0"] == ["9"], "answers of others do not count"
    assert [row[2] for row in found["course"]["table"]["rows"]] == ["", "raised"]
    page = client.get(f"/alerts/{alert.pk}").content.decode()
    assert f'height="{found["spread"]["height"]}"' in page, "its place is kept while it is drawn"


def test_when_it_is_over_what_was_answered_meanwhile_is_compared(client: Client, alert: Alert) -> None:
    resolved = alert.since + timedelta(minutes=1)
    Alert.objects.update(state="resolved", resolved_at=resolved)
    Flow.objects.create(
        bucket=alert.since + timedelta(seconds=20), writer="test", choreography=alert.choreography,
        source_type="OrderPlaced", source_service="order", target_type="StockReserved", target_service="inventory",
        topic="stock", count=2, durations={bucket(timedelta(seconds=48)): 2},
    )  # fmt: skip
    shared.clear()
    found = client.get(f"/live/alert/{alert.pk}/drawings.json").json()["spread"]["table"]
    assert (found["header"][2], found["rows"][0][2]) == ("Meanwhile", "half within 48 s, longest 48 s")


def test_what_was_usual_is_what_was_before_it_was_first_raised(client: Client, alert: Alert) -> None:
    shared.clear()
    for minutes, count in ((-2, 9), (10, 400)):
        Flow.objects.create(
            bucket=alert.since + timedelta(minutes=minutes), writer="test", choreography=alert.choreography,
            source_type="OrderPlaced", source_service="order", target_type="StockReserved", target_service="inventory",
            topic="stock", count=count, durations={bucket(timedelta(seconds=0.4)): count},
        )  # fmt: skip
    Alert.objects.update(since=alert.since + timedelta(minutes=30), flaps=1)
    rows = client.get(f"/live/alert/{alert.pk}/drawings.json").json()["spread"]["table"]["rows"]
    assert [row[1] for row in rows[1:] if row[1] != "0"] == ["9"], "not what was late in the trouble before"
    page = strip_tags(text(client.get(f"/alerts/{alert.pk}")))
    assert f"came back 1 time, first opened at {wording_of_pages.clock(alert.opened_at)}" in page
    assert "came back 1 time" in text(client.get("/alerts"))


def test_an_alert_about_reading_has_nothing_to_draw(client: Client, db: None) -> None:
    now = timezone.now()
    alert = Alert.objects.create(kind="collector_down", since=now, opened_at=now, changed_at=now)
    assert client.get(f"/live/alert/{alert.pk}/drawings.json").json() == {"spread": None, "course": None}
    assert "Comparing" not in client.get(f"/alerts/{alert.pk}").content.decode()


def test_what_they_have_in_common(client: Client, alert: Alert) -> None:
    assert "Too few to compare" in client.get(f"/live/alert/{alert.pk}/common").content.decode()
    traits = Comparison(40, 60, (Common("key tenant", "<b>", 1, 0, "All of 40 stuck ones have key tenant <b>."),))
    with mock.patch("collector.queries.common", return_value=traits):
        shared.clear()
        assert "key tenant &lt;b&gt;." in client.get(f"/live/alert/{alert.pk}/common").content.decode()
    Alert.objects.update(state="resolved")
    shared.clear()
    assert "Nobody waits any more" in client.get(f"/live/alert/{alert.pk}/common").content.decode()


def test_one_story_of_what_happened_and_who_was_told(client: Client, alert: Alert) -> None:
    channel = Channel.objects.create(name="ops", kind="webhook", address=b"", shown="", created_at=alert.opened_at)
    delivery = Delivery.objects.create(
        channel=channel, kind="raised", title="", text="", content={}, state="failed", attempts=2,
        created_at=alert.opened_at, next_at=alert.opened_at, error="It answered with status 410.",
    )  # fmt: skip
    for number, kind in enumerate(("raised", "updated"), 1):
        at = alert.opened_at + timedelta(seconds=number)
        Notice.objects.create(
            alert=alert, channel=channel, kind=kind, at=at, severity="warning", count=2,
            delivery=delivery if kind == "raised" else None,
        )  # fmt: skip
    told = [(chapter.what, chapter.said, chapter.bad) for chapter in story(alert)]
    assert told == [
        ("Updated: told ops", "waiting", False),
        ("Raised: told ops", "failed after 2 attempts. It answered with status 410.", True),
        ("Raised", "2 at that time; warning", False),
    ]
    assert "Nobody was told." not in client.get(f"/alerts/{alert.pk}").content.decode()


def test_pages_of_an_alert_ask_little(client: Client, alert: Alert) -> None:
    for number in range(5):
        log.note(alert, timezone.now(), "acknowledged", f"ada-{number}")
    client.get(f"/alerts/{alert.pk}")
    shared.clear()
    with CaptureQueriesContext(connection) as asked:
        client.get(f"/alerts/{alert.pk}")
    assert len(asked) <= MOST_QUERIES
    shared.clear()
    with CaptureQueriesContext(connection) as asked:
        client.get(f"/live/alert/{alert.pk}/common")
    assert len(asked) <= MOST_QUERIES


def test_what_is_explained_is_listed_under_its_cause(client: Client, alert: Alert) -> None:
    now = timezone.now()
    made = [
        Alert.objects.create(kind=kind, service=service, since=now, opened_at=now, changed_at=now, count=2, peak=2)
        for kind, service in (("service_silent", "inventory"), ("failed", ""))
    ]
    Alert.objects.filter(pk=alert.pk).update(explained_by=made[0])
    shared.clear()
    page = client.get("/alerts").content.decode()
    places = [page.index(f'id="a-{pk}"') for pk in (made[1].pk, made[0].pk, alert.pk)]
    assert places == sorted(places)
    assert f'id="a-{alert.pk}" data-row class="alert-nested"' in page
    overview = text(client.get("/"))
    assert "inventory · since" in overview, "it is about a service, and nothing about reading"


def test_of_what_is_listed_by_itself_its_cause_is_named(client: Client, alert: Alert) -> None:
    now = timezone.now()
    about = {"since": now, "opened_at": now, "changed_at": now, "explained_by": alert}
    Alert.objects.create(kind="deviating", choreography="order", count=3, total=4, peak=3, **about)
    Alert.objects.filter(pk=alert.pk).update(state="resolved", resolved_at=now, awaited="<i>Paid")
    shared.clear()
    listed = client.get("/alerts").content.decode().split("resolved-title")[0]
    assert 'class="bad" href="/alerts/' in listed, "as grave as any that stands by itself"
    assert f'explained by: <a href="/alerts/{alert.pk}">2 transactions waited for &lt;i&gt;Paid' in listed
    assert "another" not in listed


def test_the_overview_lists_the_gravest_causes_first_and_only_counts_what_they_explain(
    client: Client, alert: Alert
) -> None:
    def raised(kind: str, severity: str, minutes: float, **more: object) -> Alert:
        at = alert.since + timedelta(minutes=minutes)
        about = {"since": at, "opened_at": at, "changed_at": at, "severity": severity, "names": kind, "count": 3}
        return Alert.objects.create(kind=kind, **{"choreography": "order", **about, **more})

    silent = raised("service_silent", "critical", 0, service="inventory", choreography="")
    raised("collector_behind", "critical", -1)
    raised("partition_unreadable", "critical", 7, quiet_since=timezone.now())
    raised("loop", "warning", 3)
    raised("failed", "warning", 2)
    raised("deviating", "warning", 9, explained_by=silent)
    raised("slow", "warning", 9, explained_by=silent, state="resolved", resolved_at=timezone.now())
    Alert.objects.filter(pk=alert.pk).update(explained_by=silent)
    shared.clear()
    page = text(client.get("/")).split("alerts-title", 1)[1].split("</section>")[0]
    order = ["2 transactions wait for it", "Reading is behind", "order loop", "order failed", "could not be read"]
    places = [page.find(words) for words in order]
    assert places == sorted(places)
    assert -1 not in places
    assert "deviate" not in page
    assert "wait for StockReserved" not in page
    assert f'<a href="/alerts/{silent.pk}">explains 2 more</a>' in page
    for number in range(3):
        raised("coverage", "info", 1, service=f"service-{number}")
    shared.clear()
    page = text(client.get("/")).split("alerts-title", 1)[1].split("</section>")[0]
    assert "and 2 more" in page
    assert page.count("alert-row") == 6


def test_more_than_a_page_shows_is_said(client: Client, db: None) -> None:
    now = timezone.now()
    Alert.objects.bulk_create(
        Alert(kind="failed", choreography=f"c-{number}", since=now, opened_at=now, changed_at=now)
        for number in range(201)
    )
    shared.clear()
    assert "These are the newest 200; there are more." in client.get("/alerts").content.decode()
    Alert.objects.filter(choreography="c-7").delete()
    shared.clear()
    assert "there are more" not in client.get("/alerts").content.decode()


def test_what_is_like_an_alert_is_silenced_from_its_page(operator: Client, alert: Alert) -> None:
    page = operator.get(f"/alerts/{alert.pk}").content.decode()
    link = re.search(r'href="(/channels\?kind=[^"]+)#silence-title"', page)
    assert link
    prepared = operator.get(html.unescape(link[1])).content.decode()
    assert '<option value="stuck" selected>' in prepared
    assert 'name="service" value="inventory"' in prepared


def test_alerts_of_one_state_and_older_ones(client: Client, db: None) -> None:
    shared.clear()
    now = timezone.now()
    Alert.objects.bulk_create(
        Alert(kind="failed", choreography=f"c-{number:02}", state="resolved", since=now, changed_at=now, peak=1,
              resolved_at=now, opened_at=now - timedelta(minutes=number))
        for number in range(60)
    )  # fmt: skip
    first = client.get("/alerts?state=resolved").content.decode()
    assert "of c-49 failed" in first
    assert "of c-50 failed" not in first
    older = re.search(r'href="(/alerts\?state=resolved&amp;cursor=[^"]+)"', first)
    assert older
    second = client.get(html.unescape(older[1])).content.decode()
    assert "of c-50 failed" in second
    assert "of c-59 failed" in second
    assert "None is snoozed now" in client.get("/alerts?state=snoozed").content.decode()
    assert client.get("/alerts?state=resolved&cursor=nonsense").status_code == 400


def test_a_course_of_a_count_that_changes_each_second_is_kept() -> None:
    course: list[list[int]] = []
    begin = timezone.now()
    for second in range(60):
        course = wording.continued(course, begin + timedelta(seconds=second), second)
    assert len(course) > 20
    assert (course[0][1], course[-1][1], wording.trend(course)) == (0, 59, "growing")


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


def test_what_a_channel_refused_is_sent_again(operator: Client) -> None:
    operator.post("/channels/add", {"name": "ops", "kind": "webhook", "address": SECRET})
    channel = Channel.objects.get()
    operator.post(f"/channels/{channel.pk}", {"deed": "test"})
    Delivery.objects.update(state="failed", error="It answered with status 410.", attempts=1)
    channels.disable(channel, "It answered with status 410.")
    assert "Send again" in operator.get("/live/channels").content.decode()
    operator.post(f"/channels/{channel.pk}", {"deed": "again"})
    assert (Delivery.objects.get().state, Channel.objects.get().enabled) == ("waiting", True)
    assert "Send again" not in operator.get("/live/channels").content.decode()
    operator.post(f"/channels/{channel.pk}", {"deed": "again"})
    assert Delivery.objects.count() == 1, "what is on its way goes out once"


def test_silences(operator: Client) -> None:
    given = {"service": "payment", "reason": "Maintenance.", "minutes": "240"}
    operator.post("/silences/add", given)
    assert '<span class="note">service</span> payment' in operator.get("/channels").content.decode()
    operator.post(f"/silences/{Silence.objects.get().pk}/end")
    assert "None is in force." in operator.get("/channels").content.decode()
    assert operator.post("/silences/add", {**given, "service": ""}).status_code == 400


def test_a_list_of_many_kinds_costs_as_many_queries_as_one(
    operator: Client, alert: Alert, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number, kind in enumerate(3 * Alert.Kind.values):
        Alert.objects.create(
            kind=kind, choreography="order", service=f"service-{number}", awaited="Paid", since=alert.since,
            opened_at=alert.since, changed_at=alert.since, state=Alert.State.values[number % len(Alert.State)],
            snoozed_until=alert.since, resolved_at=alert.since, count=3, peak=5, explained_by=alert,
        )  # fmt: skip
    shared.clear()
    with django_assert_max_num_queries(8):  # three of them say who asks
        assert operator.get("/alerts").status_code == 200


def test_a_message_says_what_is_at_stake_as_pages_do(alert: Alert) -> None:
    alert.impact = 5503.3499999999985
    notice = Notice(alert=alert, kind="raised", severity="warning")
    told = messages.compose([notice], config.Config(), timezone.now())
    assert f"At stake: {wording_of_pages.amount(alert.impact)}\n" in told["text"]
    assert "5503.3499" not in told["text"]


def test_what_came_back_lasted_since_it_did(alert: Alert) -> None:
    now = alert.since + timedelta(hours=1)
    alert.opened_at, alert.since, alert.resolved_at = now - timedelta(hours=1), now - timedelta(minutes=2), now
    told = messages.compose([Notice(alert=alert, kind="recovered", severity="warning")], config.Config(), now)
    assert told["title"].startswith("Recovered after 2 min: ")
