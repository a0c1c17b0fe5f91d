"""Stored data made as a collector makes it: records are decoded, judged and written by the production code."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import count

from django.conf import settings
from django.utils import timezone

from collector import config, deadlines
from collector.config.rules import registered
from collector.correlation.choreography import RuleBook
from collector.health import heartbeats
from collector.intake.reading import Reader
from collector.kafka import Span
from collector.models import End, Heartbeat, Progress, Topic
from collector.records import Record, TopicRef
from collector.storage import partitions, store
from dashboard.alerts.models import Alert
from dashboard.alerts.process import process
from tests.builders import Header, cloud_event, record

HAPPY = (
    ("OrderPlaced", "order", ()),
    ("PaymentAuthorized", "payment", ("OrderPlaced",)),
    ("StockReserved", "inventory", ("OrderPlaced",)),
    ("ShipmentScheduled", "shipping", ("PaymentAuthorized", "StockReserved")),
    ("CustomerNotified", "notification", ("ShipmentScheduled",)),
    ("ShipmentDispatched", "shipping", ("ShipmentScheduled",)),
    ("OrderCompleted", "order", ("ShipmentDispatched", "CustomerNotified")),
)
"""The demo's order as it should be: type, service, causes."""


class Feed:
    """One topic of one partition that a collector reads; `now` stands still, so that tests know every moment."""

    def __init__(self, topic: str = "orders", now: datetime | None = None) -> None:
        self.now = now or timezone.now()
        partitions.ensure_ahead(self.now.date())
        row = Topic.objects.create(cluster="cluster-1", uid=f"uid-{topic}", name=topic)
        Progress.objects.create(topic=row, partition=0, next_offset=0, first_offset=0, from_start=True)
        self.topic = TopicRef(row=row.pk, cluster=row.cluster, uid=row.uid, name=row.name)
        self._offsets = count()
        self._stored = 0
        self._records: list[Record] = []

    @property
    def rulebook(self) -> RuleBook:
        return registered(config.current(settings.CHOREOSCOPE_CONFIG).rulebook)

    def ago(self, seconds: float) -> datetime:
        return self.now - timedelta(seconds=seconds)

    def event(self, transaction: str, name: str, service: str, ago: float, causes: Iterable[str] = ()) -> None:
        """An event so many seconds ago; `causes` are types of events of the same transaction."""
        caused = [f"{transaction}/{cause}" for cause in causes]
        moment = self.ago(ago)
        headers = cloud_event(name, transaction, f"{transaction}/{name}", f"/services/{service}", moment, caused)
        self.raw(*headers, value=b'{"order": {"number": "4711"}}', at=moment)

    def raw(self, *headers: Header, value: bytes | None, at: datetime | None = None) -> None:
        at = at or self.now
        self._records.append(record(*headers, value=value, topic=self.topic, offset=next(self._offsets), timestamp=at))

    def order(self, transaction: str, steps: int = len(HAPPY), ago: float = 60, apart: float = 0.5) -> None:
        """The first `steps` of an order that began so many seconds ago."""
        for index, (name, service, causes) in enumerate(HAPPY[:steps]):
            self.event(transaction, name, service, ago - index * apart, causes)

    def declined(self, transaction: str, ago: float = 60) -> None:
        """An order whose payment is declined and whose stock is given back."""
        self.event(transaction, "OrderPlaced", "order", ago)
        self.event(transaction, "StockReserved", "inventory", ago - 0.5, ["OrderPlaced"])
        self.event(transaction, "PaymentDeclined", "payment", ago - 1, ["OrderPlaced"])
        self.event(transaction, "StockReleased", "inventory", ago - 1.5, ["PaymentDeclined"])
        self.event(transaction, "OrderCancelled", "order", ago - 2, ["StockReleased"])

    def read(self) -> None:
        """Stores what was sent. Everything up to now has then been read; what is due is judged and alarmed about."""
        following = self._stored + len(self._records)
        span = Span(self.topic, 0, self._stored, following, self._records)
        policy = config.current(settings.CHOREOSCOPE_CONFIG).policy
        decoded = Reader(lambda: policy).read(self.topic.name, self._records)
        store.write([span], decoded, self.rulebook, "test")
        self._records, self._stored = [], following
        Topic.objects.filter(pk=self.topic.row).update(watermark=self.now)
        End.objects.update_or_create(topic_id=self.topic.row, partition=0, defaults={"end_offset": following})
        deadlines.sweep(self.rulebook)
        process()
        Heartbeat.objects.update_or_create(
            name="collector:test",
            defaults={"at": timezone.now(), "detail": {"behind_seconds": 0.1, "events_per_second": 4.0}},
        )
        for worker in (heartbeats.NOTIFICATIONS, heartbeats.BEAT):
            heartbeats.beat(worker)


def calm() -> None:
    """Long enough for alerts to be certain that their causes are gone."""
    Alert.unresolved().exclude(quiet_since=None).update(quiet_since=timezone.now() - timedelta(hours=1))
    process()
