"""What pages and the API read: bounded numbers of queries and rows, whatever the tables hold.

Nothing here counts a whole table; counts stop at `bounds.MOST` and say so.
"""

from collector.queries.bounds import Bounded
from collector.queries.filters import BadParameter, TransactionFilter
from collector.queries.flows import FlowEdge, FlowMap, WaitingStep, flow_map, remembered, waiting
from collector.queries.ingestion import Ingestion, Keyset, ingestion, lag, uncorrelated, undecodable
from collector.queries.keysets import keyset
from collector.queries.overview import Figures, Slot, figures, over_time
from collector.queries.readiness import Part, behind_seconds, parts
from collector.queries.transaction import Found, exists, find, payload, waiting_likewise
from collector.queries.transactions import Page, Row, Step, newest, page

__all__ = [
    "BadParameter",
    "Bounded",
    "Figures",
    "FlowEdge",
    "FlowMap",
    "Found",
    "Ingestion",
    "Keyset",
    "Page",
    "Part",
    "Row",
    "Slot",
    "Step",
    "TransactionFilter",
    "WaitingStep",
    "behind_seconds",
    "exists",
    "figures",
    "find",
    "flow_map",
    "ingestion",
    "keyset",
    "lag",
    "newest",
    "over_time",
    "page",
    "parts",
    "payload",
    "remembered",
    "uncorrelated",
    "undecodable",
    "waiting",
    "waiting_likewise",
]
