"""Where partitions end, for what pages say of lag, and why one is not read to its end.

Written by the collector that takes the watermarks, in one statement, to rows that nobody else locks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import connection

from collector.kafka import Place
from collector.storage.sql import arrays

_NOTE = """
INSERT INTO collector_end AS e (topic_id, partition, end_offset, stable_offset, unreadable_since)
SELECT t.id, v.partition, v.end_offset, v.stable_offset, CASE WHEN v.end_offset IS NULL THEN %s::timestamptz END
FROM unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[]) AS v(name, partition, end_offset, stable_offset)
JOIN collector_topic t ON t.cluster = %s AND t.name = v.name AND t.vanished_at IS NULL
ON CONFLICT (topic_id, partition) DO UPDATE SET
    end_offset = coalesce(excluded.end_offset, e.end_offset),
    stable_offset = excluded.stable_offset,
    unreadable_since = CASE WHEN excluded.end_offset IS NULL
                            THEN coalesce(e.unreadable_since, excluded.unreadable_since) END
WHERE e.end_offset IS DISTINCT FROM excluded.end_offset OR e.stable_offset IS DISTINCT FROM excluded.stable_offset
   OR e.unreadable_since IS NOT NULL
"""


def note(
    cluster_id: str,
    partitions: Mapping[str, Sequence[int]],
    ends: Mapping[Place, int],
    stable: Mapping[Place, int],
    now: datetime,
) -> None:
    """Stores the ends of these partitions; one that is not among `ends` did not answer, and cannot be read.

    `stable` holds the last stable offsets, as far as they were asked for. One statement.
    """
    places = [(topic, number) for topic, numbers in partitions.items() for number in numbers]
    if places:
        rows = [(*place, ends.get(place), stable.get(place)) for place in places]
        with connection.cursor() as cursor:
            cursor.execute(_NOTE, [now, *arrays(rows), cluster_id])
