"""The page of an alert about what the bus holds back: a person decides there what becomes of it."""

from __future__ import annotations

import html

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags

from collector import bus, config, queries
from collector.health import heartbeats
from dashboard.accounts.roles import Role, add_user
from dashboard.alerts.models import Alert
from dashboard.pages.shared import shared
from dashboard.pages.wording import number
from tests.feeding import Feed
from tests.pages import text

pytestmark = pytest.mark.django_db


@pytest.fixture
def held() -> Alert:
    """Two events wait for the bus, which is said."""
    shared.clear()
    feed = Feed()
    for name in ("a", "b"):
        feed.order(name, steps=2, ago=60)
    feed.read()
    now = timezone.now()
    heartbeats.beat(bus.NAME, {"tripped_at": now.isoformat()})
    return Alert.objects.create(kind="bus_held", count=2, peak=2, since=now, opened_at=now, changed_at=now)


def decide(client: Client, alert: Alert, deed: str, reason: str = "") -> str:
    given = {"alert": alert.pk, "back": alert.pk, "deed": deed, "reason": reason}
    return html.unescape(text(client.post("/alerts/act", given, follow=True)))


def test_the_page_says_why_they_are_held_and_operators_decide(operator: Client, client: Client, held: Alert) -> None:
    assert "the bus · since" in " ".join(strip_tags(text(client.get("/"))).split())
    page = text(client.get(f"/alerts/{held.pk}"))
    bound = number(config.current(settings.CHOREOSCOPE_CONFIG).bus.most_per_minute)
    assert f"More than {bound} events were due for choreoscope.alerts within a minute" in page
    assert 'value="publish"' not in page, "strangers are not offered what they may not do"
    page = text(operator.get(f"/alerts/{held.pk}"))
    assert 'value="publish"' in page
    assert 'value="discard"' in page
    page = decide(operator, held, "publish", "They know.")
    assert "Released: 2 events." in page
    assert "<b>Released</b> by ada: They know.; 2 at that time" in page
    assert (queries.breaking().tripped_at, queries.breaking().waiting) == (None, 2), "they go out, whatever the rate"
    assert "Nothing is held back from the bus any more." in decide(operator, held, "discard", "Too late.")
    assert queries.breaking().waiting == 2, "what is not held back is not discarded"


def test_what_is_discarded_never_goes_out_and_takes_a_reason(operator: Client, held: Alert) -> None:
    assert "say why, since it cannot be taken back" in decide(operator, held, "discard")
    assert queries.breaking().tripped_at
    page = decide(operator, held, "discard", "Nobody waits for them.")
    assert "Discarded: 2 events." in page
    assert "<b>Discarded</b> by ada: Nobody waits for them." in page
    assert (queries.breaking().tripped_at, queries.breaking().waiting) == (None, 0)


def test_who_may_not_operate_decides_nothing(client: Client, held: Alert) -> None:
    viewer, careless = Client(), Client(enforce_csrf_checks=True)
    viewer.force_login(add_user("ben", "a long enough word", Role.VIEWER))
    careless.force_login(add_user("eve", "a long enough word", Role.OPERATOR))
    given = {"alert": held.pk, "deed": "publish"}
    refused = [one.post("/alerts/act", given).status_code for one in (client, viewer, careless)]
    assert refused == [401, 403, 403], "a stranger, a viewer, and a form of another site"
    assert queries.breaking().tripped_at


def test_when_nothing_is_held_back_any_more_nothing_is_offered(operator: Client, held: Alert) -> None:
    Alert.objects.filter(pk=held.pk).update(quiet_since=timezone.now(), count=0)
    assert 'value="publish"' not in text(operator.get(f"/alerts/{held.pk}"))
