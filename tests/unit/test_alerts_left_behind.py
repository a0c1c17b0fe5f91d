"""What transactions that waited leave behind is no news: people were told of the cause."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone

from dashboard.alerts import causes
from dashboard.alerts.models import Alert
from dashboard.alerts.process import STILL_EXPLAINS, process
from dashboard.notifying.announcing import due
from dashboard.pages.frame import frame
from dashboard.pages.shared import shared

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def row(
    identity: int,
    kind: str,
    choreography: str = "order",
    *,
    count: int = 0,
    peak: int = 0,
    at: float = 0,
    held: int = 0,
) -> SimpleNamespace:
    """`at`: seconds after noon that it began, and grew a second later; `held`: how many it was of long before."""
    about = {"choreography": choreography, "service": "payment", "subject": ""}
    course = [[int(NOON.timestamp()) - 86_400, held], [int(NOON.timestamp()) + max(at, 0) + 1, count]]
    since = NOON + timedelta(seconds=at)
    return SimpleNamespace(id=identity, kind=kind, count=count, peak=peak or count, since=since, course=course, **about)


@pytest.mark.parametrize("kind", ["deviating", "slow"])
def test_those_that_waited_deviate_and_were_slow(kind: str) -> None:
    waited, others = row(1, "stuck", peak=60), row(2, "stuck", "refund", peak=500)
    unlike = row(3, kind, count=100)
    assert causes.explanations([unlike], [waited, others]) == {3: 1}
    assert causes.explanations([waited, unlike]) == {3: 1}
    assert causes.explanations([row(4, "service_silent"), waited, unlike]) == {1: 4, 3: 4}, "the deepest cause"


def test_what_others_are_unlike_is_not_explained_by_a_few_that_waited() -> None:
    assert causes.explanations([row(3, "deviating", count=100)], [row(1, "stuck", peak=40)]) == {}
    assert causes.explanations([row(3, "failed", count=10)], [row(1, "stuck", peak=40)]) == {}


def test_what_the_bus_holds_back_is_what_was_said_of_those_that_wait() -> None:
    held = row(3, "bus_held", "", count=500)
    assert causes.explanations([held], [row(1, "stuck", peak=3), row(2, "stuck", "refund", peak=40)]) == {3: 2}
    assert causes.explanations([held]) == {}


@pytest.mark.parametrize(("at", "explained"), [(0, True), (1, True), (-1, False), (-600, False)])
def test_a_silence_explains_what_waits_since_it_began(at: int, explained: bool) -> None:
    silent = row(1, "service_silent")
    assert causes.explanations([silent, row(2, "stuck", count=5, at=at)]) == ({2: 1} if explained else {})


@pytest.mark.parametrize(("held", "explained"), [(1, True), (100, True), (101, False)])
def test_a_few_that_waited_before_do_not_keep_a_silence_from_explaining_most(held: int, explained: bool) -> None:
    stuck = row(2, "stuck", count=200, at=-86_400, held=held)
    assert causes.explanations([row(1, "service_silent"), stuck]) == ({2: 1} if explained else {})


@pytest.mark.parametrize(("kind", "late"), [("deviating", 300), ("slow", 300), ("bus_held", 0)])
def test_nothing_explains_what_began_before_it(kind: str, late: int) -> None:
    """What is counted over five minutes began at the end of the first five at the latest."""
    unlike = row(3, kind, "" if kind == "bus_held" else "order", count=20)
    silent = row(1, "service_silent", at=late - 1)
    assert causes.explanations([silent, row(2, "stuck", count=50, at=late), unlike]) == {2: 1, 3: 1}
    assert causes.explanations([silent, row(2, "stuck", count=50, at=late + 1), unlike]) == {2: 1}
    assert causes.explanations([unlike], [row(2, "stuck", peak=50, at=late + 1)]) == {}


@pytest.mark.django_db
@pytest.mark.parametrize(("ago", "explained"), [(timedelta(minutes=4), True), (STILL_EXPLAINS, False)])
def test_for_some_minutes_after_it_is_over(ago: timedelta, explained: bool) -> None:
    now = timezone.now()
    common = {"choreography": "order", "since": now, "opened_at": now, "changed_at": now}
    waited = Alert.objects.create(kind="stuck", peak=80, state="resolved", resolved_at=now - ago, **common)
    unlike = Alert.objects.create(kind="deviating", count=90, total=100, peak=90, **common)
    process()
    unlike.refresh_from_db()
    assert unlike.explained_by == (waited if explained else None)
    shared.clear()
    assert frame().open_alerts == 1, "what is left of something resolved counts by itself"
    unlike.quiet_since = None
    told = due(unlike, now, kept_back=False, update_every=timedelta(minutes=1))
    assert told == ("" if explained else "raised")
