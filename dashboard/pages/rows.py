"""How a transaction appears in a list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings

from collector import config, queries
from collector.correlation.choreography import RuleBook
from collector.correlation.state import Pending
from collector.models import OPEN_PHASES, Transaction
from dashboard.pages import sentences
from dashboard.pages.flowing import failure_types


@dataclass(frozen=True)
class Mark:
    """A step in the strip. kind: done, undone (of a failure path), awaited or overdue."""

    kind: str
    label: str


@dataclass(frozen=True)
class Listed:
    transaction: Transaction
    marks: tuple[Mark, ...]
    more: int
    last: str
    """What it waits for, or its last event."""
    learned: bool
    """It waits until a time that nobody declared."""


def listed_rows(rows: Iterable[queries.Row]) -> list[Listed]:
    rulebook = config.current(settings.CHOREOSCOPE_CONFIG).rulebook
    return [_listed(row, rulebook) for row in rows]


def _listed(row: queries.Row, rulebook: RuleBook) -> Listed:
    transaction = row.transaction
    failures = failure_types(rulebook.named(transaction.choreography))
    marks = [Mark("undone" if step.type in failures else "done", step.type) for step in row.steps]
    if transaction.phase in OPEN_PHASES:
        marks += [
            Mark("overdue" if entry.overdue else "awaited", _awaited(entry))
            for entry in row.pending
            if entry.kind != "timeout"
        ]
    last = row.steps[-1].type if row.steps and not row.more_steps else ""
    now = sentences.short(row.pending, transaction) or last
    return Listed(transaction, tuple(marks), row.more_steps, now, sentences.learned(row.pending, transaction))


def _awaited(entry: Pending) -> str:
    return sentences.awaited(entry) + (", by a learned deadline" if entry.basis == sentences.LEARNED else "")
