"""What is new lately, apart from what flows: event types and services that were not there before, and other rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from collector.queries.bounds import rows

LATELY = timedelta(days=1)
MOST = 8


@dataclass(frozen=True)
class Change:
    """kind: "service" or "type" (`name` was first seen, `about` its service), "rules" (others are declared since),
    "learned" or "forgotten" (of the choreography `name`; `about` says which rule, or how many)."""

    at: datetime
    kind: str
    name: str
    about: str


_WHICH = """
CASE WHEN count(*) > 1 THEN count(*) || ' rules'
     ELSE min(array_to_string(expect, ' or ') || ' after ' || array_to_string(after, ' and ')) END
"""
# What was there when reading began is not new: nothing within a minute of the first sight of anything.
_CHANGES = f"""
WITH seen AS (SELECT type, service, min(first_seen_at) AS at FROM collector_eventtype GROUP BY 1, 2),
     began AS (SELECT min(at) + interval '1 minute' AS at FROM seen),
     declared AS (SELECT declaration, min(loaded_at) AS at FROM collector_ruleset GROUP BY 1),
     services AS (SELECT service, min(at) AS at FROM seen WHERE service <> '' GROUP BY 1)
(SELECT at, 'service' AS kind, service AS name, '' AS about FROM services
 WHERE at > %(since)s AND at <= %(until)s AND at > (SELECT at FROM began) ORDER BY at DESC LIMIT {MOST})
UNION ALL
(SELECT seen.at, 'type', seen.type, seen.service FROM seen LEFT JOIN services USING (service)
 WHERE seen.at > %(since)s AND seen.at <= %(until)s AND seen.at > (SELECT at FROM began)
   AND (services.at IS NULL OR seen.at > services.at + interval '1 minute') ORDER BY 1 DESC LIMIT {MOST})
UNION ALL
(SELECT at, 'rules', '', '' FROM declared
 WHERE at > %(since)s AND at <= %(until)s AND at > (SELECT min(at) FROM declared) ORDER BY 1 DESC LIMIT {MOST})
UNION ALL
(SELECT since, 'learned', choreography, {_WHICH} FROM collector_learnedrule
 WHERE kind = 'response' AND since > %(since)s AND since <= %(until)s
 GROUP BY 1, 3 ORDER BY 1 DESC LIMIT {MOST})
UNION ALL
(SELECT until, 'forgotten', choreography, {_WHICH} FROM collector_learnedrule r
 WHERE kind = 'response' AND until > %(since)s AND until <= %(until)s
   AND NOT EXISTS (SELECT FROM collector_learnedrule n
                   WHERE n.choreography = r.choreography AND n.after = r.after AND n.since = r.until)
 GROUP BY 1, 3 ORDER BY 1 DESC LIMIT {MOST})
ORDER BY 1 DESC LIMIT {MOST}
"""


def changes(until: datetime, since: datetime | None = None) -> list[Change]:
    """The newest first; of the day before `until`, where it is not said since when. One query."""
    return [Change(*row) for row in rows(_CHANGES, {"since": since or until - LATELY, "until": until})]
