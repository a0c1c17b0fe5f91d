"""What transactions that waited leave behind is no news: people were told of the cause."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone

from dashboard.alerts import causes
from dashboard.alerts.models import Alert
from dashboard.alerts.process import STILL_EXPLAINS, process
from dashboard.notifying.announcing import due


def row(identity: int, kind: str, choreography: str = "order", *, count: int = 0, peak: int = 0) -> SimpleNamespace:
    about = {"choreography": choreography, "service": "payment", "subject": ""}
    return SimpleNamespace(id=identity, kind=kind, count=count, peak=peak or count, **about)


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
    unlike.quiet_since = None
    told = due(unlike, now, kept_back=False, update_every=timedelta(minutes=1))
    assert told == ("" if explained else "raised")
