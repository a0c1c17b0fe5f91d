"""What configuration picks out of records about transactions: business keys to search by, and what is at stake."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.backends.utils import CursorWrapper

from collector.decoding import Event
from collector.storage.judgement import Row
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


def save(cursor: CursorWrapper, arriving: Iterable[tuple[Row, Event]]) -> None:
    """Called with the transactions' rows locked. At most two statements; none where events have neither."""
    keys: set[tuple[object, ...]] = set()
    impacts: dict[int, float] = {}
    for row, event in arriving:
        for key in event.keys:
            keys.add((row.day, row.id, *key))
        if event.impact is not None:
            impacts[row.id] = max(event.impact, impacts.get(row.id, event.impact))
    if keys:
        cursor.execute(_KEYS, arrays(sorted(keys, key=str)))
    if impacts:
        cursor.execute(_IMPACT, arrays(sorted(impacts.items())))
