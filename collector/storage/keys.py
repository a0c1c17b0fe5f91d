"""What configuration picks out of records about transactions: business keys to search by, and what is at stake."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.backends.utils import CursorWrapper

from collector.storage.arriving import Incoming
from collector.storage.sql import arrays

_KEYS = """
INSERT INTO collector_key (day, transaction, name, value)
SELECT * FROM unnest(%s::date[], %s::bigint[], %s::text[], %s::text[]) ON CONFLICT DO NOTHING
"""
# The largest number counts, so that neither order nor repetition matters.
_IMPACT = """
UPDATE collector_transaction t SET impact = greatest(t.impact, v.impact)
FROM unnest(%s::bigint[], %s::float8[]) AS v(id, impact)
WHERE t.id = v.id AND (t.impact IS NULL OR t.impact < v.impact)
"""


def save(cursor: CursorWrapper, arriving: Iterable[Incoming]) -> None:
    """Called with the transactions' rows locked. At most two statements; none where events have neither."""
    keys: set[tuple[object, ...]] = set()
    impacts: dict[int, float] = {}
    for item in arriving:
        for key in item.event.keys:
            keys.add((item.day, item.transaction, *key))
        if item.event.impact is not None:
            impacts[item.transaction] = max(item.event.impact, impacts.get(item.transaction, item.event.impact))
    if keys:
        cursor.execute(_KEYS, arrays(sorted(keys, key=str)))
    if impacts:
        cursor.execute(_IMPACT, arrays(sorted(impacts.items())))
