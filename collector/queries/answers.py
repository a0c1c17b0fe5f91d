"""How long answers took at some time, and how long those that are owed have been overdue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from collector.correlation.buckets import BASE, merged
from collector.queries.bounds import rows


@dataclass(frozen=True)
class Owed:
    """Answers of these types, to events of these types, from a service; what is empty matches all."""

    choreography: str = ""
    after: Collection[str] = ()
    types: Collection[str] = ()
    service: str = ""


_TOOK = """
SELECT jsonb_agg(durations)::text FROM collector_flow
WHERE bucket >= %(since)s AND bucket < %(until)s AND source_type <> ''
  AND (%(choreography)s = '' OR choreography = %(choreography)s) AND (%(service)s = '' OR target_service = %(service)s)
  AND (%(after)s::text[] = '{}' OR source_type = ANY(%(after)s))
  AND (%(types)s::text[] = '{}' OR target_type = ANY(%(types)s))
"""
_OVERDUE = """
SELECT floor(ln(greatest(1, 1e6 * extract(epoch FROM %(now)s - since + %(more)s))) / ln(%(base)s))::int, count(*)
FROM collector_overdue
WHERE (%(choreography)s = '' OR choreography = %(choreography)s) AND (%(service)s = '' OR service = %(service)s)
  AND (%(awaited)s = '' OR awaited = %(awaited)s)
GROUP BY 1
"""


def answers(owed: Owed, since: datetime, until: datetime) -> Counter[int]:
    """How many came within that time, to ten seconds, by how long they took, in buckets of
    `collector.correlation.buckets`. One query; for as long ago as flows are kept."""
    wanted = {"choreography": owed.choreography, "service": owed.service, "since": since, "until": until}
    ((found,),) = rows(_TOOK, wanted | {"after": list(owed.after), "types": list(owed.types)})
    return Counter(merged(found))


def waited(owed: Owed, now: datetime, more: timedelta) -> Counter[int]:
    """Those that are overdue, by for how long they have been, and `more`; in the same buckets. One query."""
    wanted = {"choreography": owed.choreography, "service": owed.service, "awaited": " or ".join(owed.types)}
    return Counter(dict(rows(_OVERDUE, wanted | {"now": now, "more": more, "base": BASE})))
