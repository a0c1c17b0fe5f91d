"""What pages and the API read: bounded numbers of queries and rows, whatever the tables hold.

Nothing here counts a whole table; counts stop at `bounds.MOST` and say so.
"""

from collector.queries.bounds import Bounded
from collector.queries.filters import BadParameter, TransactionFilter
from collector.queries.flows import FlowEdge, FlowMap, WaitingStep, flow_map, waiting
from collector.queries.ingestion import Ingestion, Keyset, ingestion, uncorrelated, undecodable
from collector.queries.overview import EndedSlot, Figures, ended_over_time, figures
from collector.queries.readiness import Part, behind_seconds, parts
from collector.queries.transaction import Found, find, payload, waiting_likewise
from collector.queries.transactions import Page, Row, Step, newest, page

__all__ = [
    "BadParameter",
    "Bounded",
    "EndedSlot",
    "Figures",
    "FlowEdge",
    "FlowMap",
    "Found",
    "Ingestion",
    "Keyset",
    "Page",
    "Part",
    "Row",
    "Step",
    "TransactionFilter",
    "WaitingStep",
    "behind_seconds",
    "ended_over_time",
    "figures",
    "find",
    "flow_map",
    "ingestion",
    "newest",
    "page",
    "parts",
    "payload",
    "uncorrelated",
    "undecodable",
    "waiting",
    "waiting_likewise",
]
