"""What was mined, as tests ask for it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import pytest
from django.utils import timezone

from collector import queries
from collector.correlation.choreography import RuleBook
from collector.miner import rows
from collector.queries import MinedMap

RULES = RuleBook(())


def found(
    name: str = "_all", status: str = "", since: datetime | None = None, until: datetime | None = None
) -> MinedMap:
    return queries.mined_map(name, since, until, status, timezone.now())


def ways(name: str = "_all", *, causal: bool = False) -> Counter[tuple[object, ...]]:
    """All variants, by pages of 100."""
    counted: Counter[tuple[object, ...]] = Counter()
    cursor: str | None = ""
    while cursor is not None:
        page = queries.variants(name, None, None, "", timezone.now(), causal=causal, cursor=cursor, limit=100)
        for item in page.items:
            counted[(item.types, item.causes) if causal else item.types] += item.count
        cursor = page.next
    return counted


def settle_all() -> None:
    """Adds all that was appended to the sums."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "UNSETTLED", 1)
        while rows.settle():
            pass
