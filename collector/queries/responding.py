"""The response rules that a choreography's latest settled transactions follow, whether declared or not."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf

from django.db.models import Min

from collector.correlation.causality import links_of
from collector.correlation.choreography import Choreography, RuleBook
from collector.correlation.shape import course_of
from collector.miner.courses import Found, announced
from collector.mining.contribution import hour_of, moment_of, without_echoes
from collector.mining.responses import Learning, Response, Seen, discover, ends, seen
from collector.models import OPEN_PHASES, Topic, Transaction
from collector.queries.bounds import rows
from collector.queries.mined import EVERY, mined_map
from collector.storage.judgement import skeletons
from collector.storage.sql import binary_cursor

SAMPLE, MOST_EVENTS = 1_000, 40_000
"""Settled transactions that are looked at, the latest; fewer, where they have so many events together."""
CANDIDATES = 3 * SAMPLE
PIECE = 250
"""How many transactions are read at a time."""
SOONEST = timedelta(seconds=30)
"""At least so long nothing has to have come of an open transaction for it to count as settled."""
LEARNING = Learning()

_DISTURBED = """
SELECT DISTINCT date_trunc('hour', bucket) FROM collector_outcome
WHERE outcome = 'stuck' AND bucket >= %(since)s AND (%(name)s = '_all' OR choreography = %(name)s)
"""


@dataclass(frozen=True)
class Responses:
    """`transactions`: how many were looked at. `ends`: event types that are the last of their transactions, with the
    share of these that they were last in."""

    transactions: int
    rules: tuple[Response, ...]
    ends: Mapping[str, float]


def responses(name: str, now: datetime, rulebook: RuleBook, patience: float = inf) -> Responses:
    """Five queries, and two for each PIECE; after `patience` seconds no other piece is begun.

    Settled is what has ended, and what nothing came of, up to the watermark, for longer than 99% of the transactions
    take from their first event to their last."""
    found = _settled(name, now)
    transactions = _seen(found, rulebook, patience)
    disturbed = _disturbed(name, transactions)
    rules = discover(transactions, LEARNING, disturbed)
    return Responses(len(transactions), tuple(rules), ends(transactions, LEARNING))


def _disturbed(name: str, transactions: Sequence[Seen]) -> set[int]:
    """The hours since the first of these in which some became stuck. One query."""
    if not transactions:
        return set()
    since = moment_of(min(one.hour for one in transactions))
    return {hour_of(hour) for (hour,) in rows(_DISTURBED, {"name": name, "since": since})}


def _settled(name: str, now: datetime) -> list[Found]:
    usual = mined_map(name, None, None, "", now).took.p99
    watermark = Topic.objects.filter(vanished_at=None).aggregate(least=Min("watermark"))["least"]
    quiet = watermark - max(SOONEST, timedelta(seconds=usual or 0)) if watermark else None
    found = Transaction.objects.filter(partial=False, oversized=False)
    if name != EVERY:
        found = found.filter(choreography=name)
    columns = ("id", "transaction_id", "day", "choreography", "phase", "last_event_at", "event_count")
    latest = found.order_by("-started_at", "-id").values_list(*columns)[:CANDIDATES]
    kept: list[Found] = []
    events = 0
    for number, transaction_id, day, choreography, phase, last_event_at, event_count in latest:
        if phase in OPEN_PHASES and (quiet is None or last_event_at >= quiet):
            continue
        events += event_count
        if len(kept) == SAMPLE or events > MOST_EVENTS:
            break
        kept.append(Found(number, transaction_id, day, choreography, phase, countable=True))
    return kept


def _seen(found: list[Found], rulebook: RuleBook, patience: float) -> list[Seen]:
    began, topics = time.monotonic(), dict(Topic.objects.values_list("id", "name"))
    choreographies = _named((entry.choreography for entry in found), rulebook)
    transactions: list[Seen] = []
    for start in range(0, len(found), PIECE):
        if transactions and time.monotonic() - began > patience:
            break
        piece = found[start : start + PIECE]
        with binary_cursor() as cursor:
            events = skeletons(cursor, piece, topics)
            ours = announced(cursor, piece)
        for entry in piece:
            if counted := without_echoes(events[entry.id], ours.get(entry.id, ())):
                course = course_of(counted)
                transactions.append(seen(course, links_of(course, choreographies[entry.choreography])))
    return transactions


def _named(names: Iterable[str], rulebook: RuleBook) -> dict[str, Choreography]:
    return {name: rulebook.named(name) for name in set(names)}
