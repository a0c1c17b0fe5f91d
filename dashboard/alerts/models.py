"""Alerts: one per cause, with its log; and silences."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from collector.config.alerting import Facts
from dashboard.alerts import wording


class Alert(models.Model):
    """A cause of trouble: transactions of one choreography that wait for the same step from the same service, or
    something else that is not well, about reading (READING) or about what is read.

    `count` is how many transactions or records it concerns now, `peak` the most at any time. A cause has at most one
    alert that is not resolved. What people have been told of it is in `announced_*`: notices are due wherever that and
    the alert differ.
    """

    class State(models.TextChoices):
        OPEN = "open"
        ACKNOWLEDGED = "acknowledged"
        SNOOZED = "snoozed"
        RESOLVED = "resolved"

    class Kind(models.TextChoices):
        STUCK = "stuck", "stuck"
        STUCK_COMPENSATING = "stuck_compensating", "stuck while compensating"
        FAILED = "failed", "many fail"
        DEVIATING = "deviating", "many deviate"
        SLOW = "slow", "slower than usual"
        SERVICE_SILENT = "service_silent", "a service is silent"
        LOOP = "loop", "events lead to themselves"
        FAN_OUT = "fan_out", "an event runs away"
        DEAD_LETTERS = "dead_letters", "events could not be delivered"
        INGESTION_GAP = "ingestion_gap", "records were lost before they were read"
        UNDECODABLE = "undecodable", "many records cannot be read"
        COVERAGE = "coverage", "events no longer name their transaction"
        COLLECTOR_DOWN = "collector_down", "no collector is alive"
        COLLECTOR_BEHIND = "collector_behind", "reading is behind"
        PARTITION_UNREADABLE = "partition_unreadable", "a partition cannot be read"
        TOPIC_FORBIDDEN = "topic_forbidden", "a topic may not be read"
        SWEEP_LATE = "sweep_late", "deadlines are not checked"
        BUS_HELD = "bus_held", "events for the bus wait for a person"

    WAITING = (Kind.STUCK, Kind.STUCK_COMPENSATING)
    READING = (Kind.COLLECTOR_DOWN, Kind.COLLECTOR_BEHIND, Kind.PARTITION_UNREADABLE, Kind.TOPIC_FORBIDDEN)

    kind = models.TextField(choices=Kind)
    choreography = models.TextField(default="")
    awaited = models.TextField(default="", help_text="the awaited event types, joined by ' or '")
    service = models.TextField(default="", help_text="who owes it; empty where not known")
    subject = models.TextField(default="", help_text="the topic, where it is about one")
    names = models.TextField(default="", help_text="what it names: partitions, topics, a reason, what a loop is of")
    state = models.TextField(choices=State, default=State.OPEN)
    severity = models.TextField(default="warning")
    count = models.IntegerField(default=0)
    total = models.BigIntegerField(default=0, help_text="of how many, where it is about a share")
    peak = models.IntegerField(default=0)
    course = models.JSONField(default=list, help_text="how the count went: [seconds since 1970, count]")
    impact = models.FloatField(null=True, help_text="what is at stake in these transactions together")
    verdict = models.TextField(default="", help_text="whether the service has read what asks for it, in a sentence")
    explained_at = models.DateTimeField(null=True, help_text="when Kafka was last asked for that")
    since = models.DateTimeField(help_text="the earliest deadline that passed; since when it is not well")
    opened_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    quiet_since = models.DateTimeField(null=True, help_text="since when its cause is gone, until that is certain")
    resolved_at = models.DateTimeField(null=True)
    snoozed_until = models.DateTimeField(null=True)
    unanswered_since = models.DateTimeField(null=True, help_text="since when nobody has acknowledged or snoozed it")
    flaps = models.IntegerField(default=0, help_text="how often its cause was gone and came back")
    explained_by = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="explains", help_text="the alert that is its cause"
    )
    announced_at = models.DateTimeField(null=True, help_text="when people were last told; null: they do not know of it")
    announced_severity = models.TextField(default="")
    announced_count = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "choreography", "awaited", "service", "subject"],
                condition=~Q(state="resolved"),
                name="one_unresolved_alert_per_cause",
            )
        ]
        indexes = [
            models.Index(fields=["-opened_at", "-id"], name="alert_list"),
            models.Index(fields=["-resolved_at"], name="alert_resolved"),
        ]

    def __str__(self) -> str:
        return self.sentence

    @classmethod
    def unresolved(cls) -> models.QuerySet[Alert]:
        return cls.objects.exclude(state=cls.State.RESOLVED)

    @classmethod
    def causes(cls) -> models.QuerySet[Alert]:
        """Those that no other one explains that is not resolved itself."""
        return cls.unresolved().filter(Q(explained_by=None) | Q(explained_by__state=cls.State.RESOLVED))

    @classmethod
    def unresolved_by_kind(cls) -> dict[str, int]:
        """For every kind, how many are not resolved."""
        counted = cls.unresolved().values_list("kind").annotate(models.Count("id"))
        return {**dict.fromkeys(cls.Kind.values, 0), **dict(counted)}

    @property
    def about_reading(self) -> bool:
        return self.kind in self.READING or self.kind == self.Kind.SWEEP_LATE

    @property
    def about_transactions(self) -> bool:
        return self.kind in self.WAITING

    @property
    def began(self) -> datetime:
        """When it was opened; of what has come back, since when it is not well this time."""
        return max(self.opened_at, self.since)

    @property
    def settling(self) -> bool:
        """Its cause is gone; when that has lasted, it is resolved."""
        return self.state != self.State.RESOLVED and self.quiet_since is not None

    @property
    def sentence(self) -> str:
        """ "17 transactions wait for ShipmentDispatched from shipping", "orders[2] cannot be read"; times of day in the
        timezone that is current, a viewer's or UTC."""
        return wording.sentence(self, timezone.get_current_timezone())

    @property
    def trend(self) -> str:
        """growing, shrinking or steady over the last minute or so."""
        return wording.trend(self.course)

    def facts(self, owner: str) -> Facts:
        types = tuple(self.awaited.split(" or ")) if self.awaited else ()
        return Facts(self.kind, self.choreography, self.service, types, owner, self.severity)


