"""Whether services are there, and what changed: by what came and what did not."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from collector import miner
from collector.correlation.choreography import RuleBook
from collector.models import EventType, Flow, MinedSum, Outcome, Topic
from collector.queries import Change, LiveFlows, evidence, presence
from collector.queries.feed import feed, sentence
from collector.queries.presence import Silence, marks
from dashboard.pages import news
from dashboard.pages.shared import shared
from tests.mining_found import settle_all
from tests.mining_logs import LogEvent, Store

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("day_tables")]

NOW = datetime.fromisoformat("2026-11-20T12:00:00+00:00")
ORDER, PAYMENT = ("OrderPlaced", "order"), ("Paid", "payment")


def flowed(
    first: float, last: float, target: tuple[str, str], source: tuple[str, str] = ("", ""), *, every: float = 10
) -> None:
    """One such event in every so many seconds, from so many minutes ago until so many."""
    topic, _ = Topic.objects.get_or_create(cluster="c", uid="t", name="t")
    EventType.objects.get_or_create(topic=topic, type=target[0], service=target[1])
    ago = first * 60
    while ago > last * 60:
        Flow.objects.create(
            bucket=NOW - timedelta(seconds=ago), writer="w", choreography="order", source_type=source[0],
            source_service=source[1], target_type=target[0], target_service=target[1], topic="t", count=1, durations={},
        )  # fmt: skip
        ago -= every


def test_who_says_nothing_to_what_keeps_coming_is_silent() -> None:
    flowed(40, 0, ORDER)
    flowed(40, 5, PAYMENT)
    flowed(40, 5, PAYMENT, ORDER)
    found = presence.silences(NOW)
    assert found.keys() == {"payment"}
    assert NOW - found["payment"].since < timedelta(minutes=5, seconds=20)
    assert 20 <= found["payment"].unanswered <= 26, "those of the last minute may still be answered"


def test_it_is_silent_since_the_same_moment_everywhere_and_never_after_what_follows_from_that() -> None:
    flowed(40, 0, ORDER)
    flowed(40, 5, PAYMENT)
    flowed(40, 5, PAYMENT, ORDER)
    assert {
        presence.silences(NOW)["payment"].since,
        presence.last_heard(["payment"], NOW)["payment"],
        evidence.silent(["payment"], NOW)[0].since,
        LiveFlows().flow_map(NOW).last_heard("payment"),
    } == {Flow.objects.filter(target_service="payment").latest("bucket").bucket}


def test_where_nothing_comes_silence_means_nothing() -> None:
    flowed(40, 5, ORDER)
    flowed(40, 5, PAYMENT)
    flowed(40, 5, PAYMENT, ORDER)
    assert presence.silences(NOW) == {}
    flowed(0.5, 0, ORDER)
    assert presence.silences(NOW) == {}, "it has half a minute so far"


def test_who_seldom_answers_is_not_silent_for_it() -> None:
    flowed(55, 0, ORDER)
    flowed(55, 4, PAYMENT, every=300)
    flowed(55, 4, PAYMENT, ORDER, every=300)
    assert presence.silences(NOW) == {}


@pytest.mark.parametrize(
    ("first_seen", "heard", "silence", "awaited", "found"),
    [
        (None, None, None, 0, ("never heard",)),
        (100, 1, None, 3, ()),
        (100, 1, Silence(NOW, 9), 0, ("silent",)),
        (100, 300, None, 0, ("not heard for an hour",)),
        (100, 300, None, 1, ("silent",)),
        (100, 1500, None, 0, ("vanished",)),
        (100, None, None, 0, ("vanished",)),
        (5, 1, None, 0, ("new",)),
        (5, None, None, 0, ("not heard for an hour", "new")),
    ],
)
def test_how_it_stands_in_a_word(
    first_seen: float | None, heard: float | None, silence: Silence | None, awaited: int, found: tuple[str, ...]
) -> None:
    """First seen so many hours ago, last heard so many minutes ago."""
    seen_at = None if first_seen is None else NOW - timedelta(hours=first_seen)
    heard_at = None if heard is None else NOW - timedelta(minutes=heard)
    assert marks(seen_at, heard_at, silence, awaited, NOW) == found


def test_what_leads_to_failure_is_a_service_s_share() -> None:
    """Of thirty orders ten are declined, and none of these completes."""
    now = timezone.now()
    site = Store(topics=1, partitions=1)
    events = [
        LogEvent(f"c{n}", f"{n}-{kind}", kind, now - timedelta(hours=3, minutes=-step))
        for n in range(30)
        for step, kind in enumerate(("Placed", "Declined" if n < 10 else "Paid"))
    ]
    site.write_all(events, 1)
    miner.mine(RuleBook(()))
    settle_all()
    MinedSum.objects.filter(source="Declined").update(status="failed")
    MinedSum.objects.filter(source__in=("Paid", "Placed")).update(status="completed")
    found = presence.habits(now)["log"]
    assert found.failing == pytest.approx(10 / 60)
    assert (sum(found.hours), found.hours[-4]) == (60, 60)


class TestFeed:
    def test_edges_that_never_came_before(self, client: Client) -> None:
        now = timezone.now()
        site = Store(topics=1, partitions=1)

        def case(name: str, ago: timedelta, *kinds: str) -> list[LogEvent]:
            return [
                LogEvent(name, f"{name}-{n}", kind, now - ago + timedelta(seconds=n)) for n, kind in enumerate(kinds)
            ]

        site.write(case("old", timedelta(days=9), "A", "B"), now, random.Random(1))
        site.write(case("young", timedelta(hours=5), "A", "B", "C"), now, random.Random(1))
        site.write(case("other", timedelta(hours=5), "D", "E"), now, random.Random(1))
        site.write(case("to come", timedelta(days=-900), "A", "F"), now, random.Random(1))
        miner.mine(RuleBook(()))
        edges = [(one.name, one.about) for one in feed(now) if one.kind == "edge"]
        assert edges == [("B → C", "A")], "one choreography is new as a whole, and A → B is old"
        shared.clear()
        told = client.get("/api/changes").json()["items"]
        assert "For the first time in A: B → C." in [one["sentence"] for one in told]

    def test_who_is_silent_or_gone_and_what_began_to_deviate(self) -> None:
        flowed(40, 0, ORDER)
        flowed(40, 5, PAYMENT)
        flowed(40, 5, PAYMENT, ORDER)
        flowed(26 * 60, 25 * 60, ("Stored", "archive"), every=600)
        for hours, outcome in ((40, "completed"), (3, "completed"), (2, "deviating"), (1, "deviating")):
            Outcome.objects.create(
                bucket=NOW - timedelta(hours=hours), writer="w", choreography="order", outcome=outcome, count=1,
                durations={},
            )  # fmt: skip
        found = {one.kind: one for one in feed(NOW)}
        assert {kind: one.name for kind, one in found.items()} == {
            "silent": "payment", "vanished": "archive", "deviating": "order",
        }  # fmt: skip
        assert found["deviating"].at == NOW - timedelta(hours=2)
        assert [one.at for one in feed(NOW)] == sorted((one.at for one in feed(NOW)), reverse=True)
        assert sentence(found["vanished"]) == "archive was not heard for a day."

    def test_the_overview_tells_it_with_where_to_look(self, client: Client) -> None:
        now = timezone.now()
        topic = Topic.objects.create(cluster="c", uid="u", name="t")
        EventType.objects.create(topic=topic, type="Stored", service="archive")
        for seconds in range(0, 3_000, 30):
            Flow.objects.create(
                bucket=now - timedelta(hours=26, seconds=seconds), writer="w", choreography="order", topic="t",
                source_type="", source_service="", target_type="Stored", target_service="archive",
                count=1, durations={},
            )  # fmt: skip
        shared.clear()
        assert 'hx-get="/live/changes"' in client.get("/").content.decode()
        said = client.get("/live/changes").content.decode()
        assert '<a href="/services/archive" class="note bad">archive</a> was not heard for a day' in said

    def test_what_was_always_so_is_no_change(self) -> None:
        topic = Topic.objects.create(cluster="c", uid="u", name="t")
        EventType.objects.create(topic=topic, type="OrderPlaced", service="order")
        flowed(40, 0, ORDER)
        Outcome.objects.create(
            bucket=NOW - timedelta(hours=1),
            writer="w",
            choreography="order",
            outcome="deviating",
            count=1,
            durations={},
        )
        assert feed(NOW) == []


SAID = {
    "service": ("New service a b.", "/services/a%20b"),
    "type": ("New event type a b of its service.", "/transactions?event_type=a+b"),
    "rules": ("Other rules apply.", "/choreographies"),
    "learned": ("Learned of a b: its service.", "/choreographies/a%20b"),
    "forgotten": ("No longer learned of a b: its service.", "/choreographies/a%20b"),
    "edge": ("For the first time in its service: a b.", "/choreographies/its%20service"),
    "deviating": ("Transactions of a b began to deviate from their rules.", "/choreographies/a%20b"),
    "vanished": ("a b was not heard for a day.", "/services/a%20b"),
    "silent": ("a b is silent, though what it reacts to keeps coming.", "/services/a%20b"),
}


def test_who_needs_several_is_silent_only_when_all_keep_coming() -> None:
    """Shipping needs the payment as well: that no payment comes is no fault of it."""
    shipped, reserved = ("Shipped", "shipping"), ("Reserved", "inventory")
    flowed(40, 0, ORDER)
    flowed(40, 0, reserved)
    flowed(40, 5, PAYMENT)
    flowed(40, 5, PAYMENT, ORDER)
    flowed(40, 5, shipped)
    for source in (PAYMENT, reserved):
        flowed(40, 5, shipped, source)
    assert presence.silences(NOW).keys() == {"payment"}
    flowed(5, 0, PAYMENT)
    assert presence.silences(NOW).keys() == {"shipping"}


@pytest.mark.parametrize("kind", SAID)
def test_each_kind_of_change_has_its_sentence_and_its_place(kind: str) -> None:
    change = Change(NOW, kind, "a b", "its service")
    (told,) = news.told([change])
    assert (sentence(change), told.address) == SAID[kind]
