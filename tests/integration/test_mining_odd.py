"""What is odd about one transaction keeps no other from being mined."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from django.db import connection

from collector import miner, tasks
from collector.miner import counting, courses
from collector.mining.contribution import Contribution, micros_of
from collector.models import Mined, MinedCount, Transaction, Unmined, Variant
from collector.storage import unmined
from tests.feeding import Feed
from tests.mining_found import RULES, found
from tests.mining_logs import Plain, Store, agrees, log

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("day_tables")]


def test_a_transaction_that_cannot_be_counted_keeps_none_from_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    events = log(23, 30)
    site = Store()
    site.write_all(events, 24)
    bad = Transaction.objects.get(transaction_id="c7").id
    whole = counting.contribution

    first = min(event.time for event in events if event.case == "c7")

    def refused(*made_of: Any) -> Contribution:
        if micros_of(first) in made_of:
            raise ValueError(made_of)
        return whole(*made_of)

    monkeypatch.setattr(counting, "contribution", refused)
    assert miner.mine(RULES) == 30
    assert f"row {bad} cannot be mined" in caplog.text
    assert not Unmined.objects.exists()
    agrees(found(), Plain.of([event for event in events if event.case != "c7"], site.places))
    monkeypatch.undo()
    with connection.cursor() as cursor:
        unmined.note(cursor, [bad])
    tasks.mine()
    agrees(found(), Plain.of(events, site.places))


def test_one_whose_causes_cannot_be_worked_out_keeps_none_from_it_while_others_are_read(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    feed = Feed()
    for number in range(9):
        feed.event(f"c{number}", "Started", "any", 9)
        feed.event(f"c{number}", f"Ended{number}", "any", 8)
    feed.read()
    known = counting.causal_form

    def refused(types: Any, links: Any) -> Any:
        if "Ended4" in types:
            raise ValueError(types)
        return known(types, links)

    monkeypatch.setattr(counting, "causal_form", refused)
    monkeypatch.setattr(courses, "PIECE", 4)
    assert miner.mine(RULES) == 9
    assert caplog.text.count("cannot be mined") == 1
    assert Mined.objects.count() == 8
    assert not Unmined.objects.exists()


def test_event_types_may_have_any_characters() -> None:
    feed = Feed()
    names = ["tab\there", "new\nline\r.", "back\\slash\\N", "quotes\"'", "{braces,}", "größer → 🎉"]
    for ago, name in enumerate(reversed(names)):
        feed.event("one", name, "any", ago)
    feed.read()
    miner.mine(RULES)
    edges = MinedCount.objects.filter(kind="edge", hours=0).values_list("source", "target")
    assert set(edges) == set(pairwise(names))
    [way] = Variant.objects.filter(causal=False)
    assert way.definition == names
