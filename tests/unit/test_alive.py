"""A collector sweeps where nobody else does, and leaves it to others as soon as they do it again."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest
from django.db.models import F

from collector.config import Config
from collector.health import heartbeats
from collector.health.counts import Counts
from collector.intake.alive import STILL_MISSED, SWEEP_LATE, Alive
from collector.kafka import Source
from collector.models import Heartbeat
from tests.collecting import Silence

pytestmark = pytest.mark.django_db


@pytest.fixture
def alive() -> Alive:
    source = cast(Source, SimpleNamespace(group="choreoscope", partitions=0, forbidden={}))
    return Alive("one", "cluster", source, Counts, Config, Silence())


def sweeps() -> int:
    return int(Heartbeat.objects.get(name="sweep").detail["sweeps"])


def later(by: timedelta) -> None:
    """The last sweep is so much longer ago."""
    Heartbeat.objects.filter(name="sweep").update(at=F("at") - by)


def test_it_sweeps_where_nobody_ever_has(alive: Alive) -> None:
    alive.step()
    assert sweeps() == 1


def test_it_leaves_it_to_others_until_they_have_not_for_a_while(alive: Alive) -> None:
    heartbeats.add("sweep", sweeps=1)
    alive.step()
    later(SWEEP_LATE / 2)
    alive.step()
    assert sweeps() == 1
    later(SWEEP_LATE)
    alive.step()
    assert sweeps() == 2


def test_it_goes_on_each_time_while_nobody_else_does(alive: Alive) -> None:
    for count in (1, 2, 3):
        alive.step()
        assert sweeps() == count
        later(STILL_MISSED)


def test_it_is_patient_again_once_somebody_else_has(alive: Alive) -> None:
    alive.step()
    later(STILL_MISSED)
    heartbeats.add("sweep", sweeps=1)
    alive.step()
    later(STILL_MISSED)
    alive.step()
    assert sweeps() == 2


def test_whatever_fails_it_goes_on_and_says_so(alive: Alive, caplog: pytest.LogCaptureFixture) -> None:
    tried: list[int] = []

    def failing() -> None:
        tried.append(1)
        raise ValueError("nobody thought of this")

    alive._try(failing)
    alive._try(alive.step)
    assert "nobody thought of this" in caplog.text
    assert sweeps() == 1
