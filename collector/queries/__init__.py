"""What pages and the API read: bounded numbers of queries and rows, whatever the tables hold.

Nothing here counts a whole table; counts stop at `bounds.MOST` and say so.
"""

from collector.bus import Breaking, breaking
from collector.correlation.verdicts import Verdict
from collector.health.liveness import REMEDY, clock
from collector.mining.backtest import Backtest, proposed
from collector.queries.bounds import Bounded
from collector.queries.changes import Change, changes
from collector.queries.choreographies import ChoreographyFigures, choreographies
from collector.queries.common import Cause, Comparison, affected, common
from collector.queries.conforming import Conformance, conformance
from collector.queries.correlated import Coverage, Covered, coverage
from collector.queries.exported import Exported, Wanted, exported
from collector.queries.filters import BadParameter, TransactionFilter, moment_of
from collector.queries.flows import FlowEdge, FlowMap, LiveFlows, WaitingStep, waiting
from collector.queries.ingestion import (
    Collector,
    Ingestion,
    Keyset,
    Partition,
    ingestion,
    uncorrelated,
    undecodable,
)
from collector.queries.keysets import keyset
from collector.queries.metrics import metrics
from collector.queries.mined import MinedMap, MinedVariant, Taken, Variants, busiest, is_mined, mined_map, variants
from collector.queries.muted import Muted, muted
from collector.queries.overview import SLOT, Figures, Slot, figures, over_time
from collector.queries.past import Past, Span, flow_map_of, past, span
from collector.queries.reactions import Emitted, Reaction, ServiceFigures, ends_of, service_figures
from collector.queries.readiness import SWEEP_REMEDY, Part, Readiness, Unjudged, behind_seconds, readiness
from collector.queries.responding import Responses, responses
from collector.queries.search import SHORTEST as SHORTEST_SEARCH
from collector.queries.search import EventHit, Hits, KeyHit, only_with_event, search
from collector.queries.services import Known, clocks, services
from collector.queries.stored import StoredEvent
from collector.queries.suggestion import KafkaFailure, Suggestion, explain, suggest
from collector.queries.transaction import Found, exists, find, headers, only_with_key, payload, waiting_likewise
from collector.queries.transactions import Page, Row, Step, listed, newest, page
from collector.queries.trying import Trial, adoption, kept, trial, unlearned
from collector.queries.waits import OverdueWith, longest
from collector.queries.why import GroupFigures, LearnedReading, consumers, groups, learned_groups, reading
from collector.queries.written import written

__all__ = [
    "REMEDY",
    "SHORTEST_SEARCH",
    "SLOT",
    "SWEEP_REMEDY",
    "Backtest",
    "BadParameter",
    "Bounded",
    "Breaking",
    "Cause",
    "Change",
    "ChoreographyFigures",
    "Collector",
    "Comparison",
    "Conformance",
    "Coverage",
    "Covered",
    "Emitted",
    "EventHit",
    "Exported",
    "Figures",
    "FlowEdge",
    "FlowMap",
    "Found",
    "GroupFigures",
    "Hits",
    "Ingestion",
    "KafkaFailure",
    "KeyHit",
    "Keyset",
    "Known",
    "LearnedReading",
    "LiveFlows",
    "MinedMap",
    "MinedVariant",
    "Muted",
    "OverdueWith",
    "Page",
    "Part",
    "Partition",
    "Past",
    "Reaction",
    "Readiness",
    "Responses",
    "Row",
    "ServiceFigures",
    "Slot",
    "Span",
    "Step",
    "StoredEvent",
    "Suggestion",
    "Taken",
    "TransactionFilter",
    "Trial",
    "Unjudged",
    "Variants",
    "Verdict",
    "WaitingStep",
    "Wanted",
    "adoption",
    "affected",
    "behind_seconds",
    "breaking",
    "busiest",
    "changes",
    "choreographies",
    "clock",
    "clocks",
    "common",
    "conformance",
    "consumers",
    "coverage",
    "ends_of",
    "exists",
    "explain",
    "exported",
    "figures",
    "find",
    "flow_map_of",
    "groups",
    "headers",
    "ingestion",
    "is_mined",
    "kept",
    "keyset",
    "learned_groups",
    "listed",
    "longest",
    "metrics",
    "mined_map",
    "moment_of",
    "muted",
    "newest",
    "only_with_event",
    "only_with_key",
    "over_time",
    "page",
    "past",
    "payload",
    "proposed",
    "readiness",
    "reading",
    "responses",
    "search",
    "service_figures",
    "services",
    "span",
    "suggest",
    "trial",
    "uncorrelated",
    "undecodable",
    "unlearned",
    "variants",
    "waiting",
    "waiting_likewise",
    "written",
]
