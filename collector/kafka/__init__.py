"""The Kafka clients: the only package of the collector that imports them.

`Source` reads records at positions that somebody else decides; `Cluster` asks what there is. Nothing here knows the
database.
"""

from collector.kafka.cluster import IN_MEMORY, Cluster
from collector.kafka.failures import KafkaFailure, explain
from collector.kafka.groups import Groups
from collector.kafka.lookup import lookup
from collector.kafka.outlet import Letter, Outlet, Sent
from collector.kafka.places import EPOCH, Bounds, Place, Span, Start
from collector.kafka.source import Source

__all__ = [
    "EPOCH",
    "IN_MEMORY",
    "Bounds",
    "Cluster",
    "Groups",
    "KafkaFailure",
    "Letter",
    "Outlet",
    "Place",
    "Sent",
    "Source",
    "Span",
    "Start",
    "explain",
    "lookup",
]
