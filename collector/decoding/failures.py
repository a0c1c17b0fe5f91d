"""Failed deliveries: what copies of a record say of the failure that they were set aside or are tried again for."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from collector.decoding import values
from collector.decoding.event import Failure
from collector.decoding.readings import Reading, big_endian, exception_message, exception_type, text

Headers = Mapping[str, bytes | None]

MAX_MESSAGE = 500
_LONGEST_NUMBER = 19
"""Characters; shorter ones fit into 8 bytes."""

Names = tuple[str, ...]


class FailureConvention(msgspec.Struct, frozen=True):
    """Header names, of which the first that says something counts. `marker`: one of these is there."""

    name: str
    marker: Names
    topic: Names = ()
    partition: Names = ()
    offset: Names = ()
    exception: Names = ()
    message: Names = ()
    attempts: Names = ()
    exception_reading: Reading = text
    message_reading: Reading = text
    note: str = ""


CONVENTIONS = (
    FailureConvention(
        name="Spring dead letter",
        marker=("kafka_dlt-original-topic", "kafka_original-topic"),
        topic=("kafka_dlt-original-topic", "kafka_original-topic"),
        partition=("kafka_dlt-original-partition", "kafka_original-partition"),
        offset=("kafka_dlt-original-offset", "kafka_original-offset"),
        exception=(
            "kafka_dlt-exception-cause-fqcn",
            "kafka_dlt-exception-fqcn",
            "kafka_exception-cause-fqcn",
            "kafka_exception-fqcn",
        ),
        message=("kafka_dlt-exception-message", "kafka_exception-message"),
        attempts=("retry_topic-attempts",),
        note="Numbers are 4 or 8 bytes, big-endian. Retry topics leave `dlt-` out.",
    ),
    FailureConvention(
        name="Kafka Connect dead letter",
        marker=("__connect.errors.topic",),
        topic=("__connect.errors.topic",),
        partition=("__connect.errors.partition",),
        offset=("__connect.errors.offset",),
        exception=("__connect.errors.exception.class.name",),
        message=("__connect.errors.exception.message",),
    ),
    FailureConvention(
        name="NServiceBus",
        marker=("nservicebus.exceptioninfo.exceptiontype", "nservicebus.failedq"),
        topic=("nservicebus.failedq",),
        exception=("nservicebus.exceptioninfo.exceptiontype",),
        message=("nservicebus.exceptioninfo.message",),
        attempts=("nservicebus.retries",),
    ),
    FailureConvention(
        name="MassTransit",
        marker=("mt-fault-exceptiontype", "mt-redelivery-count"),
        topic=("mt-fault-inputaddress",),
        exception=("mt-fault-exceptiontype",),
        message=("mt-fault-message",),
        attempts=("mt-redelivery-count", "mt-fault-retrycount"),
    ),
    FailureConvention(
        name="DotNetCore.CAP",
        marker=("cap-exception",),
        exception=("cap-exception",),
        message=("cap-exception",),
        exception_reading=exception_type,
        message_reading=exception_message,
        note="`cap-exception` is the exception's type, `-->`, and its message.",
    ),
)

UNMARKED = FailureConvention(
    name="its topic",
    marker=(),
    topic=("x-original-topic", "original-topic", "source-topic", "dlq-original-topic"),
    partition=("x-original-partition", "original-partition", "source-partition"),
    offset=("x-original-offset", "original-offset", "source-offset"),
    exception=(
        "x-exception-class",
        "x-exception-type",
        "exception-class",
        "exception-type",
        "exceptiontype",
        "error-class",
    ),
    message=(
        "x-exception-message",
        "exception-message",
        "x-error-message",
        "error-message",
        "x-exception",
        "exception",
        "x-error",
        "error",
        "x-dlq-reason",
        "dlq-reason",
        "failure-reason",
    ),
    attempts=("x-retry-count", "retry-count", "x-delivery-attempt", "delivery-attempt", "retries", "attempts"),
    note="For topics that are declared to hold failures, where nothing else marks a record as one.",
)

MARKERS = frozenset(name for convention in CONVENTIONS for name in convention.marker)


def found_in(headers: Headers) -> Failure | None:
    """What the first convention says whose marker is there."""
    for convention in CONVENTIONS:
        if any(name in headers for name in convention.marker):
            return said_by(convention, headers)
    return None


def said_by(convention: FailureConvention, headers: Headers) -> Failure:
    return Failure(
        convention=convention.name,
        topic=values.bounded(_first(headers, convention.topic, text)),
        partition=_number(headers, convention.partition),
        offset=_number(headers, convention.offset),
        exception=values.bounded(_first(headers, convention.exception, convention.exception_reading)),
        message=_first(headers, convention.message, convention.message_reading)[:MAX_MESSAGE],
        attempts=_number(headers, convention.attempts),
    )


def _first(headers: Headers, names: Names, reading: Reading) -> str:
    for name in names:
        if (raw := headers.get(name)) is not None and (found := reading(raw)):
            return found
    return ""


def _number(headers: Headers, names: Names) -> int | None:
    found = _first(headers, names, big_endian)
    return int(found) if found and len(found) < _LONGEST_NUMBER else None
