"""Looks into the topics themselves, on demand, for the field that is the transaction id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings

from collector import config, registry
from collector.decoding import Bundle, Event, configured, suggestion
from collector.decoding.content import Schemas
from collector.decoding.policy import Policy
from collector.decoding.suggestion import Candidate, Sample
from collector.decoding.values import EARLIEST
from collector.kafka import Bounds, Cluster, KafkaFailure, Place, explain, lookup
from collector.records import Record, TopicRef

__all__ = ["KafkaFailure", "SampledTopic", "Suggestion", "explain", "suggest"]

PER_TOPIC = 500
MOST_TOPICS = 200
SECONDS = 10.0


@dataclass(frozen=True)
class SampledTopic:
    """`correlated`: of its sampled records, those of which a transaction id is found already."""

    name: str
    records: int
    correlated: int


@dataclass(frozen=True)
class Suggestion:
    """The best candidate first. `yaml` is that one's rules, empty where nothing has to be said."""

    topics: list[SampledTopic]
    candidates: list[Candidate]

    @property
    def yaml(self) -> str:
        return suggestion.rules(self.candidates[0]) if self.candidates else ""


def suggest(seconds: float = SECONDS) -> Suggestion:
    """From the newest records of each topic that is read; takes up to so many seconds. Raises KafkaFailure."""
    settled = config.current(settings.CHOREOSCOPE_CONFIG)
    cluster = Cluster(dict(settings.KAFKA))
    cluster_id, found = cluster.describe(settled.topics.wanted)
    names = sorted(found)[:MOST_TOPICS]
    topics = {name: TopicRef(0, cluster_id, name, name) for name in names}
    bounds = cluster.bounds([(name, number) for name in names for number in found[name]])
    records = lookup(dict(settings.KAFKA), _newest(bounds, found), topics, seconds)
    schemas = registry.connect(dict(settings.SCHEMA_REGISTRY))
    samples = [_sample(record, settled.policy, schemas) for record in records]
    counted = Counter(sample.topic for sample in samples)
    correlated = Counter(sample.topic for sample in samples if sample.correlated)
    return Suggestion(
        topics=[SampledTopic(name, counted[name], correlated[name]) for name in names],
        candidates=suggestion.candidates(samples),
    )


def _newest(bounds: Mapping[Place, Bounds], partitions: Mapping[str, list[int]]) -> dict[Place, list[Bounds]]:
    """The last records of each partition: as many of a topic as PER_TOPIC, whatever its number of partitions."""
    return {
        (name, number): [Bounds(max(there.start, there.end - -(-PER_TOPIC // len(partitions[name]))), there.end)]
        for (name, number), there in bounds.items()
    }


def _sample(record: Record, policy: Policy, schemas: Schemas | None) -> Sample:
    handling = policy.of(record.topic.name)
    _, found = configured.read(record, handling, schemas)
    events = found.found if isinstance(found, Bundle) else (found,)
    # a trace id stands for a transaction's only where nothing better is known
    correlated = any(
        isinstance(event, Event) and bool(event.transaction_ids) and not event.basis.startswith("trace id")
        for event in events
    )
    return Sample(
        record.topic.name, record.timestamp or EARLIEST, configured.content_of(record, handling, schemas), correlated
    )
