"""From what was read to the API's JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from collector import config, queries
from collector.correlation.causality import Edge
from collector.correlation.state import Pending
from collector.models import FailedDelivery, Transaction
from dashboard import ahead
from dashboard.alerts.models import Alert

_MILLISECOND = timedelta(milliseconds=1)


def summary(transaction: Transaction, pending: Iterable[Pending], now: datetime) -> dict[str, Any]:
    ended = transaction.ended_at
    return {
        "id": transaction.transaction_id,
        "choreography": transaction.choreography,
        "status": transaction.status,
        "phase": transaction.phase,
        "overdue_since": transaction.overdue_since,
        "started_at": transaction.started_at,
        "last_event_at": transaction.last_event_at,
        "ended_at": ended,
        "duration_ms": (ended - transaction.started_at) // _MILLISECOND if ended else None,
        "event_count": transaction.event_count,
        "redelivery_count": transaction.redelivery_count,
        "failed_delivery_count": transaction.failed_delivery_count,
        "partial": transaction.partial,
        "impact": transaction.impact,
        "waiting_for": [waiting(entry, now) for entry in pending],
    }


def waiting(entry: Pending, now: datetime) -> dict[str, Any]:
    overdue = (now - entry.deadline) // _MILLISECOND if entry.overdue and entry.deadline else None
    return {
        "after": list(entry.after),
        "expect": list(entry.expect),
        "from": entry.service or None,
        "deadline_at": entry.deadline,
        "overdue_ms": overdue,
        "basis": entry.basis,
        "marks": list(entry.marks),
        "consumer": None,
    }


def detail(found: queries.Found, now: datetime, verdicts: Sequence[queries.Verdict | None] = ()) -> dict[str, Any]:
    """`verdicts`: for each pending response, in their order, whether its consumer has read what asks for it."""
    transaction = found.transaction
    awaited = [waiting(entry, now) for entry in found.state.pending]
    for entry, verdict in zip(awaited, verdicts, strict=False):
        entry["consumer"] = (
            _named(verdict, "sentence", "groups", "behind", "basis") | {"verdict": verdict.kind} if verdict else None
        )
    return {
        **summary(transaction, found.state.pending, now),
        "waiting_for": awaited,
        "aliases": list(found.aliases),
        "oversized": transaction.oversized,
        "historic": transaction.historic,
        "ended_by": transaction.ended_by or None,
        "abandoned": _abandoned(transaction),
        "conforms": conforms(found),
        "parts": [_named(part, "name", "phase", "started_at", "ended_at") for part in found.state.parts],
        "events": [
            {**event(entry), "depth": found.causality.depth.get((entry.source, entry.event_id))}
            for entry in found.events
        ],
        "edges": [_edge(edge) for edge in found.causality.edges],
        "cycles": [_edge(edge) for edge in found.causality.cyclic],
        "missing_causes": [
            {"event": key[1], "source": key[0], "cause": cause} for key, cause in found.causality.missing
        ],
        "caused_by_us": [
            {"event": key[1], "source": key[0], "announced": entry.detail.get("announcement", ""), "at": entry.at}
            for key, entry in found.told
        ],
        "clocks": [
            {"service": name, "ahead_ms": clock.ahead // _MILLISECOND, "behind_ms": clock.behind // _MILLISECOND}
            for name, clock in found.causality.clocks.items()
        ],
        "transitions": [
            {
                "at": entry.at,
                "effective_at": entry.effective_at,
                "kind": entry.kind,
                "phase": entry.phase,
                "overdue_since": entry.overdue_since,
                "detail": entry.detail,
            }
            for entry in found.transitions
        ],
        "failed_deliveries": [failed_delivery(entry) for entry in found.failures],
        "deviations": [
            {"kind": entry.kind, "sentence": entry.sentence, "event": entry.event[1] if entry.event else None}
            for entry in found.state.deviations
        ],
    }


def conforms(found: queries.Found) -> bool | None:
    """None where nothing was declared, or not all of it is known."""
    transaction = found.transaction
    if not found.choreography.declared or transaction.partial or transaction.oversized:
        return None
    return not found.state.deviations and transaction.overdue_since is None


def _abandoned(transaction: Transaction) -> dict[str, Any] | None:
    if transaction.abandoned_at is None:
        return None
    return {"at": transaction.abandoned_at, "by": transaction.abandoned_by, "reason": transaction.abandoned_reason}


def _edge(edge: Edge) -> dict[str, Any]:
    return {
        "parent": edge.parent[1],
        "parent_source": edge.parent[0],
        "child": edge.child[1],
        "child_source": edge.child[0],
        "basis": edge.basis,
        "latency_ms": edge.latency / _MILLISECOND,
        "skewed": edge.skewed,
    }


def choreography(entry: queries.ChoreographyFigures) -> dict[str, Any]:
    return _named(
        entry, "name", "declared", "in_flight", "started", "completed", "failed", "compensated", "abandoned",
        "became_stuck", "deviating", "conformance",
    )  # fmt: skip


def failed_delivery(entry: FailedDelivery) -> dict[str, Any]:
    return {
        "event": entry.event_id,
        "at": entry.record_time,
        "topic": entry.topic.name,
        "original_topic": entry.original_topic or None,
        **_named(
            entry, "source", "type", "retried", "partition", "offset", "original_partition", "original_offset",
            "exception", "message", "attempts", "convention",
        ),
    }  # fmt: skip


def event(entry: queries.StoredEvent) -> dict[str, Any]:
    return {
        "id": entry.event_id,
        "source": entry.source,
        "type": entry.type,
        "service": entry.service,
        "time": entry.time,
        "record_time": entry.record_time,
        "received_at": entry.received_at,
        "topic": entry.topic.name,
        "partition": entry.partition,
        "offset": entry.offset,
        "causes": entry.causes or [],
        "subject": entry.subject,
        "dialect": entry.dialect,
        "basis": entry.basis,
        "redeliveries": entry.redeliveries,
        "keys": [{"name": name, "value": value} for name, value in entry.keys or []],
        "notes": entry.notes or [],
    }


def service(entry: queries.Known) -> dict[str, Any]:
    clock = entry.clock and {
        "ahead_ms": entry.clock.ahead // _MILLISECOND,
        "behind_ms": entry.clock.behind // _MILLISECOND,
        "events": entry.clock.count,
        "at": entry.clock.at,
    }
    declared = _named(entry.service, "owner", "contact", "runbook", "groups")
    return {"name": entry.name, **declared, "types": entry.types, "clock": clock}


def comparison(looked: ahead.Compared) -> dict[str, Any]:
    found = looked.found
    items = [_named(entry, "what", "value", "stuck", "healthy", "sentence") for entry in found.common]
    return {"at": looked.at, **_named(found, "stuck", "healthy"), "items": items}


def bus(settled: config.Bus, breaking: queries.Breaking) -> dict[str, Any]:
    return {**_named(settled, "publish", "topic", "most_per_minute"), **_named(breaking, "tripped_at", "waiting")}


def alert(entry: Alert) -> dict[str, Any]:
    names = (
        "id", "kind", "choreography", "awaited", "service", "subject", "state", "sentence",
        "severity", "count", "peak", "impact", "since", "opened_at", "changed_at", "resolved_at",
    )  # fmt: skip
    return {**_named(entry, *names), "explained_by": entry.explained_by_id}


def ingestion(
    found: queries.Ingestion, muted: Iterable[queries.Muted], coverage: queries.Coverage, now: datetime
) -> dict[str, Any]:
    reading = found.liveness
    return {
        "state": reading.state,
        "since": reading.since,
        "behind_seconds": _seconds(reading.behind),
        "troubles": [_named(trouble, "kind", "subject", "since", "sentence") for trouble in reading.troubles],
        "muted": [_named(entry, "choreography", "awaited", "service", "count") for entry in muted],
        "collectors": [_collector(entry) for entry in found.collectors],
        "events_per_second": found.events_per_second,
        "watermarks": [
            {
                "topic": topic.name,
                "watermark": topic.watermark,
                "age_seconds": _seconds(now - topic.watermark if topic.watermark else None),
                "state": state,
            }
            for topic, state in reading.topics
        ],
        "partitions": [_partition(entry) for entry in found.partitions],
        "gaps": [
            {
                "topic": gap.topic.name,
                **_named(gap, "partition", "kind", "from_offset", "to_offset", "noticed_at"),
            }
            for gap in found.gaps
        ],
        "coverage_since": coverage.since,
        "coverage": [_named(row, "topic", "service", "correlated", "uncorrelated", "share") for row in coverage.rows],
        "undecodable": found.undecodable.count,
        "uncorrelated": found.uncorrelated.count,
    }


def _collector(entry: queries.Collector) -> dict[str, Any]:
    return {
        **_named(entry.beat, "name", "at", "started_at", "stopped"),
        **_named(entry, "alive", "partitions", "events_per_second"),
    }


def _partition(entry: queries.Partition) -> dict[str, Any]:
    return {
        "topic": entry.topic.name,
        "partition": entry.number,
        "progress": entry.next_offset,
        **_named(entry, "end", "lag", "held", "last_record_at", "unreadable_since"),
    }


def _named(thing: object, *names: str) -> dict[str, Any]:
    return {name: getattr(thing, name) for name in names}


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else max(0.0, length.total_seconds())
