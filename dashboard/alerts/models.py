"""Alerts: one per cause, with its log."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Alert(models.Model):
    """A cause of trouble: transactions of one choreography that wait for the same step from the same service.

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

    kind = models.TextField(choices=Kind)
    choreography = models.TextField()
    awaited = models.TextField(help_text="the awaited event types, joined by ' or '")
    service = models.TextField(help_text="who owes it; empty where not known")
    state = models.TextField(choices=State, default=State.OPEN)
    count = models.IntegerField(default=0)
    peak = models.IntegerField(default=0)
    since = models.DateTimeField(help_text="the earliest deadline that passed")
    opened_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "choreography", "awaited", "service"],
                condition=~Q(state="resolved"),
                name="one_unresolved_alert_per_cause",
            )
        ]
        indexes = [models.Index(fields=["-opened_at", "-id"], name="alert_list")]

    def __str__(self) -> str:
        return self.sentence

    @property
    def sentence(self) -> str:
        """ "17 transactions wait for ShipmentDispatched from shipping"."""
        count = self.count or self.peak
        noun, verb = ("transaction", "waits") if count == 1 else ("transactions", "wait")
        if self.state == self.State.RESOLVED:
            verb = "waited"
        source = f" from {self.service}" if self.service else ""
        return f"{count} {noun} {verb} for {self.awaited}{source}"


class AlertEntry(models.Model):
    """A step in an alert's life: who did what, when, why. Only ever added to."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="entries")
    at = models.DateTimeField()
    kind = models.TextField(help_text="raised, grew, resolved, acknowledged, snoozed …")
    who = models.TextField(default="choreoscope")
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ["at", "id"]
