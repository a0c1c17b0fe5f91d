"""What judging needs to know besides the events: topics, watermarks, and where each event type occurs."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import msgspec
from django.db.backends.utils import CursorWrapper

from collector.correlation.choreography import RuleBook
from collector.correlation.reading import Reading

_TOPICS = """
SELECT id, name, CASE WHEN vanished_at IS NULL THEN watermark END, vanished_at IS NULL,
       NOT EXISTS (SELECT FROM collector_progress p WHERE p.topic_id = t.id AND NOT p.from_start)
       AND NOT EXISTS (SELECT FROM collector_gap g WHERE g.topic_id = t.id)
FROM collector_topic t
"""
_TYPES = "SELECT type, service, topic_id FROM collector_eventtype"

MOST_TYPES = 2_000
"""Noted of a topic, with their services, since each batch reads them all. A topic with more may hold any type."""

SeenType = tuple[str, str, int]
"""An event type, the service that emitted it, and the row of the topic it was on."""


class Context(msgspec.Struct, frozen=True):
    """Read inside the database transaction that judges, after its locks; `now` is the database's clock."""

    now: datetime
    rulebook: RuleBook
    reading: Reading
    topic_names: dict[int, str]
    types: frozenset[SeenType]


def load(cursor: CursorWrapper, rulebook: RuleBook) -> Context:
    """Three queries, whatever there is."""
    cursor.execute("SELECT clock_timestamp()")
    now: datetime = cursor.fetchall()[0][0]
    names: dict[int, str] = {}
    watermarks: dict[int, datetime | None] = {}
    complete = True
    cursor.execute(_TOPICS)
    for row, name, watermark, present, whole in cursor.fetchall():
        names[row] = name
        if present:
            watermarks[row] = watermark
            complete = complete and whole
    cursor.execute(_TYPES)
    types = frozenset(cursor.fetchall())
    noted = Counter(topic for _, _, topic in types)
    crowded = {topic for topic, count in noted.items() if count >= MOST_TYPES and topic in watermarks}
    topics_of: dict[str, set[int]] = {}
    for name, _, topic in types:
        if topic in watermarks:
            topics_of.setdefault(name, set(crowded)).add(topic)
    reading = Reading(watermarks, {name: frozenset(topics) for name, topics in topics_of.items()}, complete)
    return Context(now, rulebook, reading, names, types)
