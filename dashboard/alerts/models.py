"""Alerts: one per cause, with its log."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Alert(models.Model):
    """A cause of trouble: transactions of one choreography that wait for the same step from the same service, or
    something about reading itself (READING).

    `count` is how many transactions it concerns now, `peak` the most at any time; both are taken from the collector's
    `Overdue` rows whenever transitions are processed. A cause has at most one alert that is not resolved.
    """

    class State(models.TextChoices):
        OPEN = "open"
        ACKNOWLEDGED = "acknowledged"
        SNOOZED = "snoozed"
        RESOLVED = "resolved"

    class Kind(models.TextChoices):
        STUCK = "stuck", "stuck"
        STUCK_COMPENSATING = "stuck_compensating", "stuck while compensating"
        COLLECTOR_DOWN = "collector_down", "no collector is alive"
        COLLECTOR_BEHIND = "collector_behind", "reading is behind"
        PARTITION_UNREADABLE = "partition_unreadable", "a partition cannot be read"
        TOPIC_FORBIDDEN = "topic_forbidden", "a topic may not be read"

    READING = (Kind.COLLECTOR_DOWN, Kind.COLLECTOR_BEHIND, Kind.PARTITION_UNREADABLE, Kind.TOPIC_FORBIDDEN)

    kind = models.TextField(choices=Kind)
    choreography = models.TextField()
    awaited = models.TextField(help_text="the awaited event types, joined by ' or '")
    service = models.TextField(help_text="who owes it; empty where not known")
    subject = models.TextField(default="", help_text="the topic, where it is about the reading of one")
    names = models.TextField(default="", help_text="what it names: partitions, or the topic that is furthest behind")
    state = models.TextField(choices=State, default=State.OPEN)
    count = models.IntegerField(default=0)
    peak = models.IntegerField(default=0)
    impact = models.FloatField(null=True, help_text="what is at stake in these transactions together")
    since = models.DateTimeField(help_text="the earliest deadline that passed; since when reading is not well")
    opened_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "choreography", "awaited", "service", "subject"],
                condition=~Q(state="resolved"),
                name="one_unresolved_alert_per_cause",
            )
        ]
        indexes = [models.Index(fields=["-opened_at", "-id"], name="alert_list")]

    def __str__(self) -> str:
        return self.sentence

    @classmethod
    def unresolved(cls) -> models.QuerySet[Alert]:
        return cls.objects.exclude(state=cls.State.RESOLVED)

    @classmethod
    def unresolved_by_kind(cls) -> dict[str, int]:
        """For every kind, how many are not resolved."""
        counted = cls.unresolved().values_list("kind").annotate(models.Count("id"))
        return {**dict.fromkeys(cls.Kind.values, 0), **dict(counted)}

    @property
    def about_reading(self) -> bool:
        return self.kind in self.READING

    @property
    def sentence(self) -> str:
        """ "17 transactions wait for ShipmentDispatched from shipping", "orders[2] cannot be read"."""
        over = self.state == self.State.RESOLVED
        match self.kind:
            case self.Kind.COLLECTOR_DOWN:
                return f"No collector {'was' if over else 'is'} alive"
            case self.Kind.COLLECTOR_BEHIND:
                return f"Reading {'was' if over else 'is'} behind: {self.names}"
            case self.Kind.PARTITION_UNREADABLE:
                return f"{self.names} {'could not' if over else 'cannot'} be read"
            case self.Kind.TOPIC_FORBIDDEN:
                return f"Kafka {'did' if over else 'does'} not let us read {self.names}: the right Read is missing"
        return self._waiting(over)

    def _waiting(self, over: bool) -> str:
        count = self.count or self.peak
        noun, verb = ("transaction", "waits") if count == 1 else ("transactions", "wait")
        source = f" from {self.service}" if self.service else ""
        return f"{count} {noun} {'waited' if over else verb} for {self.awaited}{source}"


class AlertEntry(models.Model):
    """A step in an alert's life: who did what, when, why. Only ever added to."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="entries")
    at = models.DateTimeField()
    kind = models.TextField(help_text="raised, grew, resolved, acknowledged, snoozed …")
    who = models.TextField(default="choreoscope")
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ["at", "id"]
