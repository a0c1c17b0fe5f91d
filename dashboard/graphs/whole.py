"""The whole graph of one transaction: what happened and what is still to come, folded where that is too much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from collector.correlation.causality import Causality
from collector.correlation.choreography import Choreography
from collector.correlation.events import EventKey, Skeleton
from collector.correlation.state import Pending
from dashboard.graphs.fold import fold
from dashboard.graphs.ghosts import Ghosts
from dashboard.graphs.steps import Steps, happened


def steps(
    events: Sequence[Skeleton],
    causality: Causality,
    pending: Sequence[Pending],
    choreography: Choreography,
    *,
    ended: bool,
    now: datetime,
    late: Mapping[EventKey, str],
    folded: bool = True,
) -> Steps:
    past = happened(events, causality, choreography, late)
    ahead = Ghosts(events, choreography, now).steps(pending, ended=ended)
    graph = Steps((*past.steps, *ahead.steps), (*past.links, *ahead.links))
    return fold(graph) if folded else graph