class AlertEntry(models.Model):
    """A step in an alert's life: who did what, when, why. Only ever added to: the database refuses all else."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="entries")
    at = models.DateTimeField()
    kind = models.TextField(help_text="raised, reopened, escalated, resolved, acknowledged, snoozed …")
    who = models.TextField(default="choreoscope")
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["alert", "at"], name="alert_log")]

    @property
    def reason(self) -> str:
        return str(self.detail.get("reason", ""))


class Candidate(models.Model):
    """A cause that has to last before it becomes an alert, and since when it has."""

    key = models.TextField(primary_key=True)
    kind = models.TextField()
    since = models.DateTimeField()


class Silence(models.Model):
    """Nobody is told of alerts that match, until it ends. An empty part matches all; `*` stands for anything."""

    PARTS = ("kind", "choreography", "service", "event_type")

    kind = models.TextField(default="", blank=True)
    choreography = models.TextField(default="", blank=True)
    service = models.TextField(default="", blank=True)
    event_type = models.TextField(default="", blank=True)
    reason = models.TextField()
    who = models.TextField()
    created_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    ended_by = models.TextField(default="", help_text="who ended it before its time")

    class Meta:
        indexes = [models.Index(fields=["-ends_at"], name="silence_end")]

    @classmethod
    def in_force(cls, now: datetime) -> models.QuerySet[Silence]:
        return cls.objects.filter(ends_at__gt=now)

    def fits(self, facts: Facts) -> bool:
        given = {
            "kind": (facts.kind,),
            "choreography": (facts.choreography,),
            "service": (facts.service,),
            "event_type": facts.event_types,
        }
        return all(wording.alike(pattern, given[name]) for name, pattern in self.matcher.items())

    @property
    def matcher(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.PARTS if getattr(self, name)}
