"""A record that the database refuses is isolated, never its batch: halves of halves, until it stands alone.

Decoding mends what PostgreSQL would not take. This is for what it overlooks: a single record must not hold its
partition for ever, and must not vanish in silence either.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec
from django.utils import timezone

from collector.correlation.choreography import RuleBook
from collector.decoding import Undecodable
from collector.health.logs import fields
from collector.intake import faults
from collector.kafka import KafkaFailure, Span
from collector.storage import partitions, store
from collector.storage.memory import Memory
from collector.storage.store import Behind, Decoded, Written

logger = logging.getLogger(__name__)

REASON = "not storable"


def write(
    spans: Sequence[Span], decoded: Sequence[Decoded], rulebook: RuleBook, writer: str, memory: Memory | None = None
) -> Written:
    """As `store.write`, but for records that the database refuses: these are stored as undecodable.

    `decoded` has the records of `spans` in their order. Each part is a database transaction of its own.
    """
    try:
        return store.write(spans, decoded, rulebook, writer, memory)
    except (Behind, KafkaFailure):
        raise
    except Exception as error:
        if not faults.refuses_data(error):
            raise
        if faults.lacks_partition(error) and partitions.ensure_ahead(timezone.now().date()):
            return write(spans, decoded, rulebook, writer, memory)
        if len(decoded) == 1 and not isinstance(decoded[0][1], Undecodable):
            return store.write(spans, [_undecodable(decoded[0], error)], rulebook, writer, memory)
        if len(decoded) <= 1:
            raise
    middle = len(decoded) // 2
    first, second = _halves(spans, middle)
    return _sum(
        write(first, decoded[:middle], rulebook, writer, memory),
        write(second, decoded[middle:], rulebook, writer, memory),
    )


def _undecodable(pair: Decoded, error: Exception) -> Decoded:
    """The record in its place among the undecodable. What the database said may quote the value: it is not kept."""
    record, found = pair
    kind = type(error.__cause__ or error).__name__
    code = faults.state(error)
    where = fields(topic=record.topic.name, partition=record.partition, offset=record.offset)
    logger.warning("the database refuses a record (%s %s); it is kept as undecodable", kind, code, extra=where)
    detail = f"The database refuses it: {kind} ({code})." if code else f"It cannot be put into the database: {kind}."
    return record, Undecodable(REASON, detail, found.record_time)


def _halves(spans: Sequence[Span], middle: int) -> tuple[list[Span], list[Span]]:
    """The spans up to the record number `middle` of them all, and from there on."""
    first, second = [], []
    for span in spans:
        count = len(span.records)
        if count <= middle:
            first.append(span)
        elif middle <= 0:
            second.append(span)
        else:
            cut = span.records[middle].offset
            first.append(msgspec.structs.replace(span, next_offset=cut, records=span.records[:middle]))
            second.append(msgspec.structs.replace(span, start=cut, records=span.records[middle:]))
        middle -= count
    return first, second


def _sum(one: Written, other: Written) -> Written:
    return Written(
        changed=one.changed + other.changed,
        alerts=one.alerts or other.alerts,
        events=one.events + other.events,
        redeliveries=one.redeliveries + other.redeliveries,
        dropped=one.dropped + other.dropped,
        undecodable=one.undecodable + other.undecodable,
        uncorrelated=one.uncorrelated + other.uncorrelated,
        reasons=one.reasons + other.reasons,
    )
