"""How far reading has come: where to begin, where to go on, and what was missed.

Progress is keyed by (cluster id, topic id, partition); a topic that was deleted and made anew is a new one, and is read
from its beginning. Written by `collector.storage.store` together with the events.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from collector.health.logs import fields
from collector.kafka import Bounds, Cluster, Place, Start
from collector.models import Gap, Progress, Topic
from collector.records import TopicRef

logger = logging.getLogger(__name__)

UNREAD = timedelta(hours=1)
"""A cluster that no collector has read for so long, while another is read, is not waited for."""
_RETIRE_UNREAD = """
UPDATE collector_topic t SET vanished_at = clock_timestamp()
WHERE t.cluster <> %s AND t.vanished_at IS NULL AND NOT EXISTS (
    SELECT FROM collector_heartbeat h WHERE h.name LIKE 'collector:%%' AND h.detail ->> 'cluster' = t.cluster
    AND h.at > %s)
RETURNING t.cluster
"""
_LOCK = 0x63686F73
"""Key of the advisory lock under which first contact is made."""


def first_contact(cluster: Cluster, wanted: Callable[[str], bool], start: str | timedelta) -> str:
    """Notes where reading begins, for all partitions that exist when a cluster is met for the first time.

    Partitions that come later begin at their earliest record, whatever `start` says. Returns the cluster's id.
    """
    cluster_id, topics = cluster.describe(wanted)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        if start != "earliest" and not Topic.objects.filter(cluster=cluster_id).exists():
            places = [(name, partition) for name, partitions in topics.items() for partition in partitions]
            refs = register(cluster_id, cluster.topic_ids(cluster_id, topics))
            bounds = cluster.bounds(places)
            begin = {place: bound.end for place, bound in bounds.items()}
            if isinstance(start, timedelta):
                found = cluster.offsets_at(places, timezone.now() - start)
                begin |= {place: offset for place, offset in found.items() if offset >= 0 and place in bounds}
            _insert((refs[place[0]], place[1], offset) for place, offset in begin.items())
    return cluster_id


def register(cluster_id: str, uids: Mapping[str, str]) -> dict[str, TopicRef]:
    """The rows of these topics (name → Kafka's id), made where missing. A topic of the same name and another id has
    vanished."""
    now = timezone.now()
    Topic.objects.bulk_create(
        [Topic(cluster=cluster_id, uid=uid, name=name) for name, uid in sorted(uids.items())], ignore_conflicts=True
    )
    refs = {
        topic.name: TopicRef(topic.id, topic.cluster, topic.uid, topic.name)
        for topic in Topic.objects.filter(cluster=cluster_id, uid__in=uids.values())
    }
    rows = [ref.row for ref in refs.values()]
    Topic.objects.filter(id__in=rows).exclude(vanished_at=None).update(vanished_at=None)
    Topic.objects.filter(cluster=cluster_id, name__in=uids, vanished_at=None).exclude(id__in=rows).update(
        vanished_at=now
    )
    return refs


def locate(
    cluster: Cluster, cluster_id: str, places: Iterable[Place], truncated: Mapping[Place, int] | None = None
) -> dict[Place, Start]:
    """Where to read these partitions from; records a gap or a truncation where the log no longer has that place.

    `truncated`: those whose log is known to be another one from some offset on, however long it has become again.

    Partitions of which the brokers do not answer are left out, and may be asked for again.
    """
    places = list(places)
    names = sorted({topic for topic, _ in places})
    before = cluster.topic_ids(cluster_id, names)
    bounds = cluster.bounds(places)
    # asked for again: bounds of a topic that is made anew meanwhile must not be taken for the other's
    uids = {name: uid for name, uid in cluster.topic_ids(cluster_id, names).items() if before.get(name) == uid}
    bounds = {place: bound for place, bound in bounds.items() if place[0] in uids}
    with transaction.atomic():
        refs = register(cluster_id, uids)
        known = _stored(refs.values())
        _insert(
            (refs[topic], partition, bound.start)
            for (topic, partition), bound in bounds.items()
            if (refs[topic].row, partition) not in known
        )
        found = {}
        for (topic, partition), bound in bounds.items():
            stored, last = known.get((refs[topic].row, partition), (bound.start, None))
            log_end = (truncated or {}).get((topic, partition), bound.end)
            known_log = Bounds(bound.start, min(bound.end, log_end))
            offset = _within(refs[topic], partition, stored, known_log)
            same = offset == stored and last is not None and bound.start <= last[0] < stored
            found[topic, partition] = Start(refs[topic], offset, last if same else None)
    return found


def _stored(refs: Iterable[TopicRef]) -> dict[tuple[int, int], tuple[int, tuple[int, int] | None]]:
    """Stored progress: the next offset; offset and leader epoch of the record that was read last."""
    found = {}
    for row in Progress.objects.filter(topic__in=[ref.row for ref in refs]):
        offset, epoch = row.last_offset, row.leader_epoch
        last = None if offset is None or epoch is None else (offset, epoch)
        found[row.topic_id, row.partition] = row.next_offset, last
    return found


def _insert(begin: Iterable[tuple[TopicRef, int, int]]) -> None:
    Progress.objects.bulk_create(
        [
            Progress(
                topic_id=ref.row,
                partition=partition,
                next_offset=offset,
                first_offset=offset,
                from_start=offset == 0,
            )
            for ref, partition, offset in begin
        ],
        ignore_conflicts=True,
    )


def _within(ref: TopicRef, partition: int, stored: int, bounds: Bounds) -> int:
    """The stored offset if the log has it; else the log's start, after noting what is missing."""
    if bounds.start <= stored <= bounds.end:
        return stored
    kind = Gap.Kind.GAP if stored < bounds.start else Gap.Kind.TRUNCATION
    from_offset, to_offset = (stored, bounds.start) if kind == Gap.Kind.GAP else (bounds.end, stored)
    moved = Progress.objects.filter(topic=ref.row, partition=partition, next_offset=stored).update(
        next_offset=bounds.start, last_offset=None, leader_epoch=None, updated_at=timezone.now()
    )
    if moved:
        Gap.objects.create(
            topic_id=ref.row, partition=partition, kind=kind, from_offset=from_offset, to_offset=to_offset
        )
        where = fields(topic=ref.name, partition=partition, kind=str(kind), start=from_offset, end=to_offset)
        logger.warning("%s", Gap.Kind(kind).label, extra=where)
    return bounds.start


def live_topics(cluster_id: str) -> dict[str, str]:
    """The cluster's topics that are known and have not vanished: name → Kafka's id."""
    return dict(Topic.objects.filter(cluster=cluster_id, vanished_at=None).values_list("name", "uid"))


def retire_topics(cluster_id: str, names: Iterable[str]) -> None:
    """Marks these topics as vanished. `register` takes that back, should they be there after all."""
    live = Topic.objects.filter(cluster=cluster_id, name__in=list(names), vanished_at=None)
    live.update(vanished_at=timezone.now())


def retire_unread(kept: str) -> list[str]:
    """Marks the topics of other clusters as vanished that no collector has read for UNREAD; returns these clusters.

    A database may serve several clusters; one that we were moved away from must not be waited for for ever.
    """
    with connection.cursor() as cursor:
        cursor.execute(_RETIRE_UNREAD, [kept, timezone.now() - UNREAD])
        return sorted({cluster for (cluster,) in cursor.fetchall()})


def retire_clusters(kept: str, prefix: str) -> int:
    """Marks the topics of clusters named `prefix…`, other than the one kept, as vanished; for brokers in memory."""
    others = Topic.objects.filter(cluster__startswith=prefix, vanished_at=None).exclude(cluster=kept)
    return others.update(vanished_at=timezone.now())
