"""What an error of Kafka asks for: looking for another place, waiting, or stopping with a sentence."""

from __future__ import annotations

import re

from confluent_kafka import KafkaError, KafkaException

KafkaFailure = KafkaException
"""What every call here may raise; under a name of its own, so that others need not import the client."""

RELOCATE = {
    KafkaError._AUTO_OFFSET_RESET,
    KafkaError._LOG_TRUNCATION,
    KafkaError.OFFSET_OUT_OF_RANGE,
    KafkaError.UNKNOWN_TOPIC_ID,
    KafkaError.INCONSISTENT_TOPIC_ID,
}
"""The log has no such place any more."""
ABSENT = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}
PASSING = ABSENT | {
    KafkaError._PARTITION_EOF,
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError._MAX_POLL_EXCEEDED,
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}
"""Passes by itself: the client tries again."""
END = KafkaError._PARTITION_EOF
SILENT = KafkaError._TIMED_OUT
UNREACHED = {KafkaError._TRANSPORT, SILENT}
UNSUPPORTED = KafkaError._UNSUPPORTED_FEATURE
FORBIDDEN = KafkaError.TOPIC_AUTHORIZATION_FAILED

_BROKERS_END = re.compile(r"broker end offset is (\d+)")
_SILENCE = "Kafka does not answer (KAFKA_BOOTSTRAP_SERVERS)"
_REMEDIES = {
    KafkaError._TRANSPORT: _SILENCE,
    KafkaError._TIMED_OUT: _SILENCE,
    KafkaError._ALL_BROKERS_DOWN: _SILENCE,
    KafkaError._RESOLVE: _SILENCE,
    KafkaError._AUTHENTICATION: "Kafka does not let us log in (KAFKA_CONFIG_SASL_…)",
    KafkaError.SASL_AUTHENTICATION_FAILED: "Kafka does not let us log in (KAFKA_CONFIG_SASL_…)",
    KafkaError._SSL: "No encrypted connection to Kafka comes about (KAFKA_CONFIG_SSL_…)",
    KafkaError._INVALID_ARG: "The Kafka client does not understand its settings (KAFKA_CONFIG_…)",
    FORBIDDEN: "Kafka does not let us read: the right Read on a topic is missing"
    " (docs/kafka.md); the other topics go on",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "Kafka does not let us join our consumer group: the right Read on the group"
    " is missing (docs/kafka.md)",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "Kafka does not let us do what takes a right on the cluster"
    " (docs/kafka.md)",
}
_FINAL = {
    KafkaError._AUTHENTICATION,
    KafkaError._INVALID_ARG,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.UNSUPPORTED_SASL_MECHANISM,
    KafkaError.UNSUPPORTED_VERSION,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.INCONSISTENT_GROUP_PROTOCOL,
    KafkaError.INVALID_GROUP_ID,
}


def truncated_at(error: KafkaError, position: int) -> int | None:
    """From which offset on the log is another one than was read up to this position, though it may be as long again;
    None where it is the same. By the epochs of the log's leaders; the client says so in words only."""
    if "log truncation" not in error.str():
        return None
    said = _BROKERS_END.search(error.str())
    return int(said[1]) if said else max(position - 1, 0)


def is_final(error: KafkaError) -> bool:
    """No retry can cure this."""
    return error.fatal() or error.code() in _FINAL


def explain(error: KafkaError | KafkaException) -> str:
    """A sentence that says what is wrong, and which right is missing where it is one."""
    told: KafkaError = error.args[0] if isinstance(error, KafkaException) else error
    return f"{_REMEDIES.get(told.code(), 'Kafka refuses')}: {told.str().strip()}"
