"""Which deadlines wait because reading does: nothing is called overdue before the topics it may come on were read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from collector.correlation.choreography import RuleBook
from collector.queries.bounds import rows

_WAITING = """
SELECT choreography, awaited, service, sum(count)::bigint FROM collector_waiting
WHERE rule <> '' GROUP BY 1, 2, 3 HAVING sum(count) > 0 ORDER BY 4 DESC, 1, 2, 3 LIMIT 500
"""
_TYPES = """
SELECT DISTINCT e.type, t.name FROM collector_eventtype e JOIN collector_topic t ON t.id = e.topic_id
WHERE t.vanished_at IS NULL
"""


@dataclass(frozen=True)
class Muted:
    """So many pending responses whose deadlines may pass without a word for now."""

    choreography: str
    awaited: str
    service: str
    count: int


def muted(standing_still: Collection[str], rulebook: RuleBook) -> list[Muted]:
    """What waits for these topics (their names): two queries, none where there are no such topics.

    As in `Reading.through`: an awaited event is waited for on the topics that its type, and the ends of its
    choreography, were seen on; on all topics, where one of these has not been seen yet.
    """
    if not standing_still:
        return []
    topics_of: dict[str, set[str]] = {}
    for name, topic in rows(_TYPES):
        topics_of.setdefault(name, set()).add(topic)

    def waits(choreography: str, awaited: str) -> bool:
        declared = rulebook.by_name.get(choreography)
        types = {*awaited.split(" or "), *(declared.ends if declared else ())}
        return any(name not in topics_of or not topics_of[name].isdisjoint(standing_still) for name in types)

    return [Muted(*row) for row in rows(_WAITING) if waits(row[0], row[1])]
